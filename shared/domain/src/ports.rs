//! What the core needs of the world, one small trait for each capability.
//!
//! Adapters implement them over AWS, GitHub and Kubernetes; `testkit` holds stateful fakes. No SDK type and no
//! transport appears here.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use crate::ids::{AttemptId, DeliveryId, Digest, EnvironmentName, RepositoryName, RunId, ServiceName, Sha, Stage, TaskId};
use crate::message::Outgoing;
use crate::run::Run;
use crate::task::{ObjectName, PinnedImage, Task};
use crate::time::Timestamp;

/// A port call that did not succeed, with what the caller may do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// Retry or not.
    pub advice: Advice,
    /// What was tried, for people: lower case, no full stop, no secret.
    pub what: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller may do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try again, after the given time where the other side said one.
    Retry(Option<Duration>),
    /// The same call will be refused again.
    Reject,
}

impl Fault {
    /// A fault that may pass.
    pub fn retry(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { advice: Advice::Retry(None), what: what.into(), source: Some(source.into()) }
    }

    /// A fault that will not pass.
    pub fn reject(what: impl Into<String>) -> Self {
        Self { advice: Advice::Reject, what: what.into(), source: None }
    }

    /// The fault and its causes in one line.
    pub fn chain(&self) -> String {
        let mut line = self.what.clone();
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

/// The answer of a port.
pub type Answer<T> = Result<T, Fault>;

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It is there.
    Yes,
    /// Somebody else wrote first; read again.
    Conflict,
}

/// Runs and their tasks. Every write is conditional on the version before the one given.
pub trait Runs: Send + Sync {
    /// The head.
    fn run(&self, id: &RunId) -> impl Future<Output = Answer<Option<Run>>> + Send;
    /// Writes a head that must not exist yet (version 1).
    fn create_run(&self, run: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// Writes the next version of a head.
    fn write_run(&self, run: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// One task.
    fn task(&self, run: &RunId, id: &TaskId) -> impl Future<Output = Answer<Option<Task>>> + Send;
    /// Every task of a run, or those of one stage, in the order of their ids.
    fn tasks(&self, run: &RunId, stage: Option<Stage>) -> impl Future<Output = Answer<Vec<Task>>> + Send;
    /// Writes those of the tasks that are absent; leaves the others as they are.
    fn create_tasks(&self, tasks: &[Task]) -> impl Future<Output = Answer<()>> + Send;
    /// Writes the next version of a task.
    fn write_task(&self, task: &Task) -> impl Future<Output = Answer<Written>> + Send;
    /// Writes the next versions of a task and its head, both or neither.
    fn write_both(&self, task: &Task, head: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// Runs whose due time lies before `now`, the longest due first, at most `limit`.
    fn due(&self, now: Timestamp, limit: u32) -> impl Future<Output = Answer<Vec<RunId>>> + Send;
}

/// A webhook delivery as recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Delivery {
    /// GitHub's id, the same again on redelivery.
    pub id: DeliveryId,
    /// The event's name.
    pub event: String,
    /// SHA-256 of the body, hexadecimal.
    pub body: String,
    /// When it came first.
    pub received: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Recorded, not yet sent to plan.
    Received,
    /// Sent to plan.
    Enqueued,
    /// Nothing to do, and why.
    Ignored(String),
    /// plan has made a run of it.
    Planned(RunId),
}

/// Webhook deliveries.
pub trait Deliveries: Send + Sync {
    /// Records a delivery if it is new; answers what is recorded now.
    fn record(&self, delivery: &Delivery) -> impl Future<Output = Answer<Delivery>> + Send;
    /// Notes what became of it.
    fn note(&self, id: &DeliveryId, state: &DeliveryState) -> impl Future<Output = Answer<()>> + Send;
}

/// A number drawn in an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fence {
    /// It only grows.
    pub number: u64,
    /// The commit that drew it.
    pub sha: Sha,
    /// The run that drew it.
    pub run: RunId,
}

/// How an attempt at the lock ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locking {
    /// It is this run's.
    Held,
    /// Another rollout has it.
    HeldBy(RunId),
    /// A higher number has taken the lock before: this run is out of date.
    Overtaken {
        /// The highest number that has taken it.
        by: u64,
    },
}

/// What a service runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Release {
    /// The service or component.
    pub service: ServiceName,
    /// The run that made it.
    pub run: RunId,
    /// The run's number there.
    pub fence: u64,
    /// The image; a component has none.
    pub image: Option<PinnedImage>,
    /// SHA-256 of the rendered manifests.
    pub manifests: String,
    /// What was applied.
    pub objects: Vec<ObjectName>,
    /// When.
    pub at: Timestamp,
}

/// Lock, fence and releases of an environment.
pub trait Environments: Send + Sync {
    /// The last number drawn.
    fn fence(&self, repository: &RepositoryName, environment: &EnvironmentName) -> impl Future<Output = Answer<Option<Fence>>> + Send;
    /// Draws `fence.number`, on condition that the number before it is the last one drawn.
    fn draw(&self, repository: &RepositoryName, environment: &EnvironmentName, fence: &Fence) -> impl Future<Output = Answer<Written>> + Send;
    /// Takes the lock for a run under its number, or says who has it. Its own lock is taken again without harm.
    fn lock(&self, repository: &RepositoryName, environment: &EnvironmentName, run: &RunId, fence: u64) -> impl Future<Output = Answer<Locking>> + Send;
    /// Frees the lock if the run holds it.
    fn unlock(&self, repository: &RepositoryName, environment: &EnvironmentName, run: &RunId) -> impl Future<Output = Answer<()>> + Send;
    /// Records what a service runs from now on; a lower number never replaces a higher one.
    fn set_current(&self, environment: &EnvironmentName, release: &Release) -> impl Future<Output = Answer<()>> + Send;
    /// Records the current release as the last verified one, under the same rule.
    fn set_verified(&self, environment: &EnvironmentName, release: &Release) -> impl Future<Output = Answer<()>> + Send;
    /// (current, last verified) release of a service.
    fn releases(&self, repository: &RepositoryName, environment: &EnvironmentName, service: &ServiceName) -> impl Future<Output = Answer<(Option<Release>, Option<Release>)>> + Send;
}

/// What notify has said of a run, so that it says nothing twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// Grows by one with every write.
    pub version: u64,
    /// For each thing said (a check run's name, `slack`, `mail`): where it lies and the hash of what was said.
    pub said: BTreeMap<String, Said>,
    /// Who is at work, and until when nobody else should be.
    pub lease: Option<(String, Timestamp)>,
}

/// A thing said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// The channel's own name for it (a check run's id, a Slack timestamp); empty while only intended.
    pub place: String,
    /// SHA-256 of the content, hexadecimal.
    pub content: String,
}

/// notify's own book.
pub trait NoticeBook: Send + Sync {
    /// What has been said of a run.
    fn told(&self, run: &RunId) -> impl Future<Output = Answer<Told>> + Send;
    /// Writes the next version of it.
    fn write_told(&self, run: &RunId, told: &Told) -> impl Future<Output = Answer<Written>> + Send;
}

/// Sends messages to Slipway's queues.
pub trait Queue: Send + Sync {
    /// Sends all of them, each to its queue; repeats what a batch left out.
    fn send(&self, messages: &[Outgoing]) -> impl Future<Output = Answer<()>> + Send;
}

/// Gives a received message back to its queue for a shorter or longer time than the queue's own.
pub trait Redelivery: Send + Sync {
    /// Makes the message visible again after `delay` (at most 12 hours).
    fn delay(&self, receipt: &str, delay: Duration) -> impl Future<Output = Answer<()>> + Send;
}

/// Objects in the bucket.
pub trait Artifacts: Send + Sync {
    /// The whole object, or none where there is none; refuses more than `most` bytes.
    fn get(&self, key: &str, most: u64) -> impl Future<Output = Answer<Option<Vec<u8>>>> + Send;
    /// Writes a small object.
    fn put(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Answer<()>> + Send;
    /// Writes a file.
    fn put_file(&self, key: &str, file: &Path) -> impl Future<Output = Answer<()>> + Send;
    /// Reads an object into a file; false where there is none.
    fn get_file(&self, key: &str, file: &Path, most: u64) -> impl Future<Output = Answer<bool>> + Send;
    /// Whether the object is there.
    fn exists(&self, key: &str) -> impl Future<Output = Answer<bool>> + Send;
    /// `bucket/key`, as CodeBuild names a place.
    fn place(&self, key: &str) -> String;
}

/// A build to start. Everything in it is a pure function of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The attempt that wants it; also its idempotency token.
    pub attempt: AttemptId,
    /// `bucket/key` of the source zip.
    pub source: String,
    /// The buildspec's text.
    pub buildspec: &'static str,
    /// Plain variables; no secrets.
    pub variables: BTreeMap<String, String>,
    /// The key prefix under which `result.zip` is to lie.
    pub result: String,
}

/// How a start ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildStart {
    /// The build's id.
    Started(String),
    /// The account's limit of concurrent builds is reached; wait, it is no failure.
    Busy,
}

/// How a build fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildStatus {
    /// Its state.
    pub state: BuildState,
    /// Where its log can be read.
    pub log: Option<String>,
    /// What the machinery says about a bad end: phase and message.
    pub reason: Option<String>,
}

/// CodeBuild's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildState {
    /// Not ended.
    InProgress,
    /// Ended well.
    Succeeded,
    /// A command failed.
    Failed,
    /// The machinery failed.
    Fault,
    /// It took too long.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
}

/// Builds of one project.
pub trait Builds: Send + Sync {
    /// Starts the build, or answers with the one that the same attempt started less than five minutes ago.
    fn start(&self, request: &BuildRequest) -> impl Future<Output = Answer<BuildStart>> + Send;
    /// Looks for a build of the attempt; keeps the oldest and stops the surplus.
    fn find(&self, attempt: &AttemptId) -> impl Future<Output = Answer<Option<String>>> + Send;
    /// How it fares; none where it is unknown.
    fn status(&self, id: &str) -> impl Future<Output = Answer<Option<BuildStatus>>> + Send;
    /// Stops it, if it still runs.
    fn stop(&self, id: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// The registry.
pub trait Images: Send + Sync {
    /// Makes sure that the repository exists; answers its address.
    fn ensure_repository(&self, name: &str) -> impl Future<Output = Answer<String>> + Send;
    /// The digest that a tag names.
    fn digest(&self, repository: &str, tag: &str) -> impl Future<Output = Answer<Option<Digest>>> + Send;
    /// Whether the registry holds the digest.
    fn holds(&self, repository: &str, digest: &Digest) -> impl Future<Output = Answer<bool>> + Send;
    /// Gives the digest one more tag; a tag that names it already is success.
    fn tag(&self, repository: &str, digest: &Digest, tag: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// How two commits stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The second contains the first.
    Ahead,
    /// The first contains the second.
    Behind,
    /// The same commit.
    Identical,
    /// Neither contains the other.
    Diverged,
}

/// What plan asks of GitHub.
pub trait Source: Send + Sync {
    /// Writes GitHub's zip of the commit into a file; refuses more than `most` bytes.
    fn download(&self, repository: &RepositoryName, installation: u64, sha: &Sha, file: &Path, most: u64) -> impl Future<Output = Answer<()>> + Send;
    /// How `head` stands to `base`.
    fn compare(&self, repository: &RepositoryName, installation: u64, base: &Sha, head: &Sha) -> impl Future<Output = Answer<Comparison>> + Send;
    /// The branch's newest commit; none where there is no such branch.
    fn branch_tip(&self, repository: &RepositoryName, installation: u64, branch: &str) -> impl Future<Output = Answer<Option<Sha>>> + Send;
}

/// A check run to be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// Its name, the key on the commit.
    pub name: String,
    /// Its state.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Markdown; may be empty.
    pub text: String,
    /// Findings on lines.
    pub annotations: Vec<crate::report::Annotation>,
}

/// GitHub's states and conclusions, as far as Slipway uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Waiting.
    Queued,
    /// At work.
    InProgress,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// A person must act.
    ActionRequired,
    /// Overtaken.
    Cancelled,
}

/// What notify asks of GitHub.
pub trait Checks: Send + Sync {
    /// Shows the check: finds the commit's check run of that name (by `known` id where given) and updates it, or creates it. Answers its id.
    fn show(&self, run: &RunId, installation: u64, check: &Check, known: Option<&str>) -> impl Future<Output = Answer<String>> + Send;
}

/// Slack.
pub trait Chat: Send + Sync {
    /// Posts a message, into a thread where one is given; answers its timestamp.
    fn post(&self, channel: &str, thread: Option<&str>, text: &str) -> impl Future<Output = Answer<String>> + Send;
    /// Replaces a message.
    fn update(&self, channel: &str, timestamp: &str, text: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mail {
    /// Who gets it.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// E-mail.
pub trait Post: Send + Sync {
    /// Sends it.
    fn send(&self, mail: &Mail) -> impl Future<Output = Answer<()>> + Send;
}

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// Everything is applied.
    Done,
    /// The API server refuses an object; the sentence names it and the field.
    Refused(String),
}

/// How a workload's rollout fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// The new generation serves.
    Complete,
    /// It goes on; one line tells how far.
    Progressing(String),
    /// It will not heal: the evidence, one line each.
    Hopeless(Vec<String>),
}

/// How a probe was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body, at most 1 KiB.
    pub body: String,
}

/// The cluster.
pub trait Cluster: Send + Sync {
    /// Applies the objects (JSON of Kubernetes objects with their namespace set) in an order that works, server-side, as field manager `slipway`.
    fn apply(&self, objects: &[serde_json::Value]) -> impl Future<Output = Answer<Application>> + Send;
    /// Waits up to `patience` for the workload's newest generation and says how it fares.
    fn rollout(&self, workload: &ObjectName, patience: Duration) -> impl Future<Output = Answer<Rollout>> + Send;
    /// A GET through the API server's service proxy.
    fn probe(&self, namespace: &str, service: &str, port: u16, path: &str) -> impl Future<Output = Answer<ProbeAnswer>> + Send;
}

/// Secrets by name.
pub trait Secrets: Send + Sync {
    /// The secret's current text.
    fn secret(&self, id: &str) -> impl Future<Output = Answer<Secret>> + Send;
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
