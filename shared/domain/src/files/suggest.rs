//! The known name nearest to a misspelt one.

/// The known name that few changes make of the given one: at most a third of its letters, and at most three.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let misspelt = given;
    let given: Vec<char> = given.to_lowercase().chars().take(LONGEST + 1).collect();
    if given.len() > LONGEST {
        return None;
    }
    let most = (given.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|name| *name != misspelt)
        .filter_map(|name| {
            let letters: Vec<char> = name.to_lowercase().chars().take(LONGEST + 1).collect();
            let near = letters.len() <= LONGEST && letters.len().abs_diff(given.len()) <= most;
            let distance = near.then(|| changes(&given, &letters))?;
            (distance <= most && distance < given.len()).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// The longest name compared, in characters: what is longer is no slip of the fingers.
const LONGEST: usize = 255;

/// The number of letters added, taken out, changed or swapped with their neighbour (Damerau's distance, where no
/// part is changed twice).
fn changes(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, &letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in to.iter().enumerate() {
            let changed = last[column] + usize::from(letter != other);
            let mut fewest = changed.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && letter == to[column - 1] && from[row - 1] == other {
                fewest = fewest.min(before[column - 1] + 1);
            }
            current.push(fewest);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["command", "coverage", "path", "image", "id"];
        for (given, expected) in [
            ("covrage", Some("coverage")),
            ("coverge", Some("coverage")),
            ("Coverage", Some("coverage")),
            ("comamnd", Some("command")),
            ("imag", Some("image")),
            ("pth", Some("path")),
            ("host", None),
            ("cov", None),
            ("path", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
