//! `slipway local demo`: three pushes travel the whole way on this machine, and people see what became of them.

mod acts;
mod progress;
mod show;
mod visitor;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use local::{Cloud, Options, Watch, Workbench};
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// The repository that the local operator's file serves.
const REPOSITORY: &str = "vive-sphere/bot-manager";

#[derive(Args)]
pub(crate) struct Demo {
    /// Leave the cloud up until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// The first of five ports on 127.0.0.1; 0 takes free ones.
    #[arg(long, default_value_t = 4570)]
    port: u16,
}

/// A cloud with a developer's checkout beside it.
struct Stage {
    cloud: Cloud,
    watch: Watch,
    bench: Workbench,
}

pub(crate) async fn run(arguments: Demo) -> anyhow::Result<ExitCode> {
    let mut options = Options::new(&local::workspace(), "demo");
    options.base_port = arguments.port;
    options.kubeconfig = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let state_dir = options.state_dir.clone();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let cloud = tokio::select! {
        cloud = Cloud::up(options, &output::progress) => cloud?,
        _ = interrupt.recv() => return give_up(&state_dir).await,
        _ = terminate.recv() => return give_up(&state_dir).await,
    };
    let stage = set(cloud).await?;
    let played = tokio::select! {
        played = acts::play(&stage) => played,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("interrupted")),
    };
    if let Err(error) = &played {
        output::error(error);
    }
    if arguments.keep {
        show::ways_in(&stage);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    output::progress("ending the cloud");
    stage.cloud.down().await?;
    Ok(if played.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn set(cloud: Cloud) -> anyhow::Result<Stage> {
    let record = cloud.record();
    let watch = Watch::of(record).await?;
    let folder = local::workspace().join(".slipway").join(&record.name).join("checkout");
    let example = local::workspace().join("infra/example");
    let bench = Workbench::of_example(&example, &folder, record, &REPOSITORY.parse()?).await?;
    Ok(Stage { cloud, watch, bench })
}

async fn give_up(state_dir: &std::path::Path) -> anyhow::Result<ExitCode> {
    Cloud::abandon(state_dir, &output::progress).await?;
    Ok(ExitCode::FAILURE)
}
