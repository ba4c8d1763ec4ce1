//! The slipway command.

mod command;
mod demo;
mod deploy;
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

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    Box::pin(command::Arguments::parse().run()).await.unwrap_or_else(|error| {
        output::error(&error);
        ExitCode::FAILURE
    })
}
