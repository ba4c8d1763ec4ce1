//! Names of things: parsed once at the door, trusted afterwards.
//!
//! Every string that comes from GitHub, a file or a message becomes one of these types or is refused with a
//! sentence that names what is allowed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that does not have the form its type demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {kind}: {allowed}")]
pub struct InvalidName {
    kind: &'static str,
    value: String,
    allowed: &'static str,
}

impl InvalidName {
    fn new(kind: &'static str, value: &str, allowed: &'static str) -> Self {
        Self { kind, value: value.chars().take(80).collect(), allowed }
    }
}

/// Declares a string newtype whose only way in is a check.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $allowed:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(value: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(value) { Ok(Self(value.to_owned())) } else { Err(InvalidName::new($kind, value, $allowed)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

fn made_of(value: &str, length: std::ops::RangeInclusive<usize>, extra: &str) -> bool {
    length.contains(&value.len()) && value.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

name!(
    /// A commit's full SHA-1 in lower-case hexadecimal.
    Sha, "commit SHA", "40 lower-case hexadecimal digits",
    |value| value.len() == 40 && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

name!(
    /// A microservice or component of the monorepo, named like its folder.
    ServiceName, "service name", "1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit",
    |value| made_of(value, 1..=63, "_-")
        && !value.bytes().any(|b| b.is_ascii_uppercase())
        && !value.starts_with(['_', '-'])
);

name!(
    /// An environment of the operator's file.
    EnvironmentName, "environment name", "1 to 32 of a-z, 0-9 and `-`, beginning with a letter",
    |value| made_of(value, 1..=32, "-")
        && !value.bytes().any(|b| b.is_ascii_uppercase())
        && value.starts_with(|c: char| c.is_ascii_lowercase())
);

name!(
    /// The value of `X-GitHub-Delivery`: the same again when GitHub redelivers.
    DeliveryId, "delivery id", "1 to 64 of letters, digits and `-`",
    |value| made_of(value, 1..=64, "-")
);

name!(
    /// What a person's request is known by, so that it is carried out once: the SQS message's id unless he chose one.
    RequestId, "request id", "1 to 128 of letters, digits, `-`, `_` and `.`",
    |value| made_of(value, 1..=128, "-_.")
);

name!(
    /// An image's digest, `sha256:` and 64 hexadecimal digits.
    Digest, "image digest", "`sha256:` and 64 lower-case hexadecimal digits",
    |value| value.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
);

name!(
    /// A relative path in the repository, without spaces (lists of paths travel to builds with spaces between them), `..`,
    /// backslashes or control characters.
    RepositoryPath, "path", "a relative path of at most 255 characters without spaces, `..`, `\\` or control characters",
    |value| (1..=255).contains(&value.len())
        && !value.starts_with('/')
        && value.split('/').all(|part| part != "..")
        && !value.chars().any(|c| c.is_control() || matches!(c, ' ' | '\\'))
);

name!(
    /// `owner/name` of a GitHub repository.
    RepositoryName, "repository", "`owner/name` as GitHub spells it",
    |value| value.split_once('/').is_some_and(|(owner, name)| {
        made_of(owner, 1..=39, "-") && made_of(name, 1..=100, "-_.") && name != "." && name != ".."
    })
);

name!(
    /// A branch, without `refs/heads/`, as `git check-ref-format` allows it.
    BranchName, "branch name", "what `git check-ref-format --branch` accepts, at most 255 bytes",
    |value| (1..=255).contains(&value.len())
        && value != "@"
        && !value.ends_with('.')
        && !value.starts_with('-')
        && !value.contains("..")
        && !value.contains("@{")
        && !value.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        && value.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none())
);

impl RepositoryName {
    /// The account before the slash.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    /// The name after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl DeliveryId {
    /// What a plan request of a tip check carries instead of a webhook's id: the same for the same commit.
    pub fn of_tip(tip: &Sha) -> Self {
        Self(format!("{TIP_PREFIX}{tip}"))
    }

    /// Whether a tip check made it. GitHub's own ids are UUIDs.
    pub fn is_of_tip(&self) -> bool {
        self.0.starts_with(TIP_PREFIX)
    }
}

const TIP_PREFIX: &str = "tip-";

impl Sha {
    /// The first seven digits, as people write it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl ServiceName {
    /// The service's name where Kubernetes asks for a DNS label.
    pub fn dns_label(&self) -> String {
        self.0.replace('_', "-")
    }
}

/// Whether the run's code came from someone who may push to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Pushed to the served repository itself.
    Trusted,
    /// Proposed from another repository.
    Untrusted,
}

/// One execution for one commit: (repository, head SHA, trust).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    /// The repository served.
    pub repository: RepositoryName,
    /// The commit judged.
    pub sha: Sha,
    /// Whose code it is.
    pub trust: Trust,
}

const UNTRUSTED_SUFFIX: &str = ".untrusted";

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.trust == Trust::Untrusted { UNTRUSTED_SUFFIX } else { "" };
        write!(formatter, "{}.{}.{}{suffix}", self.repository.owner(), self.repository.name(), self.sha)
    }
}

impl FromStr for RunId {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new("run id", value, "`<owner>.<repository>.<sha>` or the same with `.untrusted`")
        };
        let (rest, trust) = match value.strip_suffix(UNTRUSTED_SUFFIX) {
            Some(rest) => (rest, Trust::Untrusted),
            None => (value, Trust::Trusted),
        };
        let (repository, sha) = rest.rsplit_once('.').ok_or_else(invalid)?;
        // An owner has no dot, so the first one ends it.
        let (owner, name) = repository.split_once('.').ok_or_else(invalid)?;
        Ok(Self {
            repository: format!("{owner}/{name}").parse().map_err(|_| invalid())?,
            sha: sha.parse().map_err(|_| invalid())?,
            trust,
        })
    }
}

/// One stage of the way; `plan` comes before them, `notify` beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Unit tests, repository-wide checks and integration tests.
    Test,
    /// The image build.
    Build,
    /// Reading the image back from the registry and tagging it.
    Publish,
    /// Server-side apply.
    Deploy,
    /// Following the rollout and probing health.
    Verify,
}

impl Stage {
    /// Every stage in the order of the way.
    pub const ALL: [Stage; 5] = [Self::Test, Self::Build, Self::Publish, Self::Deploy, Self::Verify];

    /// The stage's name in ids, queues and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Build => "build",
            Self::Publish => "publish",
            Self::Deploy => "deploy",
            Self::Verify => "verify",
        }
    }

    /// Whether the stage's tasks belong to an environment.
    pub fn has_environment(self) -> bool {
        matches!(self, Self::Deploy | Self::Verify)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One stage of a run for one subject (from deploy on: and one environment).
///
/// Text form: `test/authentication`, `test/+checks`, `deploy/authentication@development`, and
/// `deploy/authentication+rollback@development` for a way back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId {
    /// The stage whose queue and function handle it.
    pub stage: Stage,
    /// What it is about.
    pub subject: Subject,
    /// The environment, for deploy and verify.
    pub environment: Option<EnvironmentName>,
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.stage, self.subject)?;
        self.environment.as_ref().map_or(Ok(()), |environment| write!(formatter, "@{environment}"))
    }
}

impl FromStr for TaskId {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new(
                "task id",
                value,
                "`<stage>/<service>`, from deploy on `<stage>/<service>@<environment>`",
            )
        };
        let (stage, rest) = value.split_once('/').ok_or_else(invalid)?;
        let stage = Stage::ALL.into_iter().find(|known| known.as_str() == stage).ok_or_else(invalid)?;
        let (subject, environment) = match rest.split_once('@') {
            Some((subject, environment)) => (subject, Some(environment.parse().map_err(|_| invalid())?)),
            None => (rest, None),
        };
        let subject: Subject = subject.parse().map_err(|_| invalid())?;
        if stage.has_environment() != environment.is_some()
            || (subject.is_rollback() && !stage.has_environment())
        {
            return Err(invalid());
        }
        Ok(Self { stage, subject, environment })
    }
}

/// One attempt of one task: what a build carries as `SLIPWAY_TASK`, once for each task that shares it.
///
/// Text form: `<run>/<task>/<attempt>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// From 1.
    pub attempt: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.run, self.task, self.attempt)
    }
}

impl FromStr for AttemptId {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new("attempt id", value, "`<run>/<stage>/<subject>/<attempt>`");
        let (run, rest) = value.split_once('/').ok_or_else(invalid)?;
        let (task, attempt) = rest.rsplit_once('/').ok_or_else(invalid)?;
        Ok(Self { run: run.parse()?, task: task.parse()?, attempt: attempt.parse().map_err(|_| invalid())? })
    }
}

/// Lets serde carry a type in its text form.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}

as_text!(RunId, TaskId, AttemptId, Line, Subject);

mod clusters;
mod line;
mod subject;
#[cfg(test)]
mod tests;

pub use clusters::{AwsRegion, ClusterAccess, EksCluster, EksClusterName, KubeconfigName};
pub use line::Line;
pub use subject::Subject;
