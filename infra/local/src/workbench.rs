//! A developer's checkout: the example monorepo in a folder, edited, committed and pushed by real git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use domain::ids::{RepositoryName, RunId, Sha, Trust};
use jiff::Timestamp;
use tokio::process::Command;

use crate::monorepo;
use crate::record::Record;

/// A checkout whose `origin` is the local GitHub.
#[derive(Debug)]
pub struct Workbench {
    folder: PathBuf,
    repository: RepositoryName,
}

impl Workbench {
    /// Copies the example into `folder` (emptied first) and makes it a git repository on branch `develop`.
    ///
    /// # Errors
    /// When files cannot be copied or git is missing.
    pub async fn of_example(
        example: &Path,
        folder: &Path,
        record: &Record,
        repository: &RepositoryName,
    ) -> anyhow::Result<Self> {
        let _ = fs::remove_dir_all(folder);
        copy(example, folder).with_context(|| format!("copying {}", example.display()))?;
        Self::initialized(folder, record, repository).await
    }

    /// Makes a repository of `services` services in `folder` (emptied first), on branch `develop`: `service_001` and so
    /// on, each with Dockerfile, tests and manifests, and checks and integration tests for all.
    ///
    /// # Errors
    /// As [`Workbench::of_example`].
    pub async fn of_services(
        services: usize,
        folder: &Path,
        record: &Record,
        repository: &RepositoryName,
    ) -> anyhow::Result<Self> {
        let bench = Self::empty(folder, record, repository).await?;
        for (path, text) in monorepo::files(services) {
            bench.write(&path, &text)?;
        }
        Ok(bench)
    }

    async fn empty(folder: &Path, record: &Record, repository: &RepositoryName) -> anyhow::Result<Self> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Self::initialized(folder, record, repository).await
    }

    async fn initialized(
        folder: &Path,
        record: &Record,
        repository: &RepositoryName,
    ) -> anyhow::Result<Self> {
        let bench = Self { folder: folder.to_owned(), repository: repository.clone() };
        bench.git(&["init", "--quiet", "--initial-branch", "develop"]).await?;
        let url =
            record.github_url().replace("http://", &format!("http://x:{}@", record.credentials.github_token));
        bench.git(&["remote", "add", "origin", &format!("{url}/{repository}.git")]).await?;
        Ok(bench)
    }

    /// Where the checkout lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces `from`, which must stand there, by `to` in a file.
    ///
    /// # Errors
    /// When the file does not hold `from`.
    pub fn edit(&self, path: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let file = self.folder.join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        ensure!(text.contains(from), "`{path}` does not hold `{from}`");
        fs::write(&file, text.replacen(from, to, 1))?;
        Ok(())
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let file = self.folder.join(path);
        fs::create_dir_all(file.parent().context("a path in a folder")?)?;
        Ok(fs::write(file, text)?)
    }

    /// Commits everything and pushes it to a branch; answers the run that this begins.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn push(&self, branch: &str, message: &str) -> anyhow::Result<RunId> {
        let run = self.commit(message).await?;
        self.push_commit(branch).await?;
        Ok(run)
    }

    /// Commits everything, and with it files of their own content that every test and every image reads, so that neither
    /// is taken over from an earlier commit; answers the run that pushing it begins.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn commit(&self, message: &str) -> anyhow::Result<RunId> {
        let text = format!("{message} at {}\n", Timestamp::now());
        self.write("COMMIT", &text)?;
        for service in fs::read_dir(self.folder.join("backend")).into_iter().flatten() {
            let path = service?.path();
            if path.is_dir() {
                fs::write(path.join("COMMIT"), &text)?;
            }
        }
        self.commit_as_it_is(message).await
    }

    /// Commits everything, also where nothing has changed; answers the run that pushing it begins.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn commit_as_it_is(&self, message: &str) -> anyhow::Result<RunId> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).await?;
        let sha: Sha = self.git(&["rev-parse", "HEAD"]).await?.trim().parse()?;
        Ok(RunId { repository: self.repository.clone(), sha, trust: Trust::Trusted })
    }

    /// Pushes what is committed to a branch.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn push_commit(&self, branch: &str) -> anyhow::Result<()> {
        self.git(&["push", "--quiet", "origin", &format!("HEAD:refs/heads/{branch}")]).await.map(drop)
    }

    /// Runs git in the checkout and gives back what it printed.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("git")
            .args(["-c", "user.name=A Developer", "-c", "user.email=developer@vivesphere.example"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
            .args(arguments)
            .current_dir(&self.folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .await
            .context("git is not installed; `make doctor` lists what is missing")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {}: {complaint}", arguments.first().unwrap_or(&""));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Copies a folder, leaving out what tools leave behind.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, name) = (entry.path(), entry.file_name());
        if matches!(name.to_str(), Some("__pycache__" | ".pytest_cache" | ".coverage" | ".git")) {
            continue;
        }
        if source.is_dir() {
            copy(&source, &to.join(name))?;
        } else {
            fs::copy(&source, to.join(name))?;
        }
    }
    Ok(())
}
