//! What a test build left behind, read as data, and the verdict by policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod bandit;
mod coverage;
mod flake8;
mod judge;
mod junit;
mod log;
mod place;

pub use judge::judge;

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
/// `exit-code`, `flake8-exit-code`, `bandit-exit-code`, `log.txt`.
pub type ResultFiles = BTreeMap<String, Vec<u8>>;

/// What a test task ran, and with it the policy that its results are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A service's unit tests.
    Service {
        /// The least line coverage in percent; none means that it is not judged.
        coverage: Option<u8>,
    },
    /// The integration tests.
    Integration,
    /// The repository-wide checks, those that ran.
    Checks {
        /// Whether flake8 ran.
        flake8: bool,
        /// Whether bandit ran.
        bandit: bool,
    },
}

/// Reads a JSON object; serde alone would also take a list of its fields.
fn object<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
