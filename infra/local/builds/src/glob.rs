//! File patterns of a build specification: `*` and `?` within one folder, `**` across folders.

/// Whether `path` (relative, with `/`) matches `pattern`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_start_matches("./").split('/').collect();
    let path: Vec<&str> = path.trim_start_matches("./").split('/').collect();
    folders(&pattern, &path)
}

fn folders(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        // `**` stands for any number of folders; at the end also for everything below.
        (Some((&"**", rest)), _) => {
            (rest.is_empty() && !path.is_empty()) || (0..=path.len()).any(|skip| folders(rest, &path[skip..]))
        }
        (Some((part, pattern)), Some((name, path))) => {
            let part: Vec<char> = part.chars().collect();
            let name: Vec<char> = name.chars().collect();
            name_matches(&part, &name) && folders(pattern, path)
        }
        _ => false,
    }
}

fn name_matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=name.len()).any(|skip| name_matches(rest, &name[skip..])),
        (Some(('?', pattern)), Some((_, name))) => name_matches(pattern, name),
        (Some((expected, pattern)), Some((found, name))) => expected == found && name_matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_a_build_specification() {
        let check = |pattern: &str, path: &str, expect: bool| {
            assert_eq!(matches(pattern, path), expect, "{pattern} against {path}");
        };
        check("junit.xml", "junit.xml", true);
        check("junit.xml", "deep/junit.xml", false);
        check("*", "junit.xml", true);
        check("*", "deep/junit.xml", false);
        check("**/*", "junit.xml", true);
        check("**/*", "very/deep/junit.xml", true);
        check("**/*.xml", "very/deep/junit.xml", true);
        check("deep/**", "deep/junit.xml", true);
        check("deep/**", "other/junit.xml", false);
        check("./a?c/*.t*t", "abc/x.txt", true);
        check("a?c", "ac", false);
    }
}
