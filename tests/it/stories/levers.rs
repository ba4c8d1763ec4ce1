//! The levers of an operator: a red test run again by a plain message, a bad release that went back and is run again,
//! a machinery that fails until it is mended.

mod again;
mod back;
mod content;
mod stuck;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use domain::ids::RunId;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::Task;
use local::light::{BuildPretence, Fate, Light, Outcome, PodFate, PodPretence};
use local::{Options, Workbench};

use super::command::{Said, slipway};
use crate::cloud::in_cloud_with;
use crate::world::{REPOSITORY, World, eventually};

/// A whole run without containers, on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

/// What is wrong outside of the pipeline, until somebody mends it.
#[derive(Debug, Clone, Default)]
struct Causes {
    /// The tests of the first service are red.
    red: Arc<AtomicBool>,
    /// Pods whose template says `fate: crashes` do so.
    no_database: Arc<AtomicBool>,
}

pub(super) async fn play() -> anyhow::Result<()> {
    let causes = Causes::default();
    let mut options = Options::new(&local::workspace(), "story-levers");
    options.light = Some(Light { builds: causes.of_builds(), pods: causes.of_pods(), ..Light::default() });
    Box::pin(in_cloud_with(options, async |world| {
        let folder = local::workspace().join(".slipway").join(&world.record.name).join("checkout");
        let bench = Workbench::of_services(2, &folder, world.record, &REPOSITORY.parse()?).await?;
        let first = again::play(world, &bench, &causes).await?;
        let good = Box::pin(content::play(world, &bench, &first)).await?;
        Box::pin(back::play(world, &bench, &causes, &good)).await?;
        stuck::play(world, &bench).await
    }))
    .await
}

impl Causes {
    fn of_builds(&self) -> BuildPretence {
        let causes = self.clone();
        BuildPretence::new(move |task| {
            let red = causes.red.load(Ordering::SeqCst) && task.contains("/test/service_001/");
            let outcome = if red { Outcome::Fails } else { Outcome::Passes };
            Fate { outcome, after: Duration::ZERO }
        })
    }

    fn of_pods(&self) -> PodPretence {
        let causes = self.clone();
        PodPretence::new(move |pod| match pod["metadata"]["annotations"]["fate"].as_str() {
            Some("crashes") if causes.no_database.load(Ordering::SeqCst) => {
                PodFate::Crashes { code: 3, lines: vec!["no database".to_owned()] }
            }
            _ => PodFate::Ready(Duration::ZERO),
        })
    }
}

/// Follows a run until it has ended in this round, and everybody has been told.
async fn until_told(world: &World<'_>, run: &RunId, round: u32) -> anyhow::Result<(Run, Vec<Task>)> {
    eventually(&format!("round {round} of `{run}` has begun"), async || {
        Ok(world.watch.run(run).await?.filter(|(head, _)| head.round >= round))
    })
    .await?;
    world.watch.until_told(run, LIMIT, |_, _| {}).await
}

fn ended(head: &Run, tasks: &[Task], outcome: RunOutcome) -> anyhow::Result<()> {
    ensure!(head.state == RunState::Finished(outcome), "{:?}\n{tasks:#?}", head.state);
    Ok(())
}

/// What the command says where it must end well.
async fn told(world: &World<'_>, arguments: &[&str]) -> anyhow::Result<String> {
    let Said { good, out, error } = slipway(world, arguments, "false").await?;
    ensure!(good, "{arguments:?}: {out}{error}");
    Ok(out)
}

/// What the command says where it must refuse.
async fn refused(world: &World<'_>, arguments: &[&str]) -> anyhow::Result<String> {
    let Said { good, out, error } = slipway(world, arguments, "false").await?;
    ensure!(!good, "{arguments:?}: {out}{error}");
    Ok(error)
}

/// The run as people write it.
fn written(run: &RunId) -> String {
    format!("{}@{}", run.repository, run.sha)
}
