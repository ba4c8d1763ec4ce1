//! flake8's default output: `path:line:column: CODE message`.

use super::{Annotation, AnnotationLevel, place};
use crate::text;

/// flake8's output, taken apart.
pub(super) struct Output {
    /// Every finding.
    pub findings: Vec<Annotation>,
    /// The first line of another form; `--count` and `--show-source` print such lines beside findings.
    pub strange: Option<String>,
}

/// Reads the output.
pub(super) fn read(output: &str) -> Output {
    let is_count = |line: &str| line.trim().bytes().all(|byte| byte.is_ascii_digit());
    let strange = output.lines().find(|line| !is_count(line) && finding(line).is_none());
    Output {
        findings: output.lines().filter_map(finding).collect(),
        strange: strange.map(|line| text::first_line(line, 80)),
    }
}

fn finding(line: &str) -> Option<Annotation> {
    let (path, rest) = line.split_once(':')?;
    let (line_number, rest) = rest.split_once(':')?;
    let (_column, rest) = rest.split_once(": ")?;
    let rest = text::first_line(rest, 500);
    let (code, message) = rest.split_once(' ').unwrap_or((&rest, ""));
    Some(Annotation {
        path: place::in_repository(path).unwrap_or_else(|| text::first_line(path, 200)),
        line: line_number.parse::<u32>().ok()?.max(1),
        level: AnnotationLevel::Failure,
        title: format!("flake8 {code}"),
        message: message.to_owned(),
    })
}
