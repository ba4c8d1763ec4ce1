//! What a build needs and leaves: objects in the bucket, CodeBuild, the registry.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;

use super::Answer;
use crate::ids::{AttemptId, Digest};
use crate::scan::Scan;
use crate::spec::Compute;

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

/// A build to start. Everything in it is a pure function of the task, or of the tasks that share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The attempts that want it, at least one; its idempotency token is made of them.
    pub attempts: Vec<AttemptId>,
    /// `bucket/key` of the source zip.
    pub source: String,
    /// The buildspec's text.
    pub buildspec: &'static str,
    /// Plain variables; no secrets.
    pub variables: BTreeMap<String, String>,
    /// What it runs in.
    pub options: BuildOptions,
    /// The key prefix under which `result.zip` is to lie.
    pub result: String,
}

impl BuildRequest {
    /// What the build carries as `SLIPWAY_TASK`.
    pub fn task(&self) -> String {
        self.attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// What a build runs in; what is left out is the project's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Variables whose values CodeBuild takes from Secrets Manager: the reference by name.
    pub secrets: BTreeMap<String, String>,
    /// The container image; none takes the project's.
    pub image: Option<String>,
    /// The size of the machine; none takes the project's.
    pub compute: Option<Compute>,
    /// The most that it may take, in minutes; none takes the project's.
    pub timeout: Option<u16>,
    /// `bucket/prefix` of the cache; none means that there is none.
    pub cache: Option<String>,
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
    /// The SHA-256 of the `result.zip` that CodeBuild uploaded, in hexadecimal. Who else may write there leaves another.
    pub digest: Option<String>,
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
    /// No command ran: what the pipeline file asks for, an image or a secret, is not to be had. The reason is a
    /// sentence that says the next step.
    Refused,
    /// The machinery failed before or beside the commands; the same build may well pass when it is begun anew.
    Fault,
    /// It took too long.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
}

/// Builds of one project.
pub trait Builds: Send + Sync {
    /// Starts the build, or answers with the one that the same attempts started less than five minutes ago.
    fn start(&self, request: &BuildRequest) -> impl Future<Output = Answer<BuildStart>> + Send;
    /// Looks for a build of the attempt; keeps the oldest and stops the surplus.
    fn find(&self, attempt: &AttemptId) -> impl Future<Output = Answer<Option<String>>> + Send;
    /// How it fares; none where it is unknown.
    fn status(&self, id: &str) -> impl Future<Output = Answer<Option<BuildStatus>>> + Send;
    /// Stops it, if it still runs.
    fn stop(&self, id: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// How the tags begin that may be moved to another digest: layer caches, and what an environment runs.
pub const MOVABLE_TAGS: [&str; 2] = ["cache", "env-"];

/// The registry.
pub trait Images: Send + Sync {
    /// Makes sure that the repository exists; answers its address.
    fn ensure_repository(&self, name: &str) -> impl Future<Output = Answer<String>> + Send;
    /// The digest that a tag names.
    fn digest(&self, repository: &str, tag: &str) -> impl Future<Output = Answer<Option<Digest>>> + Send;
    /// Whether the registry holds the digest.
    fn holds(&self, repository: &str, digest: &Digest) -> impl Future<Output = Answer<bool>> + Send;
    /// How the registry's own scan of the digest stands.
    fn scan(&self, repository: &str, digest: &Digest) -> impl Future<Output = Answer<Scan>> + Send;
    /// Gives the digest one more tag; a tag that names it already is success. One that names another digest is refused,
    /// unless it begins as [`MOVABLE_TAGS`] says: then it is moved.
    fn tag(&self, repository: &str, digest: &Digest, tag: &str) -> impl Future<Output = Answer<()>> + Send;
}
