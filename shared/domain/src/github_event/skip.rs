//! Commit messages that ask for no run
//! (<https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs>).

const WORDS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];
const TRAILER: &str = "skip-checks: true";

/// The words of the message that ask for no run, as GitHub's documentation writes them.
pub(super) fn skip(message: &str) -> Option<String> {
    let of_place = |(place, _)| {
        let rest = &message.as_bytes()[place..];
        let begins = |word: &&str| rest.get(..word.len()).is_some_and(|text| is_same(text, word));
        WORDS.into_iter().find(begins)
    };
    let word = message.match_indices('[').find_map(of_place);
    word.or_else(|| has_trailer(message).then_some(TRAILER)).map(str::to_owned)
}

fn is_same(text: &[u8], word: &str) -> bool {
    text.eq_ignore_ascii_case(word.as_bytes())
}

/// A trailer stands in the last paragraph, which is not the message's first.
fn has_trailer(message: &str) -> bool {
    let mut found = false;
    for line in message.trim_end().lines().rev() {
        if line.trim().is_empty() {
            return found;
        }
        found |= line.split_once(':').is_some_and(|(name, value)| {
            is_same(name.trim().as_bytes(), "skip-checks") && is_same(value.trim().as_bytes(), "true")
        });
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_githubs_own_words_ask_for_no_run() {
        for (message, expected) in [
            ("Fix a typo [skip ci]", Some("[skip ci]")),
            ("[CI Skip] Fix a typo", Some("[ci skip]")),
            ("Fix a typo\n\nIt is in a comment only. [no ci]\n", Some("[no ci]")),
            ("Fix [a] typo [[skip actions]]", Some("[skip actions]")),
            ("Grüße [ACTIONS SKIP]", Some("[actions skip]")),
            ("Fix a typo\n\n\nskip-checks: true", Some("skip-checks: true")),
            ("Fix a typo\n\n\nSkip-Checks:True\nSigned-off-by: Ada\n\n", Some("skip-checks: true")),
            ("Fix a typo\r\n\r\n\r\nskip-checks: true\r\n", Some("skip-checks: true")),
            ("skip-checks: true", None),
            ("Fix a typo\n\nskip-checks: true\n\nIt is in a comment only.", None),
            ("Fix a typo\n\nskip-checks: false", None),
            ("Do not [skip  ci] here, nor skip ci", None),
            ("[skip ci", None),
            ("[", None),
            ("", None),
        ] {
            assert_eq!(skip(message).as_deref(), expected, "{message:?}");
        }
    }
}
