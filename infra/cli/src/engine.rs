//! `slipway local engine -- COMMAND`: a command with one Docker engine for all that it starts.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

#[derive(Args)]
pub(crate) struct WithEngine {
    /// The command and its arguments; it finds the engine by `DOCKER_HOST`.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command and ends as it ends.
pub(crate) async fn run(arguments: WithEngine) -> anyhow::Result<ExitCode> {
    // The command gets a terminal's Ctrl-C too: it ends, and then the engine.
    let _interrupt = signal(SignalKind::interrupt())?;
    let _terminate = signal(SignalKind::terminate())?;
    let slipway_dir = local::workspace().join(".slipway");
    let status = local::with_engine(&slipway_dir, &arguments.command, &output::progress).await?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
