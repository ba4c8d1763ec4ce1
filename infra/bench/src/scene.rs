//! A light cloud for one part of the bench, up before it and down after it, however it ends.

use std::path::Path;

use anyhow::Context;
use local::light::Light;
use local::{Cloud, Options, Record};

use crate::bench::Bench;
use crate::output;

/// The cloud's name; one bench runs at a time.
const NAME: &str = "bench";

/// Plays `part` in a cloud of its own whose builds and pods are pretended. `prepare` may change its options.
///
/// # Errors
/// As the part, or when the cloud does not come up or end.
pub(crate) async fn in_cloud<T>(
    bench: &Bench,
    prepare: impl FnOnce(&mut Options),
    part: impl AsyncFnOnce(&Cloud) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut options = options(&bench.workspace);
    options.functions_dir.clone_from(&bench.functions);
    options.light = Some(Light::default());
    // What functions log by default on AWS, whatever this command is asked to log.
    options.variables.push(("RUST_LOG".into(), "info".into()));
    prepare(&mut options);
    let cloud = Cloud::up(options, &|_: &str| {}).await.context("starting the cloud")?;
    let played = part(&cloud).await;
    let ended = cloud.down().await.context("ending the cloud");
    let value = played?;
    ended.map(|()| value)
}

/// Ends the cloud of a bench that was interrupted.
///
/// # Errors
/// When something cannot be ended.
pub(crate) async fn abandon(workspace: &Path) -> anyhow::Result<()> {
    Cloud::abandon(&options(workspace).state_dir, &output::progress).await
}

/// The folder of the cloud's function processes.
pub(crate) fn functions_of(workspace: &Path) -> std::path::PathBuf {
    options(workspace).state_dir.join("functions")
}

/// A folder for checkouts, in the cloud's own.
pub(crate) fn checkout_of(workspace: &Path) -> std::path::PathBuf {
    options(workspace).state_dir.join("checkout")
}

/// An output of the cloud's stack.
pub(crate) fn output_of<'a>(record: &'a Record, name: &str) -> anyhow::Result<&'a str> {
    record.outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output `{name}`"))
}

fn options(workspace: &Path) -> Options {
    Options::new(workspace, NAME)
}
