//! What a stand-in is started with: its folder, its one App, the installations, the token of people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Everything a stand-in needs to know before it starts.
#[derive(Clone)]
pub struct Options {
    /// The folder for bare repositories; created when missing.
    pub state_dir: PathBuf,
    /// The GitHub App's number, which the `iss` claim of its tokens must name.
    pub app_id: u64,
    /// The App's short name; its comments come from `<slug>[bot]`.
    pub app_slug: String,
    /// The App's RSA public key: PEM, either `PUBLIC KEY` or `RSA PUBLIC KEY`.
    pub app_public_key_pem: String,
    /// Where the App is installed.
    pub installations: Vec<Installation>,
    /// Repositories that exist from the start; one whose folder exists keeps its commits.
    pub repositories: Vec<NewRepository>,
    /// The address deliveries go to; `None` until the pipeline's own address is known.
    pub webhook_url: Option<String>,
    /// The secret deliveries are signed with.
    pub webhook_secret: String,
    /// The token that people push and call the API with, under any user name.
    pub push_token: String,
    /// The events the App is subscribed to, such as `check_run`, `check_suite` and `merge_group`.
    pub events: Vec<String>,
    /// Requests an hour that one token may make.
    pub rate_limit: u32,
}

impl Options {
    /// Options with the usual events and limits, no installation, no repository and no webhook address.
    pub fn new(state_dir: impl Into<PathBuf>, app_id: u64, app_public_key_pem: impl Into<String>) -> Self {
        Self {
            state_dir: state_dir.into(),
            app_id,
            app_slug: "slipway".to_owned(),
            app_public_key_pem: app_public_key_pem.into(),
            installations: Vec::new(),
            repositories: Vec::new(),
            webhook_url: None,
            webhook_secret: String::new(),
            push_token: String::new(),
            events: ["push", "pull_request", "issue_comment"].map(str::to_owned).to_vec(),
            rate_limit: 5000,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("state_dir", &self.state_dir)
            .field("app_id", &self.app_id)
            .field("installations", &self.installations)
            .field("repositories", &self.repositories)
            .finish_non_exhaustive()
    }
}

/// One installation of the App on an account.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The installation's number, as in a webhook's `installation.id`.
    pub id: u64,
    /// The login of the account it belongs to.
    pub account: String,
    /// The names of the repositories it covers; `None` means all of the account.
    pub repositories: Option<Vec<String>>,
    /// What it may do, such as `checks` → `write`.
    pub permissions: BTreeMap<String, String>,
}

impl Installation {
    /// An installation on all repositories of an account, with the permissions a pipeline needs.
    pub fn on(id: u64, account: impl Into<String>) -> Self {
        let permissions = [
            ("checks", "write"),
            ("contents", "read"),
            ("deployments", "write"),
            ("issues", "write"),
            ("metadata", "read"),
            ("pull_requests", "write"),
            ("statuses", "write"),
        ];
        Self {
            id,
            account: account.into(),
            repositories: None,
            permissions: permissions.map(|(name, level)| (name.to_owned(), level.to_owned())).into(),
        }
    }
}

/// A repository to create.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// The login of its owner.
    pub owner: String,
    /// Its name, without `.git`.
    pub name: String,
    /// The branch that `HEAD` names.
    #[serde(default = "main_branch")]
    pub default_branch: String,
    /// Whether only people and Apps with access may read it.
    #[serde(default)]
    pub private: bool,
    /// `owner/name` of the repository it is a fork of.
    #[serde(default)]
    pub fork_of: Option<String>,
    /// The permission of people other than the owner: `admin`, `maintain`, `write`, `triage` or `read`.
    #[serde(default)]
    pub collaborators: BTreeMap<String, String>,
}

impl NewRepository {
    /// A public repository whose default branch is `main`.
    pub fn public(owner: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            name: name.into(),
            default_branch: main_branch(),
            private: false,
            fork_of: None,
            collaborators: BTreeMap::new(),
        }
    }

    /// The same repository, readable only with access.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// The same repository with another default branch.
    #[must_use]
    pub fn default_branch(mut self, branch: impl Into<String>) -> Self {
        self.default_branch = branch.into();
        self
    }

    /// The same repository as a fork of `owner/name`.
    #[must_use]
    pub fn fork_of(mut self, full_name: impl Into<String>) -> Self {
        self.fork_of = Some(full_name.into());
        self
    }
}

fn main_branch() -> String {
    "main".to_owned()
}
