//! The git command, run in one bare repository.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What git and GitHub write where a ref does not exist.
pub(crate) const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// Branches and tags with the objects they name.
pub(crate) type Refs = BTreeMap<String, String>;

/// A bare repository on disk.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    directory: PathBuf,
    /// Full SHAs of commits that were found here: nothing ever removes one.
    known: Arc<Mutex<HashSet<String>>>,
}

/// An object that a name leads to.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) sha: String,
    /// `commit`, `tag`, `tree` or `blob`.
    pub(crate) kind: String,
}

impl Git {
    pub(crate) fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), known: Arc::default() }
    }

    /// Creates the repository, or leaves an existing one as it is and says so by `false`.
    pub(crate) async fn create(&self, default_branch: &str) -> Result<bool> {
        if self.directory.join("HEAD").exists() {
            return Ok(false);
        }
        tokio::fs::create_dir_all(&self.directory).await.context("create the repository's folder")?;
        self.text(&[
            "init",
            "--quiet",
            "--bare",
            "--template=",
            &format!("--initial-branch={default_branch}"),
        ])
        .await?;
        // GitHub shows pull requests' refs to everybody and lets nobody push them.
        let settings = [
            ("http.receivepack", "true"),
            ("receive.hideRefs", "refs/pull"),
            ("receive.hideRefs", "refs/heads/gh-readonly-queue"),
            ("transfer.hideRefs", "refs/network"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("uploadpack.allowFilter", "true"),
            ("gc.auto", "0"),
            ("receive.autogc", "false"),
        ];
        for (name, value) in settings {
            self.text(&["config", "--add", name, value]).await?;
        }
        Ok(true)
    }

    pub(crate) async fn refs(&self) -> Result<Refs> {
        let listing = self
            .text(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"])
            .await?;
        let pairs = listing.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(object, name)| (name.to_owned(), object.to_owned())).collect())
    }

    /// The commit that a branch, tag, full ref or (abbreviated) SHA names, in GitHub's order.
    pub(crate) async fn commit(&self, name: &str) -> Result<Option<String>> {
        let forbidden = ["..", "@{", ":", "^", "~", "\\", " ", "?", "*", "["];
        if name.is_empty()
            || name.starts_with('-')
            || name.contains(char::is_control)
            || forbidden.iter().any(|part| name.contains(part))
        {
            return Ok(None);
        }
        // GitHub takes no branch or tag that looks like a full SHA.
        let is_full = name.len() == 40 && is_sha(name);
        if is_full && self.known().contains(name) {
            return Ok(Some(name.to_owned()));
        }
        let mut candidates = Vec::new();
        if !is_full {
            candidates =
                vec![format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/{name}")];
        }
        if name == "HEAD" || name.starts_with("refs/") || is_sha(name) {
            candidates.push(name.to_owned());
        }
        let peeled: Vec<String> = candidates.iter().map(|name| format!("{name}^{{commit}}")).collect();
        let found = self.objects(&peeled).await?.into_iter().flatten().next();
        if let Some(commit) = &found {
            self.known().insert(commit.sha.clone());
        }
        Ok(found.map(|commit| commit.sha))
    }

    /// The tree of a commit, or the tree that a SHA itself names.
    pub(crate) async fn tree(&self, name: &str) -> Result<Option<String>> {
        let named = match self.commit(name).await? {
            Some(commit) => commit,
            None if is_sha(name) => name.to_owned(),
            None => return Ok(None),
        };
        let found = self.objects(&[format!("{named}^{{tree}}")]).await?.pop().flatten();
        Ok(found.map(|tree| tree.sha))
    }

    /// The object a full ref names, not peeled.
    pub(crate) async fn object(&self, reference: &str) -> Result<Option<Object>> {
        if !reference.starts_with("refs/")
            || reference.contains("..")
            || reference.contains(['^', '~', ':', '@'])
            || reference.contains(char::is_control)
        {
            return Ok(None);
        }
        Ok(self.objects(&[reference.to_owned()]).await?.pop().flatten())
    }

    pub(crate) async fn is_ancestor(&self, older: &str, newer: &str) -> Result<bool> {
        let output = self.run(&["merge-base", "--is-ancestor", older, newer]).await?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => bail!("git merge-base failed: {}", lossy(&output.stderr)),
        }
    }

    pub(crate) async fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>> {
        let output = self.run(&["merge-base", one, other]).await?;
        match output.status.code() {
            Some(0) => Ok(Some(lossy(&output.stdout).trim().to_owned())),
            Some(1) => Ok(None),
            _ => bail!("git merge-base failed: {}", lossy(&output.stderr)),
        }
    }

    /// The tree of both commits merged, or none when they conflict.
    pub(crate) async fn merged_tree(&self, one: &str, other: &str) -> Result<Option<String>> {
        let output = self.run(&["merge-tree", "--write-tree", "--no-messages", one, other]).await?;
        let tree = || lossy(&output.stdout).lines().next().map(str::to_owned);
        match output.status.code() {
            Some(0) => Ok(tree()),
            Some(1) => Ok(None),
            _ => bail!("git merge-tree failed: {}", lossy(&output.stderr)),
        }
    }

    /// How many commits only `base` has and only `head` has.
    pub(crate) async fn distance(&self, base: &str, head: &str) -> Result<(u64, u64)> {
        let text = self.text(&["rev-list", "--left-right", "--count", &format!("{base}...{head}")]).await?;
        let mut numbers = text.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(behind)), Some(Ok(ahead))) => Ok((behind, ahead)),
            _ => bail!("git rev-list --count said {text:?}"),
        }
    }

    /// Brings a ref of another repository of the same network into this one, under a ref of its own.
    pub(crate) async fn fetch(&self, from: &Path, reference: &str, into: &str) -> Result<()> {
        let source = from.to_string_lossy().into_owned();
        self.text(&["fetch", "--quiet", "--no-tags", &source, &format!("+{reference}:{into}")]).await?;
        Ok(())
    }

    pub(crate) async fn set_ref(&self, reference: &str, sha: &str) -> Result<()> {
        self.text(&["update-ref", reference, sha]).await.map(drop)
    }

    /// Standard output of a git command that must succeed.
    pub(crate) async fn bytes(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.run(arguments).await?;
        if !output.status.success() {
            let command = arguments.first().copied().unwrap_or_default();
            bail!("git {command} failed: {}", lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// As [`Git::bytes`], as text.
    pub(crate) async fn text(&self, arguments: &[&str]) -> Result<String> {
        Ok(lossy(&self.bytes(arguments).await?))
    }

    /// A git command on this repository, free of the caller's own git environment.
    pub(crate) fn command(&self) -> Command {
        // Named by its path, it is spawned without a copy of this process's memory map: a program that has to be
        // looked up in a PATH of its own is forked.
        let mut command = Command::new(program());
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR"));
        command.env("HOME", &self.directory).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8");
        // A path is a path, also when it looks like a pattern.
        command.env("GIT_LITERAL_PATHSPECS", "1");
        command.current_dir(&self.directory).kill_on_drop(true);
        command
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects of so many names, each free of line breaks, by one git.
    async fn objects(&self, names: &[String]) -> Result<Vec<Option<Object>>> {
        let mut command = self.command();
        command.args(["cat-file", "--batch-check=%(objectname) %(objecttype)"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("run git")?;
        let mut input = child.stdin.take().context("git has an input")?;
        input.write_all((names.join("\n") + "\n").as_bytes()).await.context("ask git for objects")?;
        drop(input);
        let output = child.wait_with_output().await.context("run git")?;
        let text = lossy(&output.stdout);
        let objects: Vec<Option<Object>> = text.lines().map(object_of).collect();
        ensure!(objects.len() == names.len(), "git cat-file --batch-check said {text:?}");
        Ok(objects)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(["-c", "core.quotePath=false"]).args(arguments).stdin(Stdio::null());
        command.output().await.context("run git")
    }
}

/// `<sha> <kind>`; where there is none git repeats the name and says `missing` or `ambiguous`.
fn object_of(line: &str) -> Option<Object> {
    let (sha, kind) = line.split_once(' ')?;
    let kinds = ["commit", "tag", "tree", "blob"];
    (is_sha(sha) && kinds.contains(&kind)).then(|| Object { sha: sha.to_owned(), kind: kind.to_owned() })
}

/// Where git is, or its bare name, which then fails with a message of its own.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|folder| folder.join("git"));
        places.find(|place| place.is_absolute() && place.is_file()).unwrap_or_else(|| PathBuf::from("git"))
    })
}

/// Whether a text can be a commit's name: seven to forty hexadecimal digits.
pub(crate) fn is_sha(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text can be a path inside a commit.
pub(crate) fn is_path(text: &str) -> bool {
    text.split('/').all(|part| !["", ".", ".."].contains(&part)) && !text.contains('\0')
}

/// The text of bytes that are nearly always UTF-8.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
