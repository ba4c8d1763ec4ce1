//! bandit's JSON report.

use serde::Deserialize;

use super::findings::Findings;
use super::{Annotation, AnnotationLevel, place, stream};
use crate::spec::Severity;
use crate::text;

/// The most files named that bandit could not read.
const MOST_UNREAD: usize = 5;

/// What bandit found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of the severity that counts and above, and those whose severity bandit does not say.
    pub counted: Findings,
    /// Of lower severity: neither listed nor judged.
    pub below: u32,
    /// Why files were not looked at, a sentence each.
    pub unread: Vec<String>,
}

/// Both lists must be there; null is none.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "errors")]
    _errors: stream::AnyList,
    #[serde(rename = "results")]
    _results: stream::AnyList,
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
pub(super) fn read(json: &[u8], least: Severity) -> Result<Found, String> {
    stream::object::<Report>(json)?;
    let mut found = Found::default();
    stream::each(json, "results", |finding: Finding| {
        if severity(&finding.issue_severity).is_some_and(|severity| severity < least) {
            found.below = found.below.saturating_add(1);
        } else {
            found.counted.add(AnnotationLevel::Failure, || annotation(&finding));
        }
    })?;
    let mut more = 0_u32;
    stream::each(json, "errors", |unread: Unread| {
        if found.unread.len() < MOST_UNREAD {
            found.unread.push(told(&unread));
        } else {
            more = more.saturating_add(1);
        }
    })?;
    if more > 0 {
        found.unread.push(format!("bandit could not read {more} more files"));
    }
    Ok(found)
}

/// None where bandit does not say.
fn severity(word: &str) -> Option<Severity> {
    match word {
        "LOW" => Some(Severity::Low),
        "MEDIUM" => Some(Severity::Medium),
        "HIGH" => Some(Severity::High),
        _ => None,
    }
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

fn told(unread: &Unread) -> String {
    let file = text::first_line(&unread.filename, 200);
    format!("bandit could not read `{file}`: {}", text::first_line(&unread.reason, 200))
}
