//! flake8's default output: `path:line:column: CODE message`.

use super::findings::Findings;
use super::{Annotation, AnnotationLevel, place};
use crate::text;

/// flake8's output, taken apart.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Every finding.
    pub findings: Findings,
    /// The first line of another form; `--count` and `--show-source` print such lines beside findings.
    pub strange: Option<String>,
}

/// Reads the output.
pub(super) fn read(output: &str) -> Output {
    let is_count = |line: &str| line.trim().bytes().all(|byte| byte.is_ascii_digit());
    let mut read = Output::default();
    for line in output.lines() {
        match finding(line) {
            Some(annotation) => read.findings.push(annotation),
            None if is_count(line) || read.strange.is_some() => {}
            None => read.strange = Some(text::first_line(line, 80)),
        }
    }
    read
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
        title: text::cut(&format!("flake8 {code}"), 200),
        message: message.to_owned(),
    })
}
