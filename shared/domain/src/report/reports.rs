//! The reports that a task names beside pytest's own, flake8's and bandit's.

use super::coverage::{self, Measured, Sought};
use super::findings::Findings;
use super::junit::{self, Tests};
use super::named::{self, Kind};
use super::verdict::{Verdict, counted};
use super::{Policy, bandit, sarif};
use crate::spec::Severity;
use crate::text;

/// What they say together.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The tests of those that could be read.
    pub tests: Option<Tests>,
    /// Whether one of them is about tests, readable or not.
    pub has_tests: bool,
    /// The coverage of those that could be read.
    pub coverage: Measured,
    /// Whether one of them is about coverage, readable or not.
    pub has_coverage: bool,
    /// Findings that count.
    pub counted: u32,
    /// Findings of lower severity.
    pub below: u32,
    /// What is wrong with them or what they find; told after what the command's own results say.
    reasons: Vec<String>,
    findings: Findings,
    bandit: Option<u32>,
    sarif: Option<u32>,
}

/// Reads them all. One that is missing or that nobody can read is a failure with its own words.
pub(super) fn read(verdict: &mut Verdict<'_>, sought: &Sought<'_>) -> Reports {
    let mut reports = Reports::default();
    let policy = verdict.policy;
    for (index, path) in policy.reports.iter().enumerate() {
        let shown = text::first_line(path.as_str(), 255);
        let Some(bytes) = verdict.files.get(&Policy::entry(index, path)) else {
            reports.reasons.push(format!(
                "the command left no `{shown}`; `reports` names it: write it there, or take it from the list"
            ));
            continue;
        };
        let taken = verdict.bounded(&shown, bytes).and_then(|bytes| {
            reports
                .take(bytes, &shown, policy.severity, sought)
                .map_err(|problem| format!("`{shown}` cannot be read: {problem}"))
        });
        if let Err(problem) = taken {
            reports.reasons.push(problem);
        }
    }
    reports
}

impl Reports {
    fn take(
        &mut self,
        bytes: &[u8],
        shown: &str,
        least: Severity,
        sought: &Sought<'_>,
    ) -> Result<(), String> {
        let text = || String::from_utf8_lossy(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes));
        match named::recognise(bytes)? {
            Kind::JUnit => {
                self.has_tests = true;
                self.tests.get_or_insert_default().add(junit::read(&text())?);
            }
            Kind::Cobertura => {
                self.has_coverage = true;
                self.coverage.add(coverage::read_cobertura(&text(), sought)?);
            }
            Kind::CoverageJson => {
                self.has_coverage = true;
                self.coverage.add(coverage::read_json(bytes, sought)?);
            }
            Kind::Bandit => {
                let found = bandit::read(bytes, least)?;
                let count = found.counted.count();
                self.bandit = Some(self.bandit.unwrap_or(0).saturating_add(count));
                self.note(shown, count, found.below, least);
                self.reasons.extend(found.unread);
                self.findings.append(found.counted);
            }
            Kind::Sarif => {
                let found = sarif::read(bytes, least)?;
                self.sarif = Some(self.sarif.unwrap_or(0).saturating_add(found.count));
                self.note(shown, found.count, found.below, least);
                let other = found.without_place.into_iter().chain(found.incomplete);
                self.reasons.extend(other.map(|sentence| format!("`{shown}`: {sentence}")));
                self.findings.append(found.counted);
            }
        }
        Ok(())
    }

    fn note(&mut self, shown: &str, count: u32, below: u32, least: Severity) {
        self.counted = self.counted.saturating_add(count);
        self.below = self.below.saturating_add(below);
        if count > 0 {
            self.reasons.push(format!("`{shown}` shows {}", problems(count, least)));
        }
    }

    /// Tells what is left to tell.
    pub(super) fn end(self, verdict: &mut Verdict<'_>) {
        verdict.report.sarif = self.sarif;
        if let Some(count) = self.bandit {
            let known = verdict.report.bandit.unwrap_or(0);
            verdict.report.bandit = Some(known.saturating_add(count));
        }
        verdict.findings.append(self.findings);
        self.reasons.into_iter().for_each(|reason| verdict.fail(reason));
    }
}

/// Takes what bandit found where Slipway ran it, and says how much it found of any severity.
pub(super) fn take_bandit(verdict: &mut Verdict<'_>, found_by: &str, found: bandit::Found) -> u32 {
    let count = found.counted.count();
    verdict.report.bandit = Some(count);
    if count > 0 {
        verdict.fail(format!("{found_by} {}", problems(count, verdict.policy.severity)));
    }
    for problem in found.unread {
        verdict.fail(problem);
    }
    verdict.findings.append(found.counted);
    count.saturating_add(found.below)
}

fn problems(count: u32, least: Severity) -> String {
    let problems = counted(count, "problem");
    match least {
        Severity::Low => problems,
        Severity::Medium => format!("{problems} of medium or high severity"),
        Severity::High => format!("{problems} of high severity"),
    }
}
