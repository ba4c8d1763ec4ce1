//! The container of one build, through the engine's own client.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, bail};
use local_engine::Engine;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;

use crate::build::Build;
use crate::logs::Log;
use crate::options::Options;

/// A container of its own for each build. It is removed by its name, whether it was made or not.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    engine: Engine,
    name: String,
    /// Held while the container is being made, so that a removal never overtakes it.
    making: Arc<Mutex<()>>,
}

impl Container {
    pub(crate) fn new(options: &Options, build: &Build) -> Self {
        let name = format!("slipway-build-{}", build.uuid());
        Self { engine: options.engine.clone(), name, making: Arc::default() }
    }

    /// Makes and starts the container; nothing runs in it yet.
    pub(crate) async fn start(&self, options: &Options, build: &Build) -> anyhow::Result<()> {
        let arguments = self.arguments(options, build);
        let container = self.clone();
        let making = Arc::clone(&self.making).lock_owned().await;
        // A task of its own: a build that is stopped right now must not leave half a start behind.
        let made = tokio::spawn(async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let result = container.engine.output(&arguments).await;
            drop(making);
            result
        });
        made.await.context("starting the container")??;
        Ok(())
    }

    fn arguments(&self, options: &Options, build: &Build) -> Vec<String> {
        let cloud = format!("slipway.cloud={}", options.cloud);
        let mut arguments: Vec<String> =
            ["run", "--detach", "--network", "host", "--name"].map(String::from).into();
        arguments.push(self.name.clone());
        arguments.extend(["--label".into(), cloud, "--label".into(), format!("slipway.build={}", build.id)]);
        if build.environment.privileged_mode
            && options.engine.host().is_none_or(|host| host.starts_with("unix:"))
        {
            let socket = options.engine.socket();
            arguments.extend(["--volume".into(), format!("{}:/var/run/docker.sock", socket.display())]);
        }
        let image = options.image_for(&build.environment.image).to_owned();
        arguments.extend(["--entrypoint".into(), "sleep".into(), image, "infinity".into()]);
        arguments
    }

    /// Unpacks a tar archive at the root of the container's file system.
    pub(crate) async fn unpack(&self, archive: Vec<u8>) -> anyhow::Result<()> {
        let mut command = self.engine.command();
        command.args(["cp", "-", &format!("{}:/", self.name)]);
        let output = with_input(command, archive).await?;
        if !output.status.success() {
            bail!("copying into the container: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Runs a script in the container and writes what it says to the log, line by line. Gives back its exit code.
    pub(crate) async fn run(&self, shell: &str, script: &str, log: &Log) -> anyhow::Result<i32> {
        let mut command = self.engine.command();
        command.args(["exec", &self.name, shell, script]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("the Docker client does not start")?;
        let output = child.stdout.take().context("the Docker client has no output")?;
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).await? > 0 {
            log.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            line.clear();
        }
        let status = child.wait().await?;
        // Without a code the client itself was killed.
        Ok(status.code().unwrap_or(137))
    }

    /// Runs a command in the container, feeds it `input`, and gives back what it writes.
    pub(crate) async fn output(&self, arguments: &[&str], input: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let mut command = self.engine.command();
        command.args(["exec", "--interactive", &self.name]).args(arguments);
        let output = with_input(command, input).await?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }

    /// Removes the container with everything that runs in it.
    pub(crate) async fn remove(&self) {
        let _made = self.making.lock().await;
        if let Err(error) = self.engine.output(&["rm", "--force", "--volumes", &self.name]).await
            && !error.to_string().contains("No such container")
        {
            tracing::warn!("container {} stays: {error:#}", self.name);
        }
    }
}

async fn with_input(
    mut command: tokio::process::Command,
    input: Vec<u8>,
) -> anyhow::Result<std::process::Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("the Docker client does not start")?;
    let mut pipe = child.stdin.take().context("the Docker client has no input")?;
    // Both ends at once: a program may answer before it has read everything.
    let feed = async move {
        // One that ends early closes the pipe; its exit status says why.
        let _ = pipe.write_all(&input).await;
        let _ = pipe.shutdown().await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    Ok(output?)
}
