//! The end of what an attempt has begun.

use domain::ids::AttemptId;
use domain::ports::{Answer, Builds};

/// Stops every build of the attempt that is in progress: the one whose handle is known, and those that an intent began
/// and nobody recorded. One that has ended, or that nobody knows, is no fault.
///
/// # Errors
/// When CodeBuild does not answer.
pub async fn stop_builds(builds: &impl Builds, attempt: &AttemptId, handle: Option<&str>) -> Answer<()> {
    if let Some(handle) = handle {
        builds.stop(handle).await?;
    }
    // Finding stops all but the one that it answers with.
    match builds.find(attempt).await? {
        Some(found) if handle != Some(found.as_str()) => builds.stop(&found).await,
        _ => Ok(()),
    }
}
