//! Everything the stand-in remembers, and the one lock around it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::checks::CheckRun;
use crate::comments::Comment;
use crate::deployments::Deployment;
use crate::git::Git;
use crate::installation_tokens::InstallationToken;
use crate::installations::Installed;
use crate::jwt::PublicKey;
use crate::merges::Group;
use crate::options::{NewRepository, Options};
use crate::pulls::Pull;
use crate::statuses::CommitStatus;
use crate::suites::CheckSuite;
use crate::webhook::{Delivery, Target};

/// The stand-in's heart, shared by all handlers.
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) public_key: PublicKey,
    base_url: OnceLock<String>,
    download_key: hmac::Key,
    data: Mutex<Data>,
}

/// What changes while it runs. All lists are in the order of creation.
#[derive(Default)]
pub(crate) struct Data {
    last_id: u64,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) pulls: Vec<Pull>,
    /// The merge queues of all branches, each in its own order.
    pub(crate) queue: Vec<Group>,
    pub(crate) checks: Vec<CheckRun>,
    pub(crate) suites: Vec<CheckSuite>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) statuses: Vec<CommitStatus>,
    pub(crate) installations: Vec<Installed>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) target: Target,
    pub(crate) tokens: HashMap<String, InstallationToken>,
    pub(crate) requests: HashMap<String, crate::rate::Window>,
    pub(crate) rate_limit: u32,
    pub(crate) faults: crate::faults::Faults,
    /// How often each route was asked.
    pub(crate) counted: BTreeMap<String, u64>,
}

impl Data {
    /// A number that nothing else has.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        1000 + self.last_id
    }

    pub(crate) fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories
            .iter()
            .find(|known| known.owner.eq_ignore_ascii_case(owner) && known.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn repository_by_id(&self, id: u64) -> Option<&Repository> {
        self.repositories.iter().find(|known| known.id == id)
    }
}

/// One repository; its commits lie in `git`.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) default_branch: String,
    pub(crate) private: bool,
    pub(crate) fork_of: Option<u64>,
    pub(crate) collaborators: BTreeMap<String, String>,
    pub(crate) created_at: Timestamp,
    pub(crate) git: Git,
    /// Held during a push, so that the refs before and after it are its own.
    pub(crate) pushing: Arc<tokio::sync::Mutex<()>>,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The role of a person: the owner's, a collaborator's, or what everybody has.
    pub(crate) fn role(&self, login: &str) -> &str {
        let given = self.collaborators.iter().find(|(known, _)| known.eq_ignore_ascii_case(login));
        match given {
            _ if login.eq_ignore_ascii_case(&self.owner) => "admin",
            Some((_, role)) => role,
            None if self.private => "none",
            None => "read",
        }
    }

    /// The `author_association` of what a person writes here.
    pub(crate) fn association(&self, login: &str) -> &'static str {
        let is_collaborator = self.collaborators.keys().any(|known| known.eq_ignore_ascii_case(login));
        match () {
            () if login.eq_ignore_ascii_case(&self.owner) => "OWNER",
            () if is_collaborator => "COLLABORATOR",
            () => "NONE",
        }
    }
}

impl App {
    pub(crate) async fn open(options: Options) -> Result<Arc<Self>> {
        let public_key =
            PublicKey::from_pem(&options.app_public_key_pem).context("read the App's public key")?;
        let target = Target { url: options.webhook_url.clone(), secret: options.webhook_secret.clone() };
        let installations = options.installations.iter().cloned().map(Installed::new).collect();
        let data = Data { target, installations, rate_limit: options.rate_limit, ..Data::default() };
        let wanted = options.repositories.clone();
        let download_key = hmac::Key::new(hmac::HMAC_SHA256, random_hex(32).as_bytes());
        let app =
            Self { options, public_key, base_url: OnceLock::new(), download_key, data: Mutex::new(data) };
        let app = Arc::new(app);
        for repository in wanted {
            app.create_repository(repository).await?;
        }
        Ok(app)
    }

    /// The state; never held across an await.
    pub(crate) fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `http://127.0.0.1:<port>`, known from when it serves.
    pub(crate) fn base_url(&self) -> &str {
        self.base_url.get().map_or("http://127.0.0.1", String::as_str)
    }

    pub(crate) fn set_base_url(&self, url: String) {
        // A second listener shares the first one's address in links.
        self.base_url.get_or_init(|| url);
    }

    pub(crate) fn api_url(&self, repository: &Repository) -> String {
        format!("{}/repos/{}", self.base_url(), repository.full_name())
    }

    pub(crate) fn html_url(&self, repository: &Repository) -> String {
        format!("{}/{}", self.base_url(), repository.full_name())
    }

    /// What opens the download of one commit of a private repository without a header.
    pub(crate) fn download_pass(&self, repository: &Repository, sha: &str) -> String {
        hex::encode(hmac::sign(&self.download_key, format!("{}:{sha}", repository.id).as_bytes()))
    }

    /// The installation that covers a repository, also a suspended one.
    pub(crate) fn installation_of(&self, repository: &Repository) -> Option<Installed> {
        self.data().installations.iter().find(|known| known.covers(repository)).cloned()
    }

    pub(crate) async fn create_repository(&self, wanted: NewRepository) -> Result<Repository> {
        ensure!(
            is_name(&wanted.owner) && is_name(&wanted.name),
            "a repository's name has only letters, digits, `.`, `-`, `_`"
        );
        let taken = || format!("repository `{}/{}` exists already", wanted.owner, wanted.name);
        ensure!(self.data().repository(&wanted.owner, &wanted.name).is_none(), taken());
        let parent = match &wanted.fork_of {
            Some(full_name) => {
                let (owner, name) = full_name.split_once('/').context("`fork_of` is owner/name")?;
                let parent = self.data().repository(owner, name).cloned();
                Some(parent.with_context(|| format!("there is no repository `{full_name}` to fork"))?)
            }
            None => None,
        };
        let folder = format!("{}.git", wanted.name);
        let git = Git::at(self.options.state_dir.join("repositories").join(&wanted.owner).join(folder));
        let default_branch =
            parent.as_ref().map_or(&wanted.default_branch, |parent| &parent.default_branch).clone();
        let is_new = git.create(&default_branch).await?;
        // A fork that was here before a restart keeps its own commits.
        if let Some(parent) = parent.as_ref().filter(|_| is_new) {
            git.fetch(parent.git.directory(), "refs/heads/*", "refs/heads/*").await?;
        }
        let mut data = self.data();
        ensure!(data.repository(&wanted.owner, &wanted.name).is_none(), taken());
        let repository = Repository {
            id: data.next_id(),
            owner: wanted.owner,
            name: wanted.name,
            default_branch,
            private: wanted.private,
            fork_of: parent.map(|parent| parent.id),
            collaborators: wanted.collaborators,
            created_at: now(),
            git,
            pushing: Arc::default(),
        };
        data.repositories.push(repository.clone());
        Ok(repository)
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let git_suffix = text.len() >= 4 && text[text.len() - 4..].eq_ignore_ascii_case(".git");
    !text.is_empty() && !text.starts_with('.') && !git_suffix && text.bytes().all(allowed)
}

/// The time in GitHub's precision: whole seconds.
pub(crate) fn now() -> Timestamp {
    whole_seconds(Timestamp::now())
}

/// The same moment without its fraction of a second.
pub(crate) fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// Random hexadecimal digits, fit for a token.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    SystemRandom::new().fill(&mut buffer).expect("the system gives random bytes");
    hex::encode(buffer)
}

/// A random UUID, version 4.
pub(crate) fn uuid() -> String {
    let digits = random_hex(16);
    format!("{}-{}-4{}-a{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

/// An opaque identifier in the manner of GitHub's global node ids.
pub(crate) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{kind}:{id}"))
}

/// The form in which payloads and answers name an account.
pub(crate) fn account(base_url: &str, login: &str, kind: &str) -> Value {
    // Stable over restarts, as nothing but the login is known of a person.
    let id = login
        .bytes()
        .fold(17_u64, |sum, byte| (sum * 31 + u64::from(byte.to_ascii_lowercase())) % 900_000_007);
    json!({
        "login": login,
        "id": id,
        "node_id": node_id("User", id),
        "avatar_url": "",
        "html_url": format!("{base_url}/{login}"),
        "url": format!("{base_url}/users/{login}"),
        "type": kind,
        "site_admin": false,
    })
}
