//! `cloud.json`: what a cloud is and where, for `status`, `down`, tests, and whoever comes after a crash.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::{Ports, url};
use crate::processes::Process;
use crate::stack::Outputs;

/// A cloud as it was recorded; fields that are not known yet while it starts are empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// The process that holds it.
    pub process: Process,
    /// MiniStack, the leader of the process group that functions run in.
    pub ministack: Option<Process>,
    /// What is served where.
    pub ports: Ports,
    /// `DOCKER_HOST` of its engine, where it is not the client's default.
    pub engine_host: Option<String>,
    /// The kubeconfig of the cluster that is deployed to.
    pub kubeconfig: Option<PathBuf>,
    /// Where GitHub sends its deliveries.
    pub webhook_url: Option<String>,
    /// The outputs of the stack by name: table, bucket, queues.
    pub outputs: Outputs,
    /// What people and programs authenticate with.
    pub credentials: Credentials,
    /// How far it is.
    #[serde(default)]
    pub phase: Phase,
}

/// How far a cloud is whose process runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It comes up.
    Starting,
    /// It is ready for `git push`.
    #[default]
    Up,
    /// It was asked to end.
    Ending,
}

/// Credentials of a local cloud; they open nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The region, beside the key of the local AWS.
    pub aws_region: String,
    /// The access key id.
    pub aws_access_key_id: String,
    /// The secret access key.
    pub aws_secret_access_key: String,
    /// The token people push and call GitHub's API with.
    pub github_token: String,
    /// The bot's token at Slack.
    pub slack_token: String,
    /// The secret that deliveries are signed with.
    pub webhook_secret: String,
}

impl Record {
    /// The record of the cloud in this folder, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged or is of another version.
    pub fn read(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(state_dir);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| {
                format!("`{}` is no record of a cloud; `slipway local down` clears it away", path.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// The records of all clouds below `.slipway`.
    pub fn all(slipway_dir: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(slipway_dir) else { return Vec::new() };
        entries.flatten().filter_map(|entry| Self::read(&entry.path()).ok().flatten()).collect()
    }

    pub(crate) fn write(&self, state_dir: &Path) -> anyhow::Result<()> {
        let path = path(state_dir);
        // Written beside and moved: a reader never sees half a record.
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        let mut file = options.open(&new).with_context(|| format!("writing {}", new.display()))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, &path)?;
        Ok(())
    }

    pub(crate) fn remove(state_dir: &Path) {
        let path = path(state_dir);
        let _ = fs::remove_file(path.with_extension("new"));
        let _ = fs::remove_file(path);
    }

    /// Whether the process that holds the cloud still runs.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// The URL of AWS, without CodeBuild.
    pub fn aws_url(&self) -> String {
        url(self.ports.aws)
    }

    /// The URL of CodeBuild.
    pub fn builds_url(&self) -> String {
        url(self.ports.builds)
    }

    /// The URL of GitHub; repositories are cloned from `<url>/<owner>/<name>.git`.
    pub fn github_url(&self) -> String {
        url(self.ports.github)
    }

    /// The host of the image registry, as the engine reaches it.
    pub fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.ports.aws)
    }

    /// The URL of Slack's page.
    pub fn slack_url(&self) -> String {
        url(self.ports.slack)
    }
}

/// What can be made of a record: all of it, or the little that one of another version or a damaged one tells.
#[derive(Debug)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It is whole.
    Whole(Box<Record>),
    /// It cannot be read as a whole.
    Damaged {
        /// The process that holds the cloud, where it can be told.
        process: Option<Process>,
        /// `DOCKER_HOST` of its engine, where it can be told.
        engine_host: Option<String>,
    },
}

impl Found {
    /// Looks into the cloud's folder.
    pub(crate) fn in_folder(state_dir: &Path) -> Self {
        match Record::read(state_dir) {
            Ok(None) => Self::Nothing,
            Ok(Some(record)) => Self::Whole(Box::new(record)),
            Err(_) => Self::damaged(&fs::read(path(state_dir)).unwrap_or_default()),
        }
    }

    fn damaged(bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        Self::Damaged {
            process: serde_json::from_value(value["process"].clone()).ok(),
            engine_host: value["engine_host"].as_str().map(str::to_owned),
        }
    }

    /// The process that holds the cloud, while it runs.
    pub(crate) fn holder(&self) -> Option<Process> {
        let process = match self {
            Self::Nothing => None,
            Self::Whole(record) => Some(record.process),
            Self::Damaged { process, .. } => *process,
        };
        process.filter(|process| process.is_running())
    }

    /// `DOCKER_HOST` of its engine, where it is known.
    pub(crate) fn engine_host(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Whole(record) => record.engine_host.as_deref(),
            Self::Damaged { engine_host, .. } => engine_host.as_deref(),
        }
    }

    /// Whether there is a file at all.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("cloud.json")
}
