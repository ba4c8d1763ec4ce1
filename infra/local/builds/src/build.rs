//! A build as CodeBuild describes it: the very members of its API, so that an answer is one serialization.

use serde::{Deserialize, Serialize};

/// What a build or one of its phases has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It runs, or waits for its turn.
    InProgress,
    /// Everything passed.
    Succeeded,
    /// A command, the source or the artifacts failed.
    Failed,
    /// Something that is not the build's own doing failed.
    Fault,
    /// Somebody stopped it.
    Stopped,
    /// It took longer than its project allows.
    TimedOut,
}

/// The phases of a build, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are CodeBuild's own")]
pub enum PhaseType {
    Submitted,
    Queued,
    Provisioning,
    DownloadSource,
    Install,
    PreBuild,
    Build,
    PostBuild,
    UploadArtifacts,
    Finalizing,
    Completed,
}

/// Why a phase ended as it did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseContext {
    /// A word for programs, such as `COMMAND_EXECUTION_ERROR`.
    pub status_code: String,
    /// A sentence for people.
    pub message: String,
}

/// One phase; without an end while it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// Which one.
    pub phase_type: PhaseType,
    /// Absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_status: Option<Status>,
    /// Seconds since 1970.
    pub start_time: f64,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_in_seconds: Option<i64>,
    /// Reasons, where there is something to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<PhaseContext>,
}

/// Where the source comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// `S3` or `NO_SOURCE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `bucket/key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The build specification itself, or the path of its file in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buildspec: Option<String>,
}

/// Where artifacts go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactTarget {
    /// `S3` or `NO_ARTIFACTS`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What the key starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `NONE` or `BUILD_ID`, which stands between path and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_type: Option<String>,
    /// The last part of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `NONE` or `ZIP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packaging: Option<String>,
    /// Whether the build specification names the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_artifact_name: Option<bool>,
}

/// Where files are kept for later builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheTarget {
    /// `S3` or `NO_CACHE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `bucket/prefix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Default for CacheTarget {
    fn default() -> Self {
        Self { kind: "NO_CACHE".to_owned(), location: None }
    }
}

/// Where artifacts went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// The ARN of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Of the zip, once it is uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256sum: Option<String>,
}

/// One variable of a build's environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The value, or where it is found.
    pub value: String,
    /// `PLAINTEXT`, `SECRETS_MANAGER` or `PARAMETER_STORE`.
    #[serde(rename = "type", default = "plaintext")]
    pub kind: String,
}

fn plaintext() -> String {
    "PLAINTEXT".to_owned()
}

/// What a build runs in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Environment {
    /// `LINUX_CONTAINER`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As the project names it.
    pub image: String,
    /// `BUILD_GENERAL1_SMALL` and so on.
    pub compute_type: String,
    /// Whose credentials pull the image: `CODEBUILD` or `SERVICE_ROLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_credentials_type: Option<String>,
    /// Whether the build may use the Docker engine.
    pub privileged_mode: bool,
    /// The project's variables with those of the start laid over them.
    pub environment_variables: Vec<Variable>,
}

/// Where the log is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logs {
    /// The log group.
    pub group_name: String,
    /// The log stream.
    pub stream_name: String,
    /// Where a person would look at it.
    pub deep_link: String,
    /// The same as an ARN.
    pub cloud_watch_logs_arn: String,
}

/// A variable that the build hands out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportedVariable {
    /// Its name.
    pub name: String,
    /// Its value when the build ended.
    pub value: String,
}

/// One build.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// `<project>:<uuid>`.
    pub id: String,
    /// The same as an ARN.
    pub arn: String,
    /// Counted per project.
    pub build_number: u64,
    /// Seconds since 1970.
    pub start_time: f64,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// The phase it is in.
    pub current_phase: PhaseType,
    /// What it has come to.
    pub build_status: Status,
    /// As asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// The project's name.
    pub project_name: String,
    /// All phases so far.
    pub phases: Vec<Phase>,
    /// Where the source comes from.
    pub source: Source,
    /// Where the artifacts went.
    pub artifacts: Artifacts,
    /// Where files are kept for later builds.
    #[serde(default)]
    pub cache: CacheTarget,
    /// What it runs in.
    pub environment: Environment,
    /// The role it runs as.
    pub service_role: String,
    /// Where its log is.
    pub logs: Logs,
    /// How long it may take.
    pub timeout_in_minutes: u64,
    /// Whether it has ended.
    pub build_complete: bool,
    /// Who started it.
    pub initiator: String,
    /// What it hands out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exported_environment_variables: Vec<ExportedVariable>,
    /// Where artifacts are to go: not part of the API's answer.
    #[serde(skip)]
    pub target: ArtifactTarget,
}

impl Build {
    /// Opens a phase; the one before must have been closed.
    pub fn open(&mut self, phase_type: PhaseType) {
        self.current_phase = phase_type;
        self.phases.push(Phase {
            phase_type,
            phase_status: None,
            start_time: now(),
            end_time: None,
            duration_in_seconds: None,
            contexts: Vec::new(),
        });
    }

    /// Closes the open phase, if there is one.
    pub fn close(&mut self, status: Status, context: Option<PhaseContext>) {
        let Some(phase) = self.phases.last_mut().filter(|phase| phase.end_time.is_none()) else { return };
        let end = now();
        phase.phase_status = Some(status);
        phase.end_time = Some(end);
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are what the API says")]
        let seconds = (end - phase.start_time) as i64;
        phase.duration_in_seconds = Some(seconds);
        phase.contexts = context.into_iter().collect();
    }

    /// Ends the build. A second end changes nothing: whoever was first has told it.
    pub fn complete(&mut self, status: Status) -> bool {
        if self.build_complete {
            return false;
        }
        self.close(status, None);
        self.open(PhaseType::Completed);
        let end = now();
        // CodeBuild's last phase has neither a status nor an end.
        self.end_time = Some(end);
        self.build_status = status;
        self.build_complete = true;
        true
    }

    /// The part of the id after the project's name.
    pub fn uuid(&self) -> &str {
        self.id.rsplit(':').next().unwrap_or(&self.id)
    }
}

/// Seconds since 1970, to the millisecond.
pub fn now() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit for thousands of years")]
    let milliseconds = jiff::Timestamp::now().as_millisecond() as f64;
    milliseconds / 1000.0
}
