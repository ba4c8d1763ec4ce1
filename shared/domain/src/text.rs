//! Text from outside, made fit to be shown: without escapes and control characters, and cut on whole characters.

/// The text without ANSI escapes and control characters; line feeds and tabs stay.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => skip_escape(&mut rest),
            '\n' | '\t' => cleaned.push(character),
            _ if hides_text(character) => {}
            _ => cleaned.push(character),
        }
    }
    cleaned
}

/// The first line that is not blank, clean and at most `longest` characters long.
pub fn first_line(text: &str, longest: usize) -> String {
    let cleaned = clean(text);
    let line = cleaned.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    cut(line, longest)
}

/// At most `longest` characters; what is left out shows as `…`.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Control characters, and those that turn the direction of the text around them.
fn hides_text(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Skips what follows an escape character: a control sequence (`[`, parameters, a final letter), an operating system
/// command (`]` up to a bell or the next escape) or a single character.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next_if(|c| !c.is_control()) {
        Some('[') => {
            while rest.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
            rest.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
        }
        Some(']') => while rest.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {},
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_control_characters_disappear() {
        for (input, expected) in [
            ("\u{1b}[31mFAILED\u{1b}[0m tests/a.py", "FAILED tests/a.py"),
            ("\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{7}", "link"),
            ("a\r\nb\tc\u{0}d", "a\nb\tcd"),
            ("ends with an escape \u{1b}", "ends with an escape "),
            ("ends inside one \u{1b}[3", "ends inside one "),
            ("user\u{202e}gnp.exe", "usergnp.exe"),
        ] {
            assert_eq!(clean(input), expected, "{input:?}");
        }
    }

    #[test]
    fn lines_are_cut_on_whole_characters() {
        assert_eq!(first_line("\n\n  grüße \nmore", 80), "grüße");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(first_line("", 3), "");
    }
}
