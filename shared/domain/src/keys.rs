//! Where things lie in the bucket.

use crate::ids::{AttemptId, RunId};

/// GitHub's zip of a run's commit, as it came: one top-level folder.
pub fn source(run: &RunId) -> String {
    format!("sources/{}/{}.zip", run.repository, run.sha)
}

/// The folder under which a build's `result.zip` lies.
pub fn result_folder(attempt: &AttemptId) -> String {
    format!("results/{}/{}/{}", attempt.run, attempt.task, attempt.attempt)
}

/// A build's `result.zip`.
pub fn result(attempt: &AttemptId) -> String {
    format!("{}/result.zip", result_folder(attempt))
}

/// Rendered manifests by their SHA-256 in hexadecimal.
pub fn manifests(hash: &str) -> String {
    format!("manifests/{hash}.json")
}
