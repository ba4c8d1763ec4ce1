//! A report's size: it is stored in one item together with its task, and DynamoDB takes 400 KB an item.

use super::TestReport;
use crate::text;

/// The most bytes of a report's JSON.
pub(super) const MOST_BYTES: usize = 200_000;

/// The most reasons kept; the rest is counted.
const MOST_REASONS: usize = 40;

/// To how many characters messages and lines are cut when there are too many bytes.
const SHORT: usize = 160;

/// Cuts the report until it fits: first messages and lines, then whole annotations, which are counted. At most 50
/// annotations, 40 lines, 40 reasons and 20 names, each cut to a length, come in; so this ends.
pub(super) fn fit(report: &mut TestReport) {
    let surplus = report.reasons.len().saturating_sub(MOST_REASONS);
    report.reasons.truncate(MOST_REASONS);
    for reason in &mut report.reasons {
        *reason = text::first_line(reason, 500);
    }
    if surplus > 0 {
        report.reasons.push(format!("{surplus} more reasons are left out"));
    }
    if size(report) <= MOST_BYTES {
        return;
    }
    for annotation in &mut report.annotations {
        annotation.message = text::cut(&annotation.message, SHORT);
    }
    for line in &mut report.log_tail {
        *line = text::cut(line, SHORT);
    }
    while size(report) > MOST_BYTES && report.annotations.pop().is_some() {
        report.annotations_omitted = report.annotations_omitted.saturating_add(1);
    }
}

fn size(report: &TestReport) -> usize {
    serde_json::to_vec(report).map_or(usize::MAX, |json| json.len())
}
