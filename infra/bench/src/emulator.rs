//! One function under the Lambda runtime interface emulator that `aws-sam-cli` brings.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::client::{Answer, Client};
use crate::process::children;

/// How long the emulator may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// A running emulator. It starts the function's process with the first invocation, as a cold start does.
#[derive(Debug)]
pub(crate) struct Emulator {
    child: Child,
    url: String,
    client: Client,
}

/// Where the emulator lies in the environment that `make sam` and `make bench` install.
///
/// # Errors
/// When it is not installed.
pub(crate) fn program(workspace: &Path) -> anyhow::Result<PathBuf> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let versions = workspace.join(".slipway/sam/lib");
    let found = std::fs::read_dir(&versions).into_iter().flatten().flatten().map(|version| {
        version.path().join(format!("site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}"))
    });
    found.into_iter().find(|path| path.exists()).with_context(|| {
        format!(
            "no runtime interface emulator below `{}`; `make bench` installs aws-sam-cli there",
            versions.display()
        )
    })
}

impl Emulator {
    /// Starts one for a function with these variables and no others.
    ///
    /// # Errors
    /// When it does not listen in time.
    pub(crate) async fn start(
        program: &Path,
        function: &Path,
        variables: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let (own, runtime) = (free_port()?, free_port()?);
        let child = Command::new(program)
            .args(["--runtime-interface-emulator-address", &address(own)])
            .args(["--runtime-api-address", &address(runtime)])
            .args(["--log-level", "error"])
            .arg(function)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let url = format!("http://{}/2015-03-31/functions/function/invocations", address(own));
        let mut emulator = Self { child, url, client: Client::new() };
        emulator.listens(own).await?;
        Ok(emulator)
    }

    async fn listens(&mut self, port: u16) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the runtime interface emulator ended with {status}");
            }
            ensure!(Instant::now() < deadline, "the runtime interface emulator does not listen on {port}");
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Invokes the function with an event.
    ///
    /// # Errors
    /// When it answers with an error.
    pub(crate) async fn invoke(&self, event: &Value) -> anyhow::Result<(Value, Duration)> {
        let Answer { status, body, took } = self.client.post(&self.url, event.to_string()).await?;
        let text = || String::from_utf8_lossy(&body).into_owned();
        ensure!(status.is_success(), "the function answered {status}: {}", text());
        let answer = parse(&body).with_context(text)?;
        ensure!(answer.get("errorMessage").is_none(), "the function failed: {answer}");
        Ok((answer, took))
    }

    /// The function's process; none before the first invocation.
    pub(crate) fn function(&self) -> Option<u32> {
        children(self.child.id()?).first().copied()
    }

    /// Ends emulator and function.
    ///
    /// # Errors
    /// When the emulator does not end.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        // The function is no child of ours: the emulator keeps it in a group of its own.
        if let Some(function) = self.function() {
            let mut kill = Command::new("sh");
            kill.args(["-c", &format!("kill -KILL {function}")]).stderr(Stdio::null());
            kill.status().await?;
        }
        self.child.kill().await.context("ending the runtime interface emulator")
    }
}

fn parse(body: &Bytes) -> anyhow::Result<Value> {
    if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(body)?) }
}

fn address(port: u16) -> String {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}

/// A port that nobody listened on a moment ago: the emulator takes numbers only.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
