//! What travels on the queues. A message names work; the state says what is to be done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, DeliveryId, RepositoryName, RunId, Sha, Stage, TaskId};

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
    /// A stage's queue: a task to look at.
    Task(Wake),
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
    /// Where the commit came from when not from the repository itself.
    pub fork: Option<RepositoryName>,
    /// The pull request's number.
    pub pull_request: Option<u64>,
    /// The login of who did it.
    pub sender: String,
    /// The first line of the commit's message or the pull request's title.
    pub title: String,
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
            Self::Plan(_) | Self::Tips { .. } => QueueName::Plan,
            Self::Task(wake) => QueueName::Stage(wake.task.stage),
            Self::Notify { .. } => QueueName::Notify,
        }
    }
}

/// A stage message that cannot be understood; it goes to the dead-letter queue with this reason.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or not of a known form.
    #[error("the body is neither a stage message nor a CodeBuild event")]
    Form(#[from] serde_json::Error),
    /// A message of another queue.
    #[error("the message belongs on the {0} queue")]
    Elsewhere(&'static str),
    /// A build of another system in the same project.
    #[error("the build event carries no SLIPWAY_TASK")]
    NoTask,
    /// `SLIPWAY_TASK` is not one of ours.
    #[error("the build event's SLIPWAY_TASK is not an attempt id")]
    Task(#[from] crate::ids::InvalidName),
}

/// Reads the body of a stage queue's message: a wake, or CodeBuild's event, which is a wake too.
///
/// # Errors
/// When the body is neither, or belongs on another queue.
pub fn parse_stage_message(body: &str, stage: Stage) -> Result<Wake, Unreadable> {
    let value: serde_json::Value = serde_json::from_str(body)?;
    let wake = if value.get("detail-type").is_some() {
        let event: BuildEvent = serde_json::from_value(value)?;
        let attempt = event.attempt()?;
        Wake { run: attempt.run, task: attempt.task, timer: None }
    } else {
        match serde_json::from_value(value)? {
            Message::Task(wake) => wake,
            Message::Plan(_) | Message::Tips { .. } => return Err(Unreadable::Elsewhere("plan")),
            Message::Notify { .. } => return Err(Unreadable::Elsewhere("notify")),
        }
    };
    if wake.task.stage == stage { Ok(wake) } else { Err(Unreadable::Elsewhere(wake.task.stage.as_str())) }
}

/// The part of `CodeBuild Build State Change` that names the task
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html>).
#[derive(Deserialize)]
struct BuildEvent {
    detail: BuildDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildDetail {
    additional_information: BuildInformation,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildInformation {
    environment: BuildEnvironment,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildEnvironment {
    #[serde(default)]
    environment_variables: Vec<BuildVariable>,
}

#[derive(Deserialize)]
struct BuildVariable {
    name: String,
    value: String,
}

/// The variable by which a build names its task.
pub const TASK_VARIABLE: &str = "SLIPWAY_TASK";

impl BuildEvent {
    fn attempt(&self) -> Result<AttemptId, Unreadable> {
        let variables = &self.detail.additional_information.environment.environment_variables;
        let variable =
            variables.iter().find(|variable| variable.name == TASK_VARIABLE).ok_or(Unreadable::NoTask)?;
        Ok(variable.value.parse()?)
    }
}
