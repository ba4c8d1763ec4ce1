//! Patches as GitHub gives them, and as somebody might forge them.

use proptest::prelude::*;

use super::*;

fn check(patch: &str, expected: Option<&[Range]>) {
    let mut lines = NewLines::default();
    lines.add("backend/a.py", patch);
    assert_eq!(lines.of("backend/a.py").map(|(_, ranges)| ranges), expected, "{patch}");
}

/// A patch that adds so many lines, each on its own.
fn scattered(ranges: usize) -> String {
    let hunks: Vec<String> =
        (1..=ranges).map(|hunk| format!("@@ -{0},0 +{0},1 @@\n+a\n", hunk * 3)).collect();
    hunks.concat()
}

#[test]
fn the_added_lines_of_every_hunk_are_found() {
    let patch = "@@ -1,4 +1,6 @@ import os\n import os\n+import sys\n+\n def a():\n-    pass\n+    return 1\n \n\
                 @@ -20 +22,2 @@\n x = 1\n+y = 2\n\\ No newline at end of file";
    check(patch, Some(&[(2, 3), (5, 5), (23, 23)]));
    check("@@ -0,0 +1,3 @@\n+a\n+b\n+c\n", Some(&[(1, 3)]));
    // A line of the file that begins with signs of a diff is still a line of the file.
    check("@@ -0,0 +1,2 @@\n++++ b\n+@@ -1 +1 @@", Some(&[(1, 2)]));
    // The space before an empty line was lost, and the lines end as on Windows.
    check("@@ -1,2 +1,3 @@\n a\r\n\n+b\r\n", Some(&[(3, 3)]));
    check("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", Some(&[(1, 1)]));
}

#[test]
fn what_is_no_whole_patch_says_nothing() {
    for patch in [
        "",
        "@@ -1,2 +1,1 @@\n a\n-b\n",
        "Binary files differ",
        "@@ -1,2 +1,3 @@\n a\n+b",
        "@@ -1,1 +1,1 @@\n a\n b\n",
        "@@ -0,0 +1,1 @@\n+a\n+b\n",
        "@@ -1 +1 @@\nstrange",
        "@@ -0,0 +0,1 @@\n+a",
        "@@ -0,0 +4294967295,2 @@\n+a\n+b",
        "@@ -0,0 +99999999999,1 @@\n+a",
        "@@ -0,0 +-1,1 @@\n+a",
        "@@ -5 +5 @@\n-a\n+b\n@@ -1 +1 @@\n-a\n+b",
        "@@ -5 +5 @",
    ] {
        check(patch, None);
    }
    check(&format!("@@ -0,0 +1,1 @@\n+{}", "a".repeat(LARGEST_PATCH)), None);
    check(&scattered(MOST_RANGES_OF_FILE + 1), None);
}

#[test]
fn a_change_is_bounded_in_files_and_ranges() {
    let mut lines = NewLines::default();
    for file in 0..MOST_FILES + 10 {
        lines.add(&format!("a{file}.py"), "@@ -0,0 +1,1 @@\n+a");
    }
    assert_eq!(lines.len(), MOST_FILES);
    let many = scattered(900);
    let mut lines = NewLines::default();
    for file in 0..40 {
        lines.add(&format!("a{file}.py"), &many);
    }
    assert_eq!(lines.len(), MOST_RANGES / 900);
    for path in ["", "/etc/passwd", "../a.py", "./a.py", "a\u{0}.py"] {
        lines = NewLines::default();
        lines.add(path, "@@ -0,0 +1,1 @@\n+a");
        assert!(lines.is_empty(), "{path:?}");
    }
}

#[test]
fn they_are_stored_in_a_compact_form() {
    let mut lines = NewLines::default();
    lines.add("backend/a.py", "@@ -0,0 +1,3 @@\n+a\n+b\n+c\n@@ -9,0 +13,1 @@\n+d\n");
    lines.add("b.py", "@@ -0,0 +7,1 @@\n+a");
    lines.add("b.py", "@@ -0,0 +8,1 @@\n+a");
    let stored = serde_json::to_string(&lines).expect("they are JSON");
    assert_eq!(stored, r#"{"b.py":[[8,8]],"backend/a.py":[[1,3],[13,13]]}"#);
    assert_eq!(serde_json::from_str::<NewLines>(&stored).expect("as stored"), lines);
    // What was stored by somebody else is held to the same bounds.
    let forged =
        r#"{"a.py":[[5,1]],"b.py":[[0,3]],"c.py":[[4,6],[5,9]],"d.py":[],"/e.py":[[1,1]],"f.py":[[1,2]]}"#;
    let read: NewLines = serde_json::from_str(forged).expect("it has the form");
    assert_eq!(serde_json::to_string(&read).expect("they are JSON"), r#"{"f.py":[[1,2]]}"#);
}

proptest! {
    #[test]
    fn any_text_leaves_ranges_in_order(patch in "(@@ -[0-9]{1,2},[0-3] \\+[0-9]{1,2},[0-3] @@\n([ +-]a?\n){0,4}){0,4}|.{0,80}") {
        let mut lines = NewLines::default();
        lines.add("a.py", &patch);
        if let Some((_, ranges)) = lines.of("a.py") {
            let mut before = 0;
            for (first, last) in ranges {
                prop_assert!(before < *first && first <= last);
                before = *last;
            }
        }
    }
}
