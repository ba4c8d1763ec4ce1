//! Where a finding lies: paths of tools, brought back to the repository.

/// Folders that hold other people's code, wherever they stand in a path.
const FOREIGN: [&str; 5] = ["site-packages", "dist-packages", "node_modules", ".venv", "venv"];

/// Folders at the root of a repository of the usual shape.
const USUAL_ROOTS: [&str; 4] = ["backend", "integration_tests", "docs", "tests"];

/// The path relative to the repository's root, or none if it lies elsewhere.
///
/// The commands run in the single folder of GitHub's zip, `<owner>-<repository>-<sha>/`, so that an absolute path
/// continues in the repository after a folder that ends in a commit, else from a folder that usually lies at the root.
pub(super) fn in_repository(path: &str) -> Option<String> {
    let path = path.trim_start_matches("./");
    let parts: Vec<&str> = path.split('/').collect();
    let hostile =
        path.is_empty() || path.len() > 255 || path.chars().any(|c| c.is_control() || c == '\\' || c == '<');
    if hostile || parts.iter().any(|part| *part == ".." || FOREIGN.contains(part)) {
        return None;
    }
    if !path.starts_with('/') {
        return Some(path.to_owned());
    }
    let after_commit = parts.iter().rposition(|part| ends_in_commit(part)).map(|position| position + 1);
    let start = after_commit.or_else(|| parts.iter().position(|part| USUAL_ROOTS.contains(part)))?;
    let inside = parts.get(start..)?.join("/");
    (!inside.is_empty()).then_some(inside)
}

/// The last place in the repository that a traceback of pytest names: a line `path:line: …`.
pub(super) fn last_in(traceback: &str) -> Option<(String, u32)> {
    traceback.lines().rev().find_map(|line| {
        let (path, rest) = line.split_once(':')?;
        let (number, _) = rest.split_once(':')?;
        let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
        let is_file = path.contains('.') && !path.contains(char::is_whitespace);
        Some((in_repository(path).filter(|_| is_file)?, number))
    })
}

fn ends_in_commit(folder: &str) -> bool {
    folder.rsplit_once('-').is_some_and(|(name, commit)| {
        !name.is_empty()
            && (7..=40).contains(&commit.len())
            && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back_to_the_repository() {
        for (path, expected) in [
            ("backend/a/b.py", Some("backend/a/b.py")),
            ("./backend/a/b.py", Some("backend/a/b.py")),
            (
                "/codebuild/output/src1/src/vive-sphere-bot-manager-9c2e4d81b57a36f0/lib/b.py",
                Some("lib/b.py"),
            ),
            ("/tmp/build/backend/a/b.py", Some("backend/a/b.py")),
            ("/usr/lib/python3.11/json/decoder.py", None),
            ("../../usr/lib/python3.11/json/decoder.py", None),
            ("/tmp/build/backend/.venv/lib/x.py", None),
            ("<frozen importlib._bootstrap>", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(in_repository(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_last_place_inside_is_taken() {
        let traceback = "backend/a/tests/test_b.py:7: in test_b\n    load()\nbackend/a/b.py:12: in load\n\
                         /usr/lib/python3.11/json/decoder.py:355: JSONDecodeError\nE   key: 3: wrong";
        assert_eq!(last_in(traceback), Some(("backend/a/b.py".to_owned(), 12)));
        assert_eq!(last_in("nothing here"), None);
        assert_eq!(last_in("a.py:0: x\na.py:99999999999: x"), None);
    }
}
