//! A command with one Docker engine for all that it starts.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::Context;
use local_engine::{Engine, Progress, images};
use tokio::process::Command;

/// Runs a command that finds the engine by `DOCKER_HOST`; base images are there already. A private engine that had
/// to be started below `slipway_dir` ends with the command.
///
/// # Errors
/// When there is no engine, an image cannot be made, or the command does not start.
pub async fn with_engine(
    slipway_dir: &Path,
    command: &[OsString],
    progress: Progress<'_>,
) -> anyhow::Result<ExitStatus> {
    // A folder of its own: clouds that the command starts look for left-over engines in theirs.
    let folder = slipway_dir.join("with-engine");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let engine = Engine::find_or_start(&folder, progress).await?;
    let result = play(&engine, slipway_dir, command, progress).await;
    engine.stop().await?;
    result
}

async fn play(
    engine: &Engine,
    slipway_dir: &Path,
    command: &[OsString],
    progress: Progress<'_>,
) -> anyhow::Result<ExitStatus> {
    let cache = slipway_dir.join("images");
    images::ensure_build(engine, &cache, progress).await?;
    images::ensure_python(engine, &cache, progress).await?;
    let (program, arguments) = command.split_first().context("a command is needed")?;
    let mut child = Command::new(program);
    child.args(arguments);
    if let Some(host) = engine.host() {
        child.env("DOCKER_HOST", host);
    }
    child.status().await.with_context(|| format!("starting {}", program.display()))
}
