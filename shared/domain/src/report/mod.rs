//! What a test build left behind, read as data, and the verdict by policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod bandit;
mod bounds;
mod coverage;
mod exit;
mod findings;
mod flake8;
mod judge;
mod junit;
mod log;
mod named;
mod new_lines;
mod place;
mod policy;
mod reports;
mod sarif;
mod stream;
mod verdict;
mod xml;

pub use judge::judge;
pub use new_lines::NewLines;
pub use policy::Policy;

/// The most annotations kept of a report; the rest is counted (GitHub takes 50 in one request:
/// <https://docs.github.com/en/rest/checks/runs>).
pub const MOST_ANNOTATIONS: usize = 50;

/// The judged report of one test task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Whether the policy is met.
    pub passed: bool,
    /// Why not, one sentence each; empty when passed.
    pub reasons: Vec<String>,
    /// Tests by result, where tests ran.
    pub tests: Option<TestCounts>,
    /// Line coverage in percent, where it was measured.
    pub coverage: Option<f64>,
    /// The least coverage demanded, in percent.
    pub coverage_demanded: Option<u8>,
    /// Line coverage of the base, in percent, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage_base: Option<f64>,
    /// Of the lines that the change adds and that can be run: (run, not run).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_lines: Option<(u32, u32)>,
    /// Tests that passed only on a retry, at most 20 names; the rest is counted in [`TestCounts::flaky`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<String>,
    /// flake8 findings, where it ran.
    pub flake8: Option<u32>,
    /// bandit findings at or above the severity that counts, where it ran.
    pub bandit: Option<u32>,
    /// Findings of SARIF reports at or above the severity that counts, where there are such reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sarif: Option<u32>,
    /// Findings on lines of the repository, at most [`MOST_ANNOTATIONS`].
    pub annotations: Vec<Annotation>,
    /// Findings beyond the annotations kept.
    pub annotations_omitted: u32,
    /// The last lines of the log, kept when the verdict is red.
    pub log_tail: Vec<String>,
}

/// Tests by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// Passed.
    pub passed: u32,
    /// Failed or broken.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
    /// Of the passed ones, those that passed only on a retry.
    #[serde(default)]
    pub flaky: u32,
}

/// A finding on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file, relative to the repository's root.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// How bad it is.
    pub level: AnnotationLevel,
    /// One line: the test or the rule.
    pub title: String,
    /// What is wrong.
    pub message: String,
}

/// GitHub's annotation levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// Worth knowing.
    Notice,
    /// Does not fail the check by itself.
    Warning,
    /// Fails the check.
    Failure,
}

/// The entries of a build's `result.zip` by name: `junit.xml`, `coverage.json`, `flake8.txt`, `bandit.json`,
/// `exit-code`, `flake8-exit-code`, `bandit-exit-code`, `command-exit-code`, `log.txt`, and `reports/<n>-<file name>`
/// for each report that the task names, from 1 in the order of its list.
pub type ResultFiles = BTreeMap<String, Vec<u8>>;

/// What is known beside the build's own files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Line coverage of the base, in percent, where it is known.
    pub base_coverage: Option<f64>,
    /// The lines that the change adds, where they are known.
    pub new_lines: Option<&'a NewLines>,
}

#[cfg(test)]
mod tests;
