//! The operator's file: which repositories are served, and where their branches are delivered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::values::Version;
use super::{DnsLabel, FileError, MailAddress};
use crate::ids::{BranchName, EnvironmentName, RepositoryName};

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

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The branches delivered here, by their exact names.
    pub branches: Vec<BranchName>,
    /// How the cluster is reached.
    pub cluster: ClusterAccess,
    /// The namespace that everything is applied to.
    pub namespace: DnsLabel,
}

/// How a cluster is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ClusterEntry")]
pub enum ClusterAccess {
    /// By the kubeconfig in the secret that the stack names.
    Kubeconfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterEntry {
    kubeconfig: bool,
}

impl TryFrom<ClusterEntry> for ClusterAccess {
    type Error = &'static str;

    fn try_from(entry: ClusterEntry) -> Result<Self, Self::Error> {
        if entry.kubeconfig {
            Ok(Self::Kubeconfig)
        } else {
            Err("a cluster is reached by `kubeconfig: true`")
        }
    }
}

/// How people are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorNotifications {
    /// The sender of mails, verified with SES.
    pub mail_sender: Option<MailAddress>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorText {
    #[serde(rename = "version")]
    _version: Version,
    repositories: Vec<RepositoryText>,
    environments: BTreeMap<EnvironmentName, Environment>,
    notifications: Option<OperatorNotifications>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryText {
    name: Spanned<RepositoryName>,
    installation: u64,
    environments: Vec<Spanned<EnvironmentName>>,
}

/// Reads the file.
///
/// # Errors
///
/// The first thing in the text that is not YAML, not known or not allowed, with its line.
pub fn parse(text: &str) -> Result<OperatorFile, FileError> {
    let text: OperatorText = super::read(text)?;
    let mut repositories: Vec<Repository> = Vec::new();
    for entry in text.repositories {
        if repositories.iter().any(|known| known.name == entry.name.value) {
            let message = format!("repository `{}` is named twice", entry.name.value);
            return Err(FileError::at(entry.name.referenced, message));
        }
        if let Some(unknown) =
            entry.environments.iter().find(|name| !text.environments.contains_key(&name.value))
        {
            let message = unknown_environment(&unknown.value, &text.environments);
            return Err(FileError::at(unknown.referenced, message));
        }
        repositories.push(Repository {
            name: entry.name.value,
            installation: entry.installation,
            environments: entry.environments.into_iter().map(|name| name.value).collect(),
        });
    }
    Ok(OperatorFile {
        repositories,
        environments: text.environments,
        notifications: text.notifications.unwrap_or_default(),
    })
}

fn unknown_environment(name: &EnvironmentName, known: &BTreeMap<EnvironmentName, Environment>) -> String {
    let known: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() {
        "none is defined".to_owned()
    } else {
        format!("known are {}", known.join(", "))
    };
    format!("environment `{name}` is not defined under `environments`: {known}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: &str = "version: 1
repositories:
  - {name: vive-sphere/bot-manager, installation: 1, environments: [development, canary]}
  - {name: vive-sphere/website, installation: 1, environments: []}
environments:
  development: {branches: [develop], cluster: {kubeconfig: true}, namespace: development}
  canary: {branches: [develop, canary], cluster: {kubeconfig: true}, namespace: canary}
notifications: {mail_sender: slipway@vivesphere.example}
";

    fn name(text: &str) -> RepositoryName {
        text.parse().expect("a repository")
    }

    #[test]
    fn only_named_repositories_and_installations_are_served() {
        let file = parse(FULL).expect("the documented form");
        for (repository, installation, expected) in [
            ("vive-sphere/bot-manager", 1, "served"),
            (
                "vive-sphere/bot-manager",
                2,
                "installation 2 does not speak for `vive-sphere/bot-manager`: the operator's file names another one",
            ),
            ("stranger/bot-manager", 1, "repository `stranger/bot-manager` is not in the operator's file"),
        ] {
            let told = file
                .serves(&name(repository), installation)
                .map_or_else(|not| not.to_string(), |_| "served".to_owned());
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn the_first_environment_with_the_branch_takes_it() {
        let file = parse(FULL).expect("the documented form");
        for (repository, branch, expected) in [
            ("vive-sphere/bot-manager", "develop", Some("development")),
            ("vive-sphere/bot-manager", "canary", Some("canary")),
            ("vive-sphere/bot-manager", "main", None),
            ("vive-sphere/website", "develop", None),
            ("stranger/bot-manager", "develop", None),
        ] {
            let branch = branch.parse().expect("a branch");
            let found = file.delivery_for(&name(repository), &branch).map(|(name, _)| name.as_str());
            assert_eq!(found, expected, "{repository} {branch}");
        }
    }

    #[test]
    fn errors_read_well() {
        let told: Vec<String> = [
            ("[development, canary]", "[development, staging]"),
            ("vive-sphere/website", "vive-sphere/bot-manager"),
            ("installation: 1", "instalation: 1"),
            ("installation: 1", "installation: one"),
            ("kubeconfig: true", "kubeconfig: false"),
            ("namespace: development", "namespace: Development_1"),
            ("branches: [develop]", "branches: [\"feature/*\"]"),
            ("slipway@vivesphere.example", "slipway"),
            ("version: 1", "version: 3"),
        ]
        .into_iter()
        .map(|(there, instead)| {
            assert!(FULL.contains(there), "{there}");
            parse(&FULL.replacen(there, instead, 1))
                .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
        })
        .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        line 3, column 82: environment `staging` is not defined under `environments`: known are `canary`, `development`
        line 4, column 12: repository `vive-sphere/bot-manager` is named twice
        line 3, column 37: unknown field `instalation`, expected one of `name`, `installation`, `environments`
        line 3, column 51: expected a whole number in range
        line 6, column 47: a cluster is reached by `kubeconfig: true`
        line 6, column 78: `Development_1` is not a valid Kubernetes name: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends
        line 6, column 28: `feature/*` is not a valid branch name: what `git check-ref-format --branch` accepts, at most 255 bytes
        line 8, column 30: `slipway` is not a valid e-mail address: `name@domain` in plain ASCII, at most 254 characters
        line 1, column 10: version 3 is not known; this Slipway reads `version: 1`
        ");
    }

    proptest! {
        #[test]
        fn a_damaged_file_never_panics(place in 0..FULL.len(), character in any::<char>()) {
            let mut text = FULL.to_owned();
            text.insert(place, character);
            let _ = parse(&text);
            let _ = parse(&FULL[..place]);
        }
    }
}
