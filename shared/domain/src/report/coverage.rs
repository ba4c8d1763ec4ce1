//! The JSON report of coverage.py (`coverage json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Annotation, AnnotationLevel, place};

/// The files with the most lines left out that are pointed at when there is too little coverage.
const MOST_GAPS: usize = 10;

/// What was measured.
pub(super) struct Measured {
    /// Line coverage, 0 to 100.
    pub percent: f64,
    /// The files with the most lines not run, the worst first.
    pub gaps: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Report {
    totals: Totals,
    #[serde(default)]
    files: BTreeMap<String, File>,
}

#[derive(Deserialize)]
struct Totals {
    covered_lines: u32,
    num_statements: u32,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    missing_lines: Vec<u32>,
}

/// Reads the report. `percent_covered` is not taken, since it mixes in branches where these are measured.
pub(super) fn read(json: &[u8]) -> Result<Measured, String> {
    let report: Report = super::object(json)?;
    let Totals { covered_lines, num_statements } = report.totals;
    if num_statements == 0 {
        return Err("it measured no line; look at what `--cov` names".to_owned());
    }
    if covered_lines > num_statements {
        return Err(format!("it has {covered_lines} covered lines of {num_statements}"));
    }
    let mut files: Vec<(String, File)> = report.files.into_iter().collect();
    files.sort_by_key(|(_, file)| std::cmp::Reverse(file.missing_lines.len()));
    Ok(Measured {
        percent: f64::from(covered_lines) * 100.0 / f64::from(num_statements),
        gaps: files.iter().filter_map(|(path, file)| gap(path, file)).take(MOST_GAPS).collect(),
    })
}

/// With one digit, rounded down: 79.96 % is not shown as the 80 % that it misses.
pub(super) fn shown(percent: f64) -> String {
    format!("{:.1}", (percent * 10.0).floor() / 10.0)
}

fn gap(path: &str, file: &File) -> Option<Annotation> {
    let first = file.missing_lines.first()?;
    let count = file.missing_lines.len();
    let (noun, verb) = if count == 1 { ("line", "is") } else { ("lines", "are") };
    Some(Annotation {
        path: place::in_repository(path)?,
        line: (*first).max(1),
        level: AnnotationLevel::Notice,
        title: "coverage".to_owned(),
        message: format!("{count} {noun} of this file {verb} not run by the tests; this is the first"),
    })
}
