//! The proof of SAM local, `make sam`: each function is invoked by `sam local invoke`, in a container, with an event of
//! `events/` as it stands, and the webhook is asked through `sam local start-api`. The cloud holds its own functions
//! back meanwhile, so that every effect is the invoked function's.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "people read along")]

mod command;
#[path = "../it/http.rs"]
mod http;
mod look;
#[path = "../it/programs.rs"]
mod programs;
mod steps;

use std::process::ExitCode;

use anyhow::{Context, ensure};
use local::{Cloud, Options, sam};
use tokio::signal::unix::{Signal, SignalKind, signal};

use command::Sam;
use look::Look;

/// The cloud's name.
const NAME: &str = "sam-proof";

#[tokio::main]
async fn main() -> ExitCode {
    if !is_asked_for() {
        return ExitCode::SUCCESS;
    }
    match Box::pin(prove()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sam: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `cargo test WORD` runs what has the word in its name, `cargo test -- --list` runs nothing.
fn is_asked_for() -> bool {
    let mut arguments = std::env::args().skip(1);
    let mut words = arguments.by_ref().filter(|argument| !argument.starts_with('-')).peekable();
    let named = words.peek().is_none() || words.any(|word| "sam".contains(&word));
    named && !std::env::args().any(|argument| argument == "--list")
}

async fn prove() -> anyhow::Result<()> {
    let mut interrupts = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let options = Options::new(&local::workspace(), NAME);
    programs::all_current(&options.functions_dir, &options.template)?;
    programs::current(&options.functions_dir.join("slipway"))?;
    ensure!(command::program().exists(), "the SAM CLI is missing: `sh infra/doctor.sh sam` installs it");
    let progress = |line: &str| println!("· {line}");
    let cloud = tokio::select! {
        cloud = Cloud::up(options.clone(), &progress) => cloud?,
        () = interrupted(&mut interrupts) => {
            Cloud::abandon(&options.state_dir, &progress).await?;
            anyhow::bail!("interrupted")
        }
    };
    let proved = tokio::select! {
        proved = play(&cloud, &options) => proved,
        () = interrupted(&mut interrupts) => Err(anyhow::anyhow!("interrupted")),
    };
    println!("· ending the cloud");
    let ended = cloud.down().await.context("ending the cloud");
    let invoked = proved?;
    ended?;
    println!("{invoked} functions and start-api, each with the effect that it should have");
    Ok(())
}

async fn play(cloud: &Cloud, options: &Options) -> anyhow::Result<usize> {
    let progress = |line: &str| println!("· {line}");
    let (record, prepared) = sam::prepare(options, &progress).await?;
    sam::plant_commit(options, look::REPOSITORY).await?;
    sam::hold(&record, true).await?;
    let sam = Sam::new(prepared, &options.state_dir);
    let look = Look::at(cloud).await?;
    let all = template_functions(&std::fs::read_to_string(&options.template)?);
    let invoked = steps::play(&sam, &look).await?;
    for function in all {
        ensure!(invoked.contains(&function), "`{function}` of template.yaml was not invoked");
    }
    Ok(invoked.len())
}

/// The logical ids of all functions.
fn template_functions(template: &str) -> Vec<String> {
    let lines: Vec<&str> = template.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[1].trim() == "Type: AWS::Serverless::Function");
    pairs.map(|pair| pair[0].trim().trim_end_matches(':').to_owned()).collect()
}

async fn interrupted((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
