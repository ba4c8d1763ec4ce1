//! The verbs of the command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{deploy, dlq, local_cloud, rerun, timeline, validate};

/// From a GitHub push to a verified release on Kubernetes.
#[derive(Parser)]
#[command(name = "slipway", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole pipeline on one machine.
    #[command(subcommand)]
    Local(local_cloud::Command),
    /// Messages that were set aside because they cannot be read, or came back too often.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Deploy the services of a run once more, or say what the cluster would make of it.
    Deploy(deploy::Arguments),
    /// Run a task of a run again, or say why that cannot be.
    Rerun(rerun::Arguments),
    /// What people asked of a run and what the machinery could not do by itself.
    Timeline(timeline::Arguments),
    /// Judge a repository's pipeline file, or an operator's file, and show what would run.
    Validate(validate::Validate),
}

impl Arguments {
    /// Carries the verb out.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Local(command) => local_cloud::run(command).await,
            Command::Dlq(command) => dlq::run(command).await,
            Command::Deploy(arguments) => deploy::run(&arguments).await,
            Command::Rerun(arguments) => rerun::run(&arguments).await,
            Command::Timeline(arguments) => timeline::run(&arguments).await,
            Command::Validate(arguments) => validate::run(&arguments),
        }
    }
}
