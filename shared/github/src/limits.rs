//! GitHub's limits on what a check run (<https://docs.github.com/en/rest/checks/runs>) or a comment holds.

/// Annotations in one request; further requests append.
pub(crate) const ANNOTATIONS: usize = 50;

/// Buttons under a check run.
pub(crate) const BUTTONS: usize = 3;

/// Characters of a button's label, and of the identifier that comes back when it is pressed.
const LABEL: usize = 20;

/// Characters of a button's description.
const DESCRIPTION: usize = 40;

/// Bytes of a check run's summary and of its text; a comment takes 65,536 characters.
const LONG_TEXT: usize = 65_535;

/// Bytes of a title.
const TITLE: usize = 255;

/// Bytes of an annotation's message: 64 KB.
const MESSAGE: usize = 64_000;

const MARK: &str = "…";

/// A button's label or identifier.
pub(crate) fn label(text: &str) -> String {
    text.chars().take(LABEL).collect()
}

/// A button's description.
pub(crate) fn description(text: &str) -> String {
    text.chars().take(DESCRIPTION).collect()
}

/// A summary, a check run's text, a comment.
pub(crate) fn long_text(text: &str) -> String {
    cut(text, LONG_TEXT)
}

/// A title, on one line.
pub(crate) fn title(text: &str) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), TITLE)
}

/// An annotation's message.
pub(crate) fn message(text: &str) -> String {
    cut(text, MESSAGE)
}

/// Cuts on a character's border and shows that something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    // A code block that is cut open would swallow whatever follows.
    let closing = "\n```\n";
    let end = text.floor_char_boundary(most - MARK.len() - closing.len());
    let kept = &text[..end];
    let open = kept.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1;
    if open { format!("{kept}{MARK}{closing}") } else { format!("{kept}{MARK}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = long_text(&"ü".repeat(40_000));
        assert!(cut.len() <= LONG_TEXT && cut.len() > LONG_TEXT - 20 && cut.ends_with("ü…"));
        assert_eq!(long_text("short"), "short");
    }

    #[test]
    fn a_cut_code_block_is_closed() {
        let cut = long_text(&format!("```\n{}", "line\n".repeat(20_000)));
        assert!(cut.len() <= LONG_TEXT && cut.ends_with("…\n```\n"));
    }

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(title("a\nb"), "a b");
        assert!(title(&"x".repeat(300)).len() <= TITLE);
    }
}
