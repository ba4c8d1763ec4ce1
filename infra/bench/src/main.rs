//! Measures Slipway and compares with what was measured before.

mod bench;
mod burst;
mod client;
mod emulator;
mod functions;
mod logs;
mod machine;
mod meter;
mod output;
mod prices;
mod process;
mod pushes;
mod relay;
mod report;
mod requests;
mod run;
mod scene;
mod sizes;
mod statistics;
mod table;
mod template;
mod verdict;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match bench::run(bench::Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
