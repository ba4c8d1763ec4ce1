//! What a test build left behind, read as data, and the verdict by policy.

use serde::{Deserialize, Serialize};

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
    /// flake8 findings, where it ran.
    pub flake8: Option<u32>,
    /// bandit findings at or above the severity that counts, where it ran.
    pub bandit: Option<u32>,
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
