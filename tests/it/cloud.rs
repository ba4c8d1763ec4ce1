//! A cloud for one story: up before it, down after it, however it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::panic::{AssertUnwindSafe, resume_unwind};

use anyhow::{Context, anyhow, bail, ensure};
use futures::FutureExt;
use local::{Cloud, Options, Record};
use local_engine::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::programs;
use crate::world::World;

/// Plays a story in a cloud of this name, which nobody else uses. The cloud is taken down also when the story fails,
/// panics or is interrupted, and then nothing of it may be left. What a killed test leaves, the next start of the same
/// name clears away.
pub(crate) async fn in_cloud(
    name: &str,
    story: impl AsyncFnOnce(&World<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_cloud_with(Options::new(&local::workspace(), name), story).await
}

/// The same in a cloud with other options.
pub(crate) async fn in_cloud_with(
    options: Options,
    story: impl AsyncFnOnce(&World<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = options.name.clone();
    programs::all_current(&options.functions_dir, &options.template)?;
    let (label, state_dir) = (options.label(), options.state_dir.clone());
    let mut interrupts = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let up = tokio::select! {
        up = Cloud::up(options, &|_: &str| {}) => up,
        () = interrupted(&mut interrupts) => {
            Cloud::abandon(&state_dir, &|_: &str| {}).await?;
            bail!("interrupted")
        }
    };
    let cloud = up.with_context(|| format!("starting the cloud `{name}`"))?;
    let (record, engine) = (cloud.record().clone(), cloud.engine().clone());
    let played = tokio::select! {
        played = AssertUnwindSafe(play(&cloud, story)).catch_unwind() => played,
        () = interrupted(&mut interrupts) => Ok(Err(anyhow!("interrupted"))),
    };
    let ended = cloud.down().await.context("ending the cloud");
    match played {
        Err(panic) => resume_unwind(panic),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(())) => {
            ended?;
            check_gone(&record, &engine, &label).await
        }
    }
}

async fn play(
    cloud: &Cloud,
    story: impl AsyncFnOnce(&World<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let world = World::of(cloud).await?;
    match story(&world).await {
        Ok(()) => Ok(()),
        // The logs end with the cloud: what functions complained of is told now.
        Err(failure) => bail!("{failure:#}\nfunctions complained of:\n{}", world.complaints().await),
    }
}

async fn interrupted((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// No process, port, container or network is left. A private engine has ended with the last cloud.
async fn check_gone(record: &Record, engine: &Engine, label: &str) -> anyhow::Result<()> {
    ensure!(!record.ministack.is_some_and(local::Process::is_running), "the local AWS still runs");
    let ports = record.ports;
    for port in [ports.aws, ports.builds, ports.github, ports.cluster, ports.slack] {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} is still taken"))?;
    }
    if engine.version().await.is_err() {
        return Ok(());
    }
    let filter = format!("label={label}");
    for list in [["ps", "--all"], ["network", "ls"]] {
        let left = engine.output(&[list[0], list[1], "--quiet", "--filter", &filter]).await?;
        ensure!(left.trim().is_empty(), "docker {} still lists {left}", list.join(" "));
    }
    Ok(())
}
