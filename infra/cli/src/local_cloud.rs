//! `slipway local`: the one-machine cloud, brought up, shown and taken down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use local::{Cloud, Options, Phase, Record, Standing};
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::{self, Demo};
use crate::engine::{self, WithEngine};
use crate::output;
use crate::sam::{self, Loopback, Sam};

/// The exit code of `status` where no cloud is up.
const NOT_RUNNING: u8 = 3;

/// Folders in `.slipway` that belong to no cloud.
const TAKEN: [&str; 4] = ["engine", "images", "sam", "venv"];

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a cloud and hold it until Ctrl-C.
    Up(Up),
    /// End a cloud, also one that was killed, and leave nothing behind.
    Down(Which),
    /// Show where everything is.
    Status(Which),
    /// Start a cloud, push to it twice, show what became of it, and end it.
    Demo(Demo),
    /// Run a command with one Docker engine for all that it starts.
    Engine(WithEngine),
    /// Prepare the SAM CLI for a cloud that is up; prints what a shell is to evaluate.
    Sam(Sam),
    /// Run a command in a container of `sam local` as if it ran beside the cloud.
    #[command(hide = true)]
    Loopback(Loopback),
}

#[derive(Args)]
pub(crate) struct Which {
    /// The cloud's name; clouds of different names run side by side.
    #[arg(long, default_value = "slipway", value_parser = name)]
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    which: Which,
    /// The first of five ports on 127.0.0.1; 0 takes free ones.
    #[arg(long, default_value_t = 4570)]
    port: u16,
    /// Deploy to the current context of this kubeconfig (default: the one that KUBECONFIG names) instead of the
    /// small cluster of the cloud's own.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The folder of the compiled functions.
    #[arg(long, value_name = "FOLDER")]
    functions: Option<PathBuf>,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up(arguments).await,
        Command::Down(which) => down(&which).await,
        Command::Status(which) => Ok(status(&which).await),
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Engine(arguments) => engine::run(arguments).await,
        Command::Sam(arguments) => sam::run(arguments).await,
        Command::Loopback(arguments) => sam::loopback(arguments).await,
    }
}

async fn up(arguments: Up) -> anyhow::Result<ExitCode> {
    let mut options = Options::new(&local::workspace(), &arguments.which.name);
    options.base_port = arguments.port;
    let from_environment =
        || std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    options.kubeconfig = arguments.kubeconfig.or_else(from_environment);
    if let Some(folder) = arguments.functions {
        options.functions_dir = folder;
    }
    if let Some(filter) = std::env::var_os("RUST_LOG") {
        options.variables.push(("RUST_LOG".into(), filter));
    }
    // Listened to from the start: a Ctrl-C while the cloud comes up must clean up too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that is closed.
    let mut hangup = signal(SignalKind::hangup())?;
    let state_dir = options.state_dir.clone();
    let cloud = tokio::select! {
        cloud = Cloud::up(options, &output::progress) => cloud?,
        _ = interrupt.recv() => return give_up(&state_dir).await,
        _ = terminate.recv() => return give_up(&state_dir).await,
        _ = hangup.recv() => return give_up(&state_dir).await,
    };
    show(cloud.record());
    output::progress("Ctrl-C ends it");
    let broken = tokio::select! {
        broken = cloud.broken() => Some(broken),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        _ = hangup.recv() => None,
    };
    let name = cloud.record().name.clone();
    if let Some(reason) = &broken {
        output::progress(reason);
    }
    output::progress("ending the cloud");
    cloud.down().await?;
    match broken {
        None => Ok(ExitCode::SUCCESS),
        Some(_) => {
            bail!("the cloud `{name}` is over; `slipway local up --name {name}` starts a new, empty one")
        }
    }
}

/// Clears away a cloud that was interrupted while it came up.
async fn give_up(state_dir: &Path) -> anyhow::Result<ExitCode> {
    Cloud::abandon(state_dir, &output::progress).await?;
    Ok(ExitCode::FAILURE)
}

async fn down(which: &Which) -> anyhow::Result<ExitCode> {
    let state_dir = Options::new(&local::workspace(), &which.name).state_dir;
    let done = local::down(&state_dir, &output::progress).await?;
    let name = &which.name;
    output::line(&if done {
        format!("the cloud `{name}` is gone")
    } else {
        format!("no cloud `{name}` was up")
    });
    Ok(ExitCode::SUCCESS)
}

async fn status(which: &Which) -> ExitCode {
    let state_dir = Options::new(&local::workspace(), &which.name).state_dir;
    let name = &which.name;
    let (down, up) = (format!("slipway local down --name {name}"), format!("slipway local up --name {name}"));
    match local::standing(&state_dir).await {
        Standing::Held(record) if record.phase == Phase::Up => {
            show(&record);
            return ExitCode::SUCCESS;
        }
        Standing::Held(record) => {
            let does = if record.phase == Phase::Starting { "is coming up" } else { "is ending" };
            output::line(&format!("the cloud `{name}` {does} (process {})", record.process.id));
        }
        Standing::Busy => {
            output::line(&format!("the cloud `{name}` is being started or cleared away; `{down}` ends it"));
        }
        Standing::Left(remains) => {
            output::line(&format!("the cloud `{name}` was killed and left {remains}"));
            output::line(&format!("`{down}` clears it away, and so does `{up}`"));
        }
        Standing::Nothing => output::line(&format!("no cloud `{name}` is up; `{up}` starts one")),
    }
    ExitCode::from(NOT_RUNNING)
}

pub(crate) fn show(record: &Record) {
    let credentials = &record.credentials;
    output::entry("cloud", &format!("{} (process {})", record.name, record.process.id));
    output::entry("AWS", &record.aws_url());
    output::entry("CodeBuild", &record.builds_url());
    output::entry("GitHub", &record.github_url());
    output::entry("Slack", &record.slack_url());
    output::entry("mail", &format!("{}/_ministack/ses/messages", record.aws_url()));
    if let Some(webhook_url) = &record.webhook_url {
        output::entry("webhook", webhook_url);
    }
    if let Some(kubeconfig) = &record.kubeconfig {
        output::entry("kubeconfig", &kubeconfig.display().to_string());
    }
    output::entry("push as", &format!("x:{}", credentials.github_token));
}

/// A name becomes part of labels, queues and paths.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let fits = text.len() <= 20
        && text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if !fits {
        return Err("up to 20 lower-case letters, digits and hyphens".to_owned());
    }
    if TAKEN.contains(&text) {
        return Err(format!("`.slipway/{text}` is where the tools of all clouds lie; take another name"));
    }
    Ok(text.to_owned())
}
