//! The line of a file that a problem is about, with a mark below the word.

/// How much of a long line is shown, in characters.
const WIDEST: usize = 100;

/// A line fit for a terminal, and where in it the word stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Without control characters and without what turns the direction of the text.
    pub(super) text: String,
    /// How many characters stand before the word.
    pub(super) before: usize,
    /// The length of the word, at least 1.
    pub(super) width: usize,
}

/// The excerpt of a line and column, both from 1; none where the file has no such line.
pub(super) fn excerpt(source: &str, line: u32, column: u32) -> Option<Excerpt> {
    let line = source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let letters: Vec<char> = line.trim_start_matches('\u{feff}').chars().map(visible).collect();
    let at = usize::try_from(column).ok()?.saturating_sub(1).min(letters.len());
    let width = word(&letters[at..]);
    let begin = if at + width.min(WIDEST / 2) > WIDEST { at.saturating_sub(WIDEST / 2) } else { 0 };
    let cut: String = letters[begin..].iter().take(WIDEST).collect();
    let (before_cut, after_cut) =
        (if begin > 0 { "…" } else { "" }, if letters.len() > begin + WIDEST { "…" } else { "" });
    Some(Excerpt {
        text: format!("{before_cut}{}{after_cut}", cut.trim_end()),
        before: at - begin + usize::from(begin > 0),
        width: width.min(WIDEST + begin - at).max(1),
    })
}

/// The length of the word at the beginning: up to the end of its quotes, or to what ends a plain value in YAML.
fn word(letters: &[char]) -> usize {
    let length = match letters.first() {
        Some(quote @ ('"' | '\'')) => {
            letters.iter().skip(1).position(|letter| letter == quote).map(|end| end + 2)
        }
        Some('[' | '{' | '-' | '&' | '*' | '!' | ' ') | None => None,
        Some(_) => {
            let ends = |at: usize| match letters[at] {
                ',' | ']' | '}' => true,
                ':' | ' ' => letters.get(at + 1).is_none_or(|next| " #".contains(*next)),
                _ => false,
            };
            (1..letters.len()).find(|at| ends(*at)).or(Some(letters.len()))
        }
    };
    length.unwrap_or(1).max(1)
}

/// What a terminal could take for a command shows as a space, one for one, so that columns stay.
pub(super) fn visible(letter: char) -> char {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if letter.is_control() || turns { ' ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_marked() {
        let long = format!("{}x: [{}]", " ".repeat(90), "word, ".repeat(60));
        for (source, line, column, expected) in [
            ("a: 1\ncovrage: 80", 2, 1, "covrage: 80\n^^^^^^^"),
            ("test: {cov: 80}", 1, 8, "test: {cov: 80}\n       ^^^"),
            ("slack: \"# x\" # y", 1, 8, "slack: \"# x\" # y\n       ^^^^^"),
            ("command: make test # all", 1, 10, "command: make test # all\n         ^^^^^^^^^"),
            ("a: [1, 2]", 1, 4, "a: [1, 2]\n   ^"),
            ("a: \u{1b}[31mred\u{202e}", 1, 4, "a:  [31mred\n   ^"),
            ("\tb: ü", 1, 5, " b: ü\n    ^"),
            ("a", 1, 9, "a\n ^"),
            ("a", 2, 1, "none"),
        ] {
            let shown = excerpt(source, line, column).map_or_else(
                || "none".to_owned(),
                |excerpt| {
                    format!("{}\n{}{}", excerpt.text, " ".repeat(excerpt.before), "^".repeat(excerpt.width))
                },
            );
            assert_eq!(shown, expected, "{source:?}");
        }
        let cut = excerpt(&long, 1, 300).expect("a line");
        assert!(cut.text.chars().count() <= WIDEST + 2 && cut.text.starts_with('…'), "{cut:?}");
        assert_eq!(cut.before, 51);
    }
}
