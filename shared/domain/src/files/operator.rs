//! The operator's file: which repositories are served, and where their branches are delivered.

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{At, Readable, did_you_mean, listed};
use super::record::record;
use super::shape::Shape;
use super::values::{KindName, ScanMinutes};
use super::{DnsLabel, FileErrors, MailAddress, Problems, Version};
use crate::ids::{BranchName, ClusterAccess, EnvironmentName, RepositoryName};
use crate::policy::{Conflicts, PodSecurity, Policy, Waiting};
use crate::scan::{Block, ScanPolicy, Unsupported};

/// What the operator allows; the pipeline file may name these, never widen them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorFile {
    /// The repositories served, each once.
    pub repositories: Vec<Repository>,
    /// Every environment by name.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// How people are told.
    pub notifications: OperatorNotifications,
}

/// One repository served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`.
    pub name: RepositoryName,
    /// The GitHub App's installation that may speak for it.
    pub installation: u64,
    /// Its environments; the first one whose branches name a branch takes that branch's deliveries.
    pub environments: Vec<EnvironmentName>,
}

record! {
    /// One environment.
    pub struct Environment {
        /// The branches delivered here, by their exact names.
        pub branches: Vec<BranchName>,
        /// The cluster, and how it is reached: by a kubeconfig in a secret, or by its name in EKS.
        pub cluster: ClusterAccess,
        /// The Kubernetes namespace that everything is applied to. It must exist.
        pub namespace: DnsLabel,
        /// What may be applied here. The pipeline file has no say in it.
        pub policy: Option<PolicyEntry> => "as its fields say",
    }
}

record! {
    /// What may be applied. An object that it forbids ends its service's deploy before anything is applied.
    #[derive(Default)]
    pub struct PolicyEntry {
        /// How far pods may reach into their node: not beyond the level `baseline` of Kubernetes' Pod Security
        /// Standards, or as far as the cluster itself allows.
        pub pods: Option<PodSecurity> => "`baseline`",
        /// Whether a binding may name the role `cluster-admin`.
        pub cluster_admin: Option<bool> => "`false`",
        /// The kinds that may be applied.
        pub kinds: Option<Vec<KindName>> => "all",
        /// Whether what lies in no namespace may be applied, such as a Namespace. It needs the rights of
        /// `infra/kubernetes/cluster-wide.yaml` too.
        pub cluster_wide: Option<bool> => "`false`",
        /// What becomes of a field that the manifests name and another manager of the object, such as kubectl, has set
        /// otherwise: the object is refused, or the field is taken from it and the check run says so.
        pub conflicts: Option<Conflicts> => "`refuse`",
        /// Which of the rollouts have their turn that wait while another one is under way: only the newest, and those
        /// before it are superseded, or each, the oldest first.
        pub waiting: Option<Waiting> => "`newest`",
        /// Which findings of the registry's scan keep an image from being published.
        pub scan: Option<ScanEntry> => "as its fields say",
    }
}

record! {
    /// Which findings of the registry's scan keep an image from being published. A run whose image is kept back is
    /// delivered nowhere.
    #[derive(Default)]
    pub struct ScanEntry {
        /// The least severity that is not let through; with `none` nobody asks for the scan.
        pub block: Option<Block> => "`critical`",
        /// What becomes of an image that the registry cannot scan, or has no findings of: it goes on and the verdict says
        /// so, or it is not published.
        pub unsupported: Option<Unsupported> => "`pass`",
        /// How many minutes an unfinished scan is waited for. After that the image is not published, and the task can be
        /// run again.
        pub wait: Option<ScanMinutes> => "`30`",
    }
}

impl ScanEntry {
    fn policy(&self) -> ScanPolicy {
        let default = ScanPolicy::default();
        ScanPolicy {
            block: self.block.unwrap_or(default.block),
            unsupported: self.unsupported.unwrap_or(default.unsupported),
            wait: self.wait.map_or(default.wait, ScanMinutes::get),
        }
    }
}

impl Environment {
    /// What may be applied here.
    pub fn policy(&self) -> Policy {
        let Some(PolicyEntry { pods, cluster_admin, kinds, cluster_wide, conflicts, waiting, scan }) =
            &self.policy
        else {
            return Policy::default();
        };
        let kinds = kinds.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect());
        let (pods, cluster_admin) = (pods.unwrap_or_default(), cluster_admin.unwrap_or_default());
        let cluster_wide = cluster_wide.unwrap_or_default();
        let (conflicts, waiting) = (conflicts.unwrap_or_default(), waiting.unwrap_or_default());
        let scan = scan.as_ref().map(ScanEntry::policy).unwrap_or_default();
        Policy { pods, cluster_admin, kinds, cluster_wide, conflicts, waiting, scan }
    }
}

record! {
    /// How people are told.
    #[derive(Default)]
    pub struct OperatorNotifications {
        /// The sender of mails, verified with SES. The one-machine cloud takes it from here; on AWS the stack's parameter
        /// `MailSender` counts.
        pub mail_sender: Option<MailAddress> => "no mail from the one-machine cloud",
    }
}

/// Why an event's repository is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    /// The operator's file does not name the repository.
    #[error("repository `{0}` is not in the operator's file")]
    Repository(RepositoryName),
    /// It is named with another installation.
    #[error(
        "installation {claimed} does not speak for `{repository}`: the operator's file names another one"
    )]
    Installation {
        /// The repository.
        repository: RepositoryName,
        /// The installation that the event came from.
        claimed: u64,
    },
}

impl OperatorFile {
    /// The entry of a repository, if this installation may speak for it.
    ///
    /// # Errors
    ///
    /// [`NotServed`] says why an event for it is only recorded.
    pub fn serves(&self, name: &RepositoryName, installation: u64) -> Result<&Repository, NotServed> {
        let repository = self.repository(name).ok_or_else(|| NotServed::Repository(name.clone()))?;
        if repository.installation == installation {
            Ok(repository)
        } else {
            Err(NotServed::Installation { repository: name.clone(), claimed: installation })
        }
    }

    /// Where a branch of the repository is delivered; none means that its runs end after test.
    pub fn delivery_for(
        &self,
        repository: &RepositoryName,
        branch: &BranchName,
    ) -> Option<(&EnvironmentName, &Environment)> {
        self.repository(repository)?
            .environments
            .iter()
            .filter_map(|name| self.environments.get_key_value(name))
            .find(|(_, environment)| environment.branches.contains(branch))
    }

    fn repository(&self, name: &RepositoryName) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.name == *name)
    }
}

record! {
    /// Whom a stack serves, and where it delivers.
    struct OperatorText {
        /// The version of the file's form.
        version: Version,
        /// The repositories served. Events of all others are recorded and ignored.
        repositories: Vec<RepositoryText>,
        /// The environments by name.
        environments: BTreeMap<EnvironmentName, Environment>,
        /// How people are told.
        notifications: Option<OperatorNotifications> => "as its fields say",
    }
}

record! {
    /// One repository served.
    struct RepositoryText {
        /// The repository on GitHub, each once.
        name: At<RepositoryName>,
        /// The number of the GitHub App's installation that may speak for it.
        installation: u64,
        /// Names of `environments`; the first whose branches name a branch takes that branch's deliveries. With an
        /// empty list all runs end after the tests.
        environments: Vec<At<EnvironmentName>>,
    }
}

/// Whether a text looks like an operator's file: one of its own keys begins a line.
pub fn is_likely(source: &[u8]) -> bool {
    source
        .split(|byte| *byte == b'\n')
        .any(|line| [b"repositories:".as_slice(), b"environments:"].iter().any(|key| line.starts_with(key)))
}

/// The form of the file.
pub(super) fn shape() -> Shape {
    OperatorText::shape()
}

/// Reads the file.
///
/// # Errors
///
/// Everything in the text that is not YAML, not known or not allowed, with its places.
pub fn parse(source: impl AsRef<[u8]>) -> Result<OperatorFile, FileErrors> {
    let mut reading = super::read::<OperatorText>(source.as_ref());
    if let Some(text) = &reading.file {
        let mut problems = Problems::default();
        // Also those that could not be read are known: their own problems are told.
        refuse_unknown(&text.repositories, &reading.places.keys("environments"), &mut problems);
        if !problems.found.is_empty() {
            problems.found.append(&mut reading.problems);
            reading.problems = problems.in_order();
        }
    }
    let OperatorText { version: Version, repositories, environments, notifications } = reading.strict()?;
    let repositories = repositories
        .into_iter()
        .map(|entry| Repository {
            name: entry.name.value,
            installation: entry.installation,
            environments: entry.environments.into_iter().map(|name| name.value).collect(),
        })
        .collect();
    Ok(OperatorFile { repositories, environments, notifications: notifications.unwrap_or_default() })
}

/// What the entries say about each other.
fn refuse_unknown(repositories: &[RepositoryText], known: &[&str], problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for entry in repositories {
        if !names.insert(&entry.name.value) {
            problems.at(
                entry.name.place,
                format!("repository `{}` is named twice; keep one of them", entry.name.value),
            );
        }
        for name in entry.environments.iter().filter(|name| !known.contains(&name.value.as_str())) {
            let near = did_you_mean(name.value.as_str(), known.iter().copied());
            let known = if known.is_empty() { "none".to_owned() } else { listed(known.iter().copied()) };
            problems.at(
                name.place,
                format!(
                    "environment `{}` is not defined;{near} defined under `environments`: {known}",
                    name.value
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests;
