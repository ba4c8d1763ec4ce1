//! The SAM CLI, run as a developer runs it: from the checkout, with its `samconfig.toml`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::sam::Prepared;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

/// How long an invocation may take: verify's own timeout and the start of SAM.
const LIMIT: Duration = Duration::from_mins(3);
/// How many lines of a log a failure shows.
const TAIL: usize = 30;
const POLL: Duration = Duration::from_millis(100);

/// The SAM CLI with the variables it needs.
pub(crate) struct Sam {
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
}

/// What came of an invocation.
pub(crate) struct Answer {
    /// What the function returned.
    pub(crate) value: Value,
    /// What it and SAM logged.
    pub(crate) log: String,
    pub(crate) took: Duration,
}

/// A running `sam local start-api`; it ends with [`Api::end`].
pub(crate) struct Api {
    child: Child,
    port: u16,
    log: PathBuf,
}

/// Where `make doctor`'s companion installs it.
pub(crate) fn program() -> PathBuf {
    local::workspace().join(".slipway/sam/bin/sam")
}

impl Sam {
    pub(crate) fn new(prepared: Prepared, state_dir: &Path) -> Self {
        let mut variables = prepared.variables;
        // What it keeps for itself, and would otherwise lay into the home directory.
        variables.push(("__SAM_CLI_APP_DIR", state_dir.join("sam/app").display().to_string()));
        Self { variables, log: state_dir.join("sam/start-api.log") }
    }

    /// `sam local invoke <function> --event events/<event>.json`.
    ///
    /// # Errors
    /// When SAM fails or the function does: with the log's end.
    pub(crate) async fn invoke(&self, function: &str, event: &str) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        let path = format!("events/{event}.json");
        let output = self.command(&["invoke", function, "--event", &path]).output();
        let output = timeout(LIMIT, output).await.context("SAM does not end")??;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let took = begun.elapsed();
        let answer = Answer { value: value.unwrap_or_default(), log, took };
        ensure!(output.status.success(), "{}{}", text, answer.tail());
        ensure!(answer.value["errorType"].is_null(), "{}\n{}", answer.value, answer.tail());
        ensure!(!answer.value.is_null(), "no answer\n{}", answer.tail());
        Ok(answer)
    }

    /// `sam local start-api` on a free port, ready for requests.
    ///
    /// # Errors
    /// When it ends before it answers.
    pub(crate) async fn start_api(&self) -> anyhow::Result<Api> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
        let log = std::fs::File::create(&self.log).context("the log of start-api")?;
        let mut command = self.command(&["start-api", "--port", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(log).spawn()?;
        let mut api = Api { child, port, log: self.log.clone() };
        api.wait_until_ready().await?;
        Ok(api)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("local").args(arguments).current_dir(local::workspace());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Answer {
    /// The log's last lines.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log)
    }
}

impl Api {
    /// Where the webhook listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/webhook", self.port)
    }

    /// The end of what it has logged, the functions' own lines among it.
    pub(crate) fn tail(&self) -> String {
        tail(&std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Ends it in order, so that it removes its containers.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("start-api has ended by itself")?.to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status().await?;
        timeout(LIMIT, self.child.wait()).await.context("start-api does not end")??;
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut ticks = interval(POLL);
        loop {
            ticks.tick().await;
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "start-api has ended\n{}", self.tail());
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
}
