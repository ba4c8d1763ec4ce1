//! The JSON report of coverage.py (`coverage json`).

use serde::Deserialize;

use super::{Measured, Sought, in_repository};
use crate::report::stream;

#[derive(Deserialize)]
struct Report {
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    covered_lines: u32,
    num_statements: u32,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    executed_lines: Vec<u32>,
    #[serde(default)]
    missing_lines: Vec<u32>,
}

/// Reads the report. `percent_covered` is not taken, since it mixes in branches where these are measured.
pub(in crate::report) fn read(json: &[u8], sought: &Sought<'_>) -> Result<Measured, String> {
    let Report { totals: Totals { covered_lines, num_statements } } = stream::object(json)?;
    if num_statements == 0 {
        return Err("it measured no line; look at what `--cov` names".to_owned());
    }
    if covered_lines > num_statements {
        return Err(format!("it has {covered_lines} covered lines of {num_statements}"));
    }
    let mut measured =
        Measured { covered: covered_lines.into(), lines: num_statements.into(), ..Measured::default() };
    stream::each_entry(json, "files", |path: String, file: File| {
        let path = in_repository(&path);
        let lines = |lines: &[u32], run: bool| lines.iter().map(move |line| (*line, run)).collect::<Vec<_>>();
        let of_change = sought.file(path.as_deref().into_iter());
        if of_change.is_some() {
            let known = [lines(&file.executed_lines, true), lines(&file.missing_lines, false)].concat();
            measured.note_new(of_change, known.into_iter());
        }
        measured.note_gap(path, file.missing_lines.len(), file.missing_lines.first().copied());
    })?;
    Ok(measured)
}
