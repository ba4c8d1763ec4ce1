//! The end of a log, fit to be shown.

use crate::text;

const LINES_KEPT: usize = 40;
const LONGEST_LINE: usize = 500;
const BYTES_LOOKED_AT: usize = 64 * 1024;

/// The last lines, without escapes and without what a progress bar wrote over.
pub(super) fn tail(log: &[u8]) -> Vec<String> {
    let start = log.len().saturating_sub(BYTES_LOOKED_AT);
    let end_of_log = String::from_utf8_lossy(&log[start..]);
    let lines: Vec<&str> = end_of_log.trim_end().split('\n').collect();
    let kept = &lines[lines.len().saturating_sub(LINES_KEPT)..];
    let shown = kept.iter().map(|line| {
        let last_written = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        text::cut(text::clean(last_written).trim_end(), LONGEST_LINE)
    });
    let shown: Vec<String> = shown.collect();
    if shown.iter().all(String::is_empty) { Vec::new() } else { shown }
}
