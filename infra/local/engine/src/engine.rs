//! One engine: how it is found, spoken to and cleaned up.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::client;
use crate::private::{self, PrivateDaemon};

/// How long an engine may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where long steps say, in one short line each, what they are doing.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A [`Progress`] for callers that have nobody to tell.
pub fn no_progress(_line: &str) {}

/// A Docker engine that answers, and the client to speak to it.
#[derive(Debug, Clone)]
pub struct Engine {
    client: client::Client,
    host: Option<String>,
    private: Option<PrivateDaemon>,
}

impl Engine {
    /// The engine at `host` (`unix:///…` or `tcp://…`), or the client's own choice for `None`:
    /// `DOCKER_HOST`, else its current context. Nothing is contacted.
    pub fn at(host: Option<String>) -> Self {
        Self { client: client::choose(), host, private: None }
    }

    /// A reachable engine as it is, or else, as root with Docker installed, a private one whose files lie in
    /// `state_dir`. A private one left there by a killed cloud is taken over, or replaced when it is dead.
    ///
    /// # Errors
    /// One sentence that tells a person what to do when there is no engine and none can be started.
    pub async fn find_or_start(state_dir: &Path, progress: Progress<'_>) -> anyhow::Result<Self> {
        let default = Self::at(client::default_host().await);
        let refusal = match default.version().await {
            Ok(version) => {
                if let Some(left_over) = Self::left_over(state_dir).await? {
                    progress("ending a private Docker engine that an earlier start left here");
                    left_over.stop().await?;
                }
                let place = default.host().unwrap_or("the default socket");
                progress(&format!("using the Docker engine {version} at {place}"));
                return Ok(default);
            }
            Err(refusal) => refusal,
        };
        tracing::debug!("no engine answers: {refusal:#}");
        if let Some(left_over) = Self::left_over(state_dir).await? {
            progress("taking over the private Docker engine that an earlier start left here");
            return Ok(left_over);
        }
        private::check_possible(&refusal)?;
        progress("no Docker engine answers: starting a private one");
        Self::start_private(state_dir).await
    }

    /// A private engine in `state_dir`, also where another engine could be used. Needs root and dockerd.
    ///
    /// # Errors
    /// When it does not come up: with the last line of its log.
    pub async fn start_private(state_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self::private(PrivateDaemon::start(state_dir).await?))
    }

    /// The private engine that an earlier start left running in `state_dir`, if it still answers.
    /// What is left of a dead one (processes, mounts) is cleared away.
    ///
    /// # Errors
    /// When the remains cannot be cleared away.
    pub async fn left_over(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let Some(daemon) = PrivateDaemon::left_in(state_dir) else { return Ok(None) };
        let engine = Self::private(daemon.clone());
        if engine.version().await.is_ok() {
            return Ok(Some(engine));
        }
        daemon.end().await.context("clearing away a dead private Docker engine")?;
        Ok(None)
    }

    fn private(daemon: PrivateDaemon) -> Self {
        Self { client: client::choose(), host: Some(daemon.host()), private: Some(daemon) }
    }

    /// Whether this engine was started by us and ends with the cloud.
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Whether the client brings BuildKit (`RUN --mount=type=cache`); without it the legacy builder is used.
    pub fn has_buildkit(&self) -> bool {
        self.client.has_buildkit
    }

    /// The address handed to the client as `DOCKER_HOST`; `None` leaves it to the client's own default.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether it is reached by a socket of this machine.
    pub fn is_on_this_machine(&self) -> bool {
        self.host().is_none_or(|host| host.starts_with("unix:"))
    }

    /// The path of the engine's socket on this machine: what a privileged build gets to see.
    pub fn socket(&self) -> PathBuf {
        let path = self.host().and_then(|host| host.strip_prefix("unix://"));
        PathBuf::from(path.unwrap_or("/var/run/docker.sock"))
    }

    /// The Docker client, pointed at this engine, with nothing on its standard input.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.client.program);
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host).env_remove("DOCKER_CONTEXT");
        }
        command.env("DOCKER_BUILDKIT", if self.client.has_buildkit { "1" } else { "0" });
        command.env("BUILDKIT_PROGRESS", "plain");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs the client with `arguments` and gives back what it wrote, without the last line's end.
    ///
    /// # Errors
    /// When the client cannot be run, or fails: then with the last lines of what it complained about.
    pub async fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output =
            self.command().args(arguments).output().await.context("the Docker client does not start")?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("docker {}: {}", arguments.first().unwrap_or(&""), last_lines(&complaint));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// The engine's version: the quickest proof that it answers.
    ///
    /// # Errors
    /// When it does not answer, or not within ten seconds.
    pub async fn version(&self) -> anyhow::Result<String> {
        let question = ["version", "--format", "{{.Server.Version}}"];
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.output(&question)).await;
        answer.context("the Docker engine does not answer")?
    }

    /// Removes every container, network and volume that carries `label` (`name` or `name=value`).
    ///
    /// # Errors
    /// When the engine refuses; whatever else could be removed is removed all the same.
    pub async fn remove_labelled(&self, label: &str) -> anyhow::Result<()> {
        let filter = format!("label={label}");
        let containers = self
            .remove_all(&["ps", "--all", "--quiet", "--filter", &filter], &["rm", "--force", "--volumes"])
            .await;
        let networks =
            self.remove_all(&["network", "ls", "--quiet", "--filter", &filter], &["network", "rm"]).await;
        let volumes = self
            .remove_all(&["volume", "ls", "--quiet", "--filter", &filter], &["volume", "rm", "--force"])
            .await;
        containers.and(networks).and(volumes)
    }

    async fn remove_all(&self, list: &[&str], remove: &[&str]) -> anyhow::Result<()> {
        let listed = self.output(list).await?;
        if listed.is_empty() {
            return Ok(());
        }
        let arguments: Vec<&str> = remove.iter().copied().chain(listed.lines()).collect();
        match self.output(&arguments).await {
            Ok(_) => Ok(()),
            // Something may have been removed by its owner between the two commands.
            Err(error) if self.output(list).await?.is_empty() => {
                tracing::debug!("removed meanwhile: {error:#}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a private engine with everything in it (containers, networks, mounts, processes); its images stay
    /// in its folder for the next start. An engine that was there before us is left as it is.
    ///
    /// # Errors
    /// When the engine does not end, or a mount stays.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let Some(daemon) = &self.private else { return Ok(()) };
        if self.version().await.is_ok() {
            // The daemon would wait ten seconds for each container that ignores SIGTERM.
            let _ = self.remove_all(&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]).await;
            let _ = self.output(&["network", "prune", "--force"]).await;
        }
        daemon.end().await
    }
}

fn last_lines(complaint: &str) -> String {
    let lines: Vec<&str> = complaint.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(8);
    lines.get(start..).unwrap_or_default().join("\n")
}
