//! The slipway command.

mod demo;
mod dlq;
mod engine;
mod local_cloud;
mod output;
mod rerun;
mod sam;
mod stack;
mod timeline;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// From a GitHub push to a verified release on Kubernetes.
#[derive(Parser)]
#[command(name = "slipway", version, arg_required_else_help = true)]
struct Arguments {
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
    /// Run a task of a run again, or say why that cannot be.
    Rerun(rerun::Arguments),
    /// What people asked of a run and what the machinery could not do by itself.
    Timeline(timeline::Arguments),
    /// Judge a repository's pipeline file, or an operator's file, and show what would run.
    Validate(validate::Validate),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let result = match Arguments::parse().command {
        Command::Local(command) => local_cloud::run(command).await,
        Command::Dlq(command) => dlq::run(command).await,
        Command::Rerun(arguments) => rerun::run(&arguments).await,
        Command::Timeline(arguments) => timeline::run(&arguments).await,
        Command::Validate(arguments) => validate::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
