//! Text into Markdown and Slack's mrkdwn. Whatever came from GitHub, a log or a file is hostile here.

/// A value in backticks, on one line.
pub(super) fn code(value: &str) -> String {
    format!("`{}`", plain(value, 200).replace('`', "'"))
}

/// A value in backticks, within a table.
pub(super) fn code_cell(value: &str) -> String {
    code(value).replace('|', "\\|")
}

/// A sentence of ours, whose values are in backticks; whatever lies outside them cannot become markup.
pub(super) fn sentence(text: &str) -> String {
    let text = plain(text, 2000);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd number of backticks leaves the last one without its partner.
    let closed = parts.len() % 2 == 1;
    let mut out = String::with_capacity(text.len() + 16);
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let in_code = index % 2 == 1 && (closed || !last);
        match (index > 0, in_code || closed || !last) {
            (true, true) => out.push('`'),
            (true, false) => out.push('\''),
            (false, _) => {}
        }
        if in_code {
            out.push_str(part);
        } else {
            escape_into(&mut out, part);
        }
    }
    out
}

fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '[' | ']' | '!' | '#' | '~' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            // A mention would tell people; an invisible character breaks it.
            '@' => out.push_str("@\u{200b}"),
            _ => out.push(character),
        }
    }
}

/// Lines in a code block whose fence is longer than every run of backticks inside.
pub(super) fn block(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| plain(line, 1000)).collect();
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// A link, if the address is a plain one.
pub(super) fn link(words: &str, address: &str) -> Option<String> {
    is_address(address).then(|| format!("[{words}](<{address}>)"))
}

/// A link in Slack's form.
pub(super) fn slack_link(words: &str, address: &str) -> Option<String> {
    let fits = is_address(address) && !address.contains('|');
    fits.then(|| format!("<{}|{words}>", address.replace('&', "&amp;")))
}

/// As many of the lines as fit into so many bytes, and how many are left out.
pub(super) fn fitting(lines: impl IntoIterator<Item = String>, most: usize) -> (String, usize) {
    let mut text = String::new();
    let mut left_out = 0;
    for line in lines {
        if left_out == 0 && text.len() + line.len() <= most {
            text.push_str(&line);
        } else {
            left_out += 1;
        }
    }
    (text, left_out)
}

/// Text in Slack's form: the three characters that begin links, mentions and entities are escaped.
pub(super) fn slack(text: &str) -> String {
    plain(text, 2000).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A value in Slack's backticks.
pub(super) fn slack_code(value: &str) -> String {
    format!("`{}`", slack(&plain(value, 200)).replace('`', "'"))
}

/// One line without control characters and colour codes, cut to `most` characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            // ESC [ … up to a letter: a colour code.
            while characters.next().is_some_and(|inside| !inside.is_ascii_alphabetic()) {}
        } else if character.is_control() || is_invisible(character) {
            out.push(' ');
        } else {
            out.push(character);
        }
    }
    let out = out.trim_end();
    match out.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out.to_owned(),
    }
}

/// Characters that turn the direction of a text, so that it reads as something else.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_address(address: &str) -> bool {
    let scheme = address.starts_with("https://") || address.starts_with("http://");
    scheme
        && address.len() <= 2000
        && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"`\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_backticks() {
        assert_eq!(code("a`b\n<img>"), "`a'b <img>`");
        assert_eq!(code_cell("a|b"), "`a\\|b`");
        assert_eq!(slack_code("a`<!channel>&"), "`a'&lt;!channel&gt;&amp;`");
    }

    #[test]
    fn sentences_keep_values_and_lose_markup() {
        assert_eq!(
            sentence("`a_b` has <b>[x](y)</b> @all"),
            "`a_b` has &lt;b&gt;\\[x\\](y)&lt;/b&gt; @\u{200b}all"
        );
        assert_eq!(sentence("an odd ` mark *here*"), "an odd ' mark \\*here\\*");
        assert_eq!(sentence("`one` and ` two @x"), "`one` and ' two @\u{200b}x");
    }

    #[test]
    fn a_block_has_a_fence_of_its_own() {
        assert_eq!(
            block(&["a ```` b".to_owned(), "\u{1b}[31mred\u{1b}[0m".to_owned()]),
            "`````text\na ```` b\nred\n`````\n"
        );
    }

    #[test]
    fn only_plain_addresses_become_links() {
        assert!(link("log", "https://console.aws.amazon.com/a?b=c#d$252F").is_some());
        for address in ["javascript:alert(1)", "https://a b", "https://a>b", "http://a\nb"] {
            assert_eq!(link("log", address), None, "{address}");
        }
        assert_eq!(slack_link("log", "https://a/?b=c&d").as_deref(), Some("<https://a/?b=c&amp;d|log>"));
        assert_eq!(slack_link("log", "https://a|b"), None);
    }
}
