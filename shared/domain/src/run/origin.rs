//! Where a run's commit came from, and why a run ends before its time.

use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, RepositoryName, Sha};
use crate::message::{Base, PlanRequest};
use crate::time::Timestamp;

/// Where a run's commit came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The webhook that began it.
    pub delivery: DeliveryId,
    /// The branch (or tag) it was pushed to.
    pub branch: String,
    /// The branch's commit before, where there was one.
    pub before: Option<Sha>,
    /// The pull request that proposes it.
    pub pull_request: Option<u64>,
    /// The repository that proposes it, when not the one served.
    pub fork: Option<RepositoryName>,
    /// The login of who did it.
    pub sender: String,
    /// The first line of the commit's message.
    pub title: String,
    /// Whether it was a tag that was pushed.
    #[serde(default)]
    pub tag: bool,
    /// Whether the push was not a fast-forward.
    #[serde(default)]
    pub forced: bool,
    /// Where the pull request is to be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Whether the pull request is a draft.
    #[serde(default)]
    pub draft: bool,
    /// The words of the commit's message that ask for no run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
}

/// The wish that a run ends before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Why, as a sentence's end: `a newer commit was pushed`.
    pub why: String,
    /// The login of who asked, or the function that acted by itself.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Origin {
    pub(super) fn of(request: &PlanRequest) -> Self {
        Self {
            delivery: request.delivery.clone(),
            branch: request.branch.clone(),
            before: request.before.clone(),
            pull_request: request.pull_request,
            fork: request.fork.clone(),
            sender: request.sender.clone(),
            title: request.title.clone(),
            tag: request.tag,
            forced: request.forced,
            base: request.base.clone(),
            draft: request.draft,
            skip: request.skip.clone(),
        }
    }
}

impl Stop {
    pub(super) fn sentence(&self) -> String {
        format!("Cancelled by {}: {}. What had not ended was stopped.", self.by, self.why)
    }
}
