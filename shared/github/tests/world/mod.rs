//! A GitHub stand-in with one repository, a git client, and an App that is installed there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use domain::ids::{RepositoryName, RunId, Sha, Trust};
use domain::ports::Secret;
use github::GitHub;
use local_github::{Installation, NewRepository, Options};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

pub const APP_ID: u64 = 42;
pub const INSTALLATION: u64 = 7;
const PUSH_TOKEN: &str = "push-token";

/// A key pair in PEM.
#[derive(Clone)]
pub struct Key {
    pub private: Secret,
    public: String,
}

impl Key {
    /// Makes one; `form` is an argument of `openssl genrsa`.
    pub async fn generate(form: &str) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let path = folder.0.join("key.pem");
        let file = path.to_string_lossy();
        run(Command::new("openssl").args(["genrsa", form, "-out", &file, "2048"])).await?;
        let public = run(Command::new("openssl").args(["rsa", "-in", &file, "-pubout"])).await?;
        Ok(Self { private: Secret::new(std::fs::read_to_string(&path)?), public })
    }

    /// One for all tests, as making one takes a while.
    async fn shared() -> anyhow::Result<Self> {
        static SHARED: OnceCell<Key> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::generate("-traditional")).await.cloned()
    }
}

/// The stand-in and a clone of its repository.
pub struct World {
    pub url: String,
    pub repository: RepositoryName,
    pub github: local_github::GitHub,
    key: Key,
    folder: Folder,
}

impl World {
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Options)) -> anyhow::Result<Self> {
        let key = Key::shared().await?;
        let folder = Folder::new()?;
        let mut options = Options::new(folder.0.join("state"), APP_ID, key.public.clone());
        options.installations = vec![Installation::on(INSTALLATION, "vive-sphere")];
        options.repositories =
            vec![NewRepository::public("vive-sphere", "bot-manager").private().default_branch("develop")];
        PUSH_TOKEN.clone_into(&mut options.push_token);
        change(&mut options);
        let github = local_github::GitHub::open(options).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let served = github.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        let world = Self { url, repository: "vive-sphere/bot-manager".parse()?, github, key, folder };
        world.git(&["init", "--quiet", "--initial-branch=develop", "clone"], &world.folder.0).await?;
        Ok(world)
    }

    /// The App as the functions make it: it remembers nothing yet.
    pub fn app(&self) -> anyhow::Result<GitHub> {
        Ok(GitHub::new(&self.url, APP_ID, &self.key.private)?)
    }

    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    pub fn run(&self, sha: &Sha) -> RunId {
        RunId { repository: self.repository.clone(), sha: sha.clone(), trust: Trust::Trusted }
    }

    /// Commits a file to `develop` and pushes it.
    pub async fn commit(&self, file: &str, content: &str) -> anyhow::Result<Sha> {
        std::fs::write(self.clone_folder().join(file), content)?;
        self.in_clone(&["add", "--all"]).await?;
        self.in_clone(&["commit", "--quiet", "--message", content.get(..20).unwrap_or(content)]).await?;
        self.push("develop").await
    }

    /// Commits beside `develop`, from an earlier commit, to a branch with a name that must be escaped.
    pub async fn commit_beside(&self, base: &Sha) -> anyhow::Result<Sha> {
        self.in_clone(&["checkout", "--quiet", "-b", "feature/side#1", base.as_str()]).await?;
        self.in_clone(&["commit", "--quiet", "--allow-empty", "--message", "beside"]).await?;
        self.push("feature/side#1").await
    }

    /// Renames a file on `develop`.
    pub async fn rename(&self, from: &str, to: &str) -> anyhow::Result<Sha> {
        self.in_clone(&["mv", from, to]).await?;
        self.in_clone(&["commit", "--quiet", "--message", "rename"]).await?;
        self.push("develop").await
    }

    /// Changes so many files of `develop` in one commit, all of them new ones.
    pub async fn commit_many(&self, files: usize) -> anyhow::Result<Sha> {
        let folder = self.clone_folder().join(format!("folder-{files}"));
        std::fs::create_dir_all(&folder)?;
        for number in 0..files {
            std::fs::write(folder.join(format!("{number}.txt")), "x\n")?;
        }
        self.in_clone(&["add", "--all"]).await?;
        self.in_clone(&["commit", "--quiet", "--message", "many"]).await?;
        self.push("develop").await
    }

    /// A commit without a parent, on a branch of its own.
    pub async fn commit_orphan(&self) -> anyhow::Result<Sha> {
        self.in_clone(&["checkout", "--quiet", "--orphan", "orphan"]).await?;
        self.in_clone(&["commit", "--quiet", "--allow-empty", "--message", "orphan"]).await?;
        self.push("orphan").await
    }

    /// Pushes the last commit to every one of these branches.
    pub async fn push_all(&self, branches: impl Iterator<Item = String>) -> anyhow::Result<()> {
        let remote = self.remote()?;
        let mut arguments = vec!["push".to_owned(), "--quiet".to_owned(), remote];
        arguments.extend(branches.map(|branch| format!("HEAD:refs/heads/{branch}")));
        self.in_clone(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// A person asks the stand-in for something, such as `POST /repos/…`.
    pub async fn as_person(&self, login: &str, call: &str, body: Value) -> anyhow::Result<Value> {
        let (method, path) = call.split_once(' ').context("a call is a method and a path")?;
        let request = reqwest::Client::new().request(method.parse()?, format!("{}{path}", self.url));
        let response = request.basic_auth(login, Some(PUSH_TOKEN)).json(&body).send().await?;
        ensure!(response.status().is_success(), "{call}: {}", response.text().await?);
        let text = response.text().await?;
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Opens pull request 1 from a branch beside `develop`; answers its newest commit.
    pub async fn open_pull(&self, base: &Sha) -> anyhow::Result<Sha> {
        let head = self.commit_beside(base).await?;
        let body =
            json!({"title": "Let users\tlog in", "head": "feature/side#1", "base": "develop", "draft": true});
        self.as_person("ada", &format!("POST /repos/{}/pulls", self.repository), body).await?;
        Ok(head)
    }

    fn remote(&self) -> anyhow::Result<String> {
        let host = self.url.strip_prefix("http://").context("the stand-in speaks HTTP")?;
        Ok(format!("http://x:{PUSH_TOKEN}@{host}/{}.git", self.repository))
    }

    async fn push(&self, branch: &str) -> anyhow::Result<Sha> {
        let remote = self.remote()?;
        self.in_clone(&["push", "--quiet", &remote, &format!("HEAD:refs/heads/{branch}")]).await?;
        Ok(self.in_clone(&["rev-parse", "HEAD"]).await?.trim().parse()?)
    }

    fn clone_folder(&self) -> PathBuf {
        self.folder.0.join("clone")
    }

    async fn in_clone(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.git(arguments, &self.clone_folder()).await
    }

    /// git that reads nobody's configuration and asks nobody.
    async fn git(&self, arguments: &[&str], folder: &Path) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        command
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Octo")
                .env(format!("GIT_{who}_EMAIL"), "octo@example.com");
        }
        run(&mut command).await
    }
}

/// Text that a zip cannot make small.
pub fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap_or(0))
    };
    (0..length).map(|_| letter()).collect()
}

async fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().await.context("could not start a program")?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A temporary folder that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("slipway-github-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
