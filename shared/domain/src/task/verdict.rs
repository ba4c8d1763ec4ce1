//! How a task ended, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ObjectName;
use crate::ids::{Digest, ServiceName};
use crate::ports::Release;
use crate::report::TestReport;
use crate::spec::OnFailure;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Passed or not.
    pub outcome: Outcome,
    /// One sentence for people.
    pub summary: String,
    /// What the stage made or found.
    pub output: Output,
    /// The release that the service goes back to, because this one is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<Box<Release>>,
}

impl Verdict {
    /// A verdict that lets the chain go on.
    pub fn passed(summary: impl Into<String>, output: Output) -> Self {
        Self { outcome: Outcome::Passed, summary: summary.into(), output, roll_back: None }
    }

    /// A verdict that ends the chain.
    pub fn failed(summary: impl Into<String>, output: Output) -> Self {
        Self { outcome: Outcome::Failed, summary: summary.into(), output, roll_back: None }
    }

    /// The verdict of a newer release having been there first.
    pub fn superseded(summary: impl Into<String>) -> Self {
        Self { outcome: Outcome::Superseded, summary: summary.into(), output: Output::None, roll_back: None }
    }

    /// The verdict of a run that was cancelled.
    pub fn cancelled(summary: impl Into<String>) -> Self {
        Self { outcome: Outcome::Cancelled, summary: summary.into(), output: Output::None, roll_back: None }
    }

    /// The same verdict with the release to go back to, where there is one.
    #[must_use]
    pub fn rolling_back(self, to: Option<Release>) -> Self {
        Self { roll_back: to.map(Box::new), ..self }
    }

    /// A bad release's verdict: with the release to go back to, or held where that is asked for.
    #[must_use]
    pub fn falling_back(self, on_failure: OnFailure, to: Option<Release>) -> Self {
        match on_failure {
            OnFailure::RollBack => self.rolling_back(to),
            OnFailure::Hold => Self { summary: format!("{}; held as it is", self.summary), ..self },
        }
    }
}

/// Passed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The chain goes on.
    Passed,
    /// The chain ends.
    Failed,
    /// A newer release was there first; the chain ends.
    Superseded,
    /// The run was cancelled; the chain ends.
    Cancelled,
}

/// What a stage made or found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Nothing to keep.
    #[default]
    None,
    /// test: the judged report.
    Report {
        /// The report.
        report: TestReport,
        /// Where the whole log can be read.
        log: Option<String>,
    },
    /// build, publish: the image.
    Image {
        /// Where and which.
        image: PinnedImage,
        /// Where the whole log can be read.
        log: Option<String>,
    },
    /// build: no image came of it.
    Log {
        /// The last lines.
        tail: Vec<String>,
        /// Where the whole log can be read.
        log: Option<String>,
    },
    /// build: the rendered manifests of each service, by the SHA-256 in hexadecimal under which they lie in the bucket.
    Manifests {
        /// The hashes by service.
        rendered: BTreeMap<ServiceName, String>,
        /// Where the whole log can be read.
        log: Option<String>,
    },
    /// deploy: what was applied.
    Release(Applied),
    /// verify: what was seen, one line each.
    Evidence(Vec<String>),
}

/// An image that cannot change any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedImage {
    /// The repository's address: `<registry>/<name>`.
    pub repository: String,
    /// The manifest's digest.
    pub digest: Digest,
}

impl std::fmt::Display for PinnedImage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}@{}", self.repository, self.digest)
    }
}

/// What deploy applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// SHA-256 of the rendered manifests, hexadecimal; they lie in S3 under it.
    pub manifests: String,
    /// The objects, in the order of their application.
    pub objects: Vec<ObjectName>,
    /// The Jobs that run once all of them serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Value>,
}
