//! Measures Slipway and compares with what was measured before.

mod apply;
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

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // What the bench starts to measure whole processes.
    let done = match arguments.as_slice() {
        [_, verb, kubeconfig, file] if verb == "apply-once" => {
            apply::once(kubeconfig.as_ref(), file.as_ref()).await.map(|()| ExitCode::SUCCESS)
        }
        _ => bench::run(bench::Arguments::parse()).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
