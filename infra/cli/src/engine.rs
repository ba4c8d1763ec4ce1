//! `slipway local engine -- COMMAND`: a command with one Docker engine for all that it starts.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use local_engine::{Engine, images};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

#[derive(Args)]
pub(crate) struct WithEngine {
    /// The command and its arguments; it finds the engine by `DOCKER_HOST`.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command; a private engine that had to be started ends with it.
pub(crate) async fn run(arguments: WithEngine) -> anyhow::Result<ExitCode> {
    let slipway = local::workspace().join(".slipway");
    // A folder of its own: clouds that the command starts look for left-over engines in theirs.
    let folder = slipway.join("with-engine");
    std::fs::create_dir_all(&folder)?;
    // The command gets a terminal's Ctrl-C too: it ends, and then the engine.
    let _interrupt = signal(SignalKind::interrupt())?;
    let _terminate = signal(SignalKind::terminate())?;
    let engine = Engine::find_or_start(&folder, &output::progress).await?;
    let result = play(&engine, &slipway, &arguments.command).await;
    engine.stop().await?;
    result
}

async fn play(engine: &Engine, slipway: &std::path::Path, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let cache = slipway.join("images");
    images::ensure_build(engine, &cache, &output::progress).await?;
    images::ensure_python(engine, &cache, &output::progress).await?;
    let (program, rest) = command.split_first().context("a command is needed")?;
    let mut child = Command::new(program);
    child.args(rest);
    if let Some(host) = engine.host() {
        child.env("DOCKER_HOST", host);
    }
    let status = child.status().await.with_context(|| format!("starting {}", program.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
