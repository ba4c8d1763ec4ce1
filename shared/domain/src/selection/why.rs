//! Whether a change concerns a test, in words.

use super::reach::{Reach, sides};
use super::reads::{is_within, read_by};
use crate::task::TaskSpec;
use crate::text;

/// The most characters of a path that are shown.
const LONGEST_PATH: usize = 120;

/// Whether the change concerns the test, and why.
pub(super) fn judged(spec: &TaskSpec, reach: &Reach<'_>) -> (bool, String) {
    let files = match reach {
        Reach::Everything { why } => return (true, format!("everything counts as changed: {why}")),
        Reach::Files(files) => *files,
    };
    let (reads, requirements) = read_by(spec);
    let is_read = |path: &str| {
        reads.covers(path) || requirements.iter().any(|requirement| requirement.as_str() == path)
    };
    let mut read = files.iter().filter_map(|file| sides(file).find(|path| is_read(path)));
    let Some(first) = read.next() else {
        return (false, untouched(files.len()));
    };
    let more = match read.count() {
        0 => String::new(),
        1 => ", and 1 more file".to_owned(),
        more => format!(", and {more} more files"),
    };
    (true, format!("{} changed, {}{more}", shown(first), relation(spec, first)))
}

fn untouched(changed: usize) -> String {
    match changed {
        0 => "no file changed".to_owned(),
        1 => "it does not read the 1 changed file".to_owned(),
        changed => format!("it reads none of the {changed} changed files"),
    }
}

/// What the file is to the test.
fn relation(spec: &TaskSpec, path: &str) -> &'static str {
    match spec {
        TaskSpec::Service(service) if is_within(path, service.path.as_str().trim_end_matches('/')) => {
            "which lies in its folder"
        }
        TaskSpec::Service(_) => "which it depends on",
        TaskSpec::Checks(_) => "which the checks read",
        TaskSpec::Integration(_) => "which the integration tests read",
        TaskSpec::Manifests(_) => "which is rendered",
    }
}

/// A path from outside in backticks, fit to stand in one line of Markdown.
pub(super) fn shown(path: &str) -> String {
    let line: String = text::clean(path)
        .chars()
        .map(|character| match character {
            '`' => '\'',
            '\n' | '\t' => ' ',
            other => other,
        })
        .collect();
    match line.trim() {
        "" => "a file whose name cannot be shown".to_owned(),
        line => format!("`{}`", text::cut(line, LONGEST_PATH)),
    }
}
