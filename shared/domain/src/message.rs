//! What travels on the queues. A message names work; the state says what is to be done.

mod reading;
pub mod schema;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::Asked;
use crate::ids::{
    BranchName, DeliveryId, Digest, InvalidName, Line, RepositoryName, RunId, Sha, Stage, TaskId,
};
use crate::rerun::Rerun;

pub use reading::{TASK_VARIABLE, Unreadable, parse_message, parse_stage_message};

/// A message of one of Slipway's queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// plan: a commit to look at.
    Plan(PlanRequest),
    /// plan: a repository whose branch tips should be compared with those known.
    Tips {
        /// The repository.
        repository: RepositoryName,
    },
    /// plan: a person's wish from GitHub.
    Asked(Asked),
    /// plan: a branch, tag or pull request that is there no more.
    Gone(Gone),
    /// A stage's queue: a task to look at.
    Task(Wake),
    /// A stage's queue: a person wants a task to run again.
    Rerun(Rerun),
    /// A stage's queue: a stuck task to try again. It lies in the dead-letter queue until a person redrives it.
    Revive(Revive),
    /// deploy: a run whose pull request waits to hear what merging it would change in the cluster.
    Preview {
        /// The run.
        run: RunId,
    },
    /// publish: a task of verify that has passed, so that the image should be tagged.
    Verified(Verified),
    /// publish: an image whose scan by the registry has ended.
    Scanned(Scanned),
    /// notify: a run whose state should be told.
    Notify {
        /// The run.
        run: RunId,
    },
}

/// A task to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wake {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The number of the timer whose delayed message this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<u32>,
}

/// A stuck task to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revive {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The version of the stuck task; a later one is another trouble, with a message of its own.
    pub version: u64,
}

/// A task of verify that has passed. What the environment runs stands in the environment: a message that comes late,
/// twice or out of order finds the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
}

/// An image whose scan by the registry has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanned {
    /// The registry's repository.
    pub repository: String,
    /// The image.
    pub digest: Digest,
}

/// What a message on a stage's queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To look at a task.
    Wake(Wake),
    /// To look at the tasks of a build whose state has changed: one, or those that share it.
    Built(Vec<Wake>),
    /// To run a task again.
    Rerun(Rerun),
    /// To try a stuck task again.
    Revive(Revive),
    /// To say what merging a run's pull request would change.
    Preview(RunId),
    /// To tag the image of a verified release.
    Verified(Verified),
    /// To look at the tasks that wait for the scan of an image.
    Scanned(Scanned),
}

impl Ask {
    /// The tasks it names, as plain wakes.
    pub fn wakes(&self) -> Vec<Wake> {
        match self {
            Self::Wake(wake) => vec![wake.clone()],
            Self::Built(wakes) => wakes.clone(),
            Self::Preview(_) | Self::Verified(_) | Self::Scanned(_) => Vec::new(),
            Self::Rerun(Rerun { run, task, .. }) | Self::Revive(Revive { run, task, .. }) => {
                vec![Wake { run: run.clone(), task: task.clone(), timer: None }]
            }
        }
    }
}

/// A commit to look at: the few facts of the webhook that travel on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The webhook's delivery.
    pub delivery: DeliveryId,
    /// The repository whose installation sent it.
    pub repository: RepositoryName,
    /// The App installation.
    pub installation: u64,
    /// The commit.
    pub sha: Sha,
    /// The branch's commit before the push.
    pub before: Option<Sha>,
    /// The branch (or tag) pushed to, or the pull request's head branch.
    pub branch: String,
    /// Whether it is a tag.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tag: bool,
    /// Whether the push was not a fast-forward.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forced: bool,
    /// Where the commit came from when not from the repository itself.
    pub fork: Option<RepositoryName>,
    /// The pull request's number.
    pub pull_request: Option<u64>,
    /// The login of who did it.
    pub sender: String,
    /// The first line of the commit's message or the pull request's title.
    pub title: String,
    /// Where the pull request is to be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Whether the pull request is a draft.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draft: bool,
    /// The words of the commit's message that ask for no run, such as `[skip ci]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// The login of who admitted exactly this commit of a stranger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<String>,
}

/// Where a pull request is to be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The branch.
    pub branch: BranchName,
    /// Its tip when the event was sent.
    pub sha: Sha,
}

/// A branch or tag was deleted, a pull request closed, a merge queue's entry dropped: nobody waits for its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The webhook's delivery.
    pub delivery: DeliveryId,
    /// The repository whose installation sent it.
    pub repository: RepositoryName,
    /// The App installation.
    pub installation: u64,
    /// What is gone.
    pub line: Line,
    /// What became of it, for people: `the branch was deleted`.
    pub why: String,
}

impl PlanRequest {
    /// What the commit is the newest of: a stranger's pull request, a tag or a branch.
    ///
    /// # Errors
    /// When the branch's name is not one that git allows.
    pub fn line(&self) -> Result<Line, InvalidName> {
        match (&self.fork, self.pull_request) {
            (Some(_), Some(number)) => Ok(Line::Pull(number)),
            _ if self.tag => self.branch.parse().map(Line::Tag),
            _ => self.branch.parse().map(Line::Branch),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A message and when it should arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// At most 15 minutes, SQS's own limit.
    pub delay: Duration,
}

impl Outgoing {
    /// A message to arrive at once.
    pub fn now(message: Message) -> Self {
        Self { message, delay: Duration::ZERO }
    }
}

/// The queue a message belongs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// plan's.
    Plan,
    /// A stage's.
    Stage(Stage),
    /// notify's.
    Notify,
}

impl QueueName {
    /// All of them, in the order in which a run meets them.
    pub const ALL: [Self; 7] = [
        Self::Plan,
        Self::Stage(Stage::Test),
        Self::Stage(Stage::Build),
        Self::Stage(Stage::Publish),
        Self::Stage(Stage::Deploy),
        Self::Stage(Stage::Verify),
        Self::Notify,
    ];

    /// The name of the function that it wakes: in a stack, the queue is called `<stack>-<function>`.
    pub fn function(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Stage(stage) => stage.as_str(),
            Self::Notify => "notify",
        }
    }

    /// The environment variable that holds the queue's URL.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Plan => "PLAN_QUEUE_URL",
            Self::Stage(Stage::Test) => "TEST_QUEUE_URL",
            Self::Stage(Stage::Build) => "BUILD_QUEUE_URL",
            Self::Stage(Stage::Publish) => "PUBLISH_QUEUE_URL",
            Self::Stage(Stage::Deploy) => "DEPLOY_QUEUE_URL",
            Self::Stage(Stage::Verify) => "VERIFY_QUEUE_URL",
            Self::Notify => "NOTIFY_QUEUE_URL",
        }
    }
}

impl Message {
    /// A plain wake.
    pub fn wake(run: &RunId, task: &TaskId) -> Self {
        Self::Task(Wake { run: run.clone(), task: task.clone(), timer: None })
    }

    /// The queue it belongs on.
    pub fn queue(&self) -> QueueName {
        match self {
            Self::Plan(_) | Self::Tips { .. } | Self::Asked(_) | Self::Gone(_) => QueueName::Plan,
            Self::Task(wake) => QueueName::Stage(wake.task.stage),
            Self::Rerun(rerun) => QueueName::Stage(rerun.task.stage),
            Self::Revive(revive) => QueueName::Stage(revive.task.stage),
            Self::Preview { .. } => QueueName::Stage(Stage::Deploy),
            Self::Verified(_) | Self::Scanned(_) => QueueName::Stage(Stage::Publish),
            Self::Notify { .. } => QueueName::Notify,
        }
    }
}
