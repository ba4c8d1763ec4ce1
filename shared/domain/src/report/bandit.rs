//! bandit's JSON report.

use serde::Deserialize;

use super::{Annotation, AnnotationLevel, place};
use crate::text;

/// What bandit found.
pub(super) struct Findings {
    /// Of medium severity and above, and those whose severity bandit does not say.
    pub counted: Vec<Annotation>,
    /// Of low severity: neither listed nor judged.
    pub low: u32,
    /// Why files were not looked at, a sentence each.
    pub unread: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    errors: Vec<Unread>,
    results: Vec<Finding>,
}

#[derive(Deserialize)]
struct Unread {
    filename: String,
    reason: String,
}

#[derive(Deserialize)]
struct Finding {
    filename: String,
    line_number: u32,
    issue_severity: String,
    issue_text: String,
    test_id: String,
}

/// Reads the report.
pub(super) fn read(json: &[u8]) -> Result<Findings, String> {
    let report: Report = super::object(json)?;
    let (low, counted): (Vec<Finding>, Vec<Finding>) =
        report.results.into_iter().partition(|finding| finding.issue_severity == "LOW");
    Ok(Findings {
        counted: counted.iter().map(annotation).collect(),
        low: u32::try_from(low.len()).unwrap_or(u32::MAX),
        unread: report.errors.iter().map(unread).collect(),
    })
}

fn annotation(finding: &Finding) -> Annotation {
    let severity = finding.issue_severity.to_lowercase();
    Annotation {
        path: place::in_repository(&finding.filename)
            .unwrap_or_else(|| text::first_line(&finding.filename, 200)),
        line: finding.line_number.max(1),
        level: AnnotationLevel::Failure,
        title: text::first_line(&format!("bandit {} ({severity})", finding.test_id), 200),
        message: text::first_line(&finding.issue_text, 500),
    }
}

fn unread(unread: &Unread) -> String {
    let file = text::first_line(&unread.filename, 200);
    format!("bandit could not read `{file}`: {}", text::first_line(&unread.reason, 200))
}
