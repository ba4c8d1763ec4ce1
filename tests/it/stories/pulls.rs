//! The life of pull requests: one run for push and pull request, results taken over, a newer commit that cancels the
//! older one, commands in comments, a stranger who is admitted.

mod hub;
mod lines;
mod outage;
mod own;
mod strangers;
mod verdicts;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use domain::ids::RunId;
use domain::run::Run;
use domain::task::Task;
use local::light::{BuildPretence, Fate, Light, Outcome};
use local::{Options, Workbench};
use tokio::sync::watch;

pub(super) use self::hub::Hub;
use crate::cloud::in_cloud_with;
use crate::world::{REPOSITORY, World, eventually};

/// A whole run without containers, on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

/// Longer than any story waits: only who stops such a build sees its end.
const ENDLESS: Duration = Duration::from_hours(1);

/// What builds come to.
#[derive(Debug, Clone)]
struct Causes {
    /// The tests of the first service are red.
    red: Arc<AtomicBool>,
    /// Builds do not end by themselves.
    endless: Arc<AtomicBool>,
    /// What the builds come to whose `SLIPWAY_TASK` holds this text.
    fates: Arc<Mutex<Vec<(&'static str, Outcome)>>>,
    /// Whether builds may end.
    open: watch::Sender<bool>,
}

pub(super) async fn play() -> anyhow::Result<()> {
    let causes = Causes {
        red: Arc::default(),
        endless: Arc::default(),
        fates: Arc::default(),
        open: watch::Sender::new(true),
    };
    let mut options = Options::new(&local::workspace(), "story-pulls");
    options.light = Some(Light { builds: causes.of_builds(), ..Light::default() });
    Box::pin(in_cloud_with(options, async |world| {
        let folder = local::workspace().join(".slipway").join(&world.record.name).join("checkout");
        let bench = Workbench::of_services(2, &folder, world.record, &REPOSITORY.parse()?).await?;
        let hub = Hub::of(world);
        hub.allow("ada", "write").await?;
        bench.push("main", "Begin").await?;
        own::play(world, &bench, &hub, &causes).await?;
        verdicts::play(world, &bench, &causes).await?;
        lines::play(world, &bench, &hub, &causes).await?;
        outage::play(world, &bench, &hub, &causes).await?;
        strangers::play(world, &bench, &hub).await
    }))
    .await
}

impl Causes {
    /// From now on these builds come to this, and all others pass.
    fn decide(&self, fates: &[(&'static str, Outcome)]) {
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner) = fates.to_vec();
    }

    fn fate(&self, task: &str) -> Outcome {
        let fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.iter().find(|(text, _)| task.contains(text)).map_or(Outcome::Passes, |(_, outcome)| *outcome)
    }

    fn of_builds(&self) -> BuildPretence {
        let causes = self.clone();
        BuildPretence::new(move |task| {
            let red = causes.red.load(Ordering::SeqCst) && task.contains("/test/service_001/");
            let outcome = if red { Outcome::Fails } else { causes.fate(task) };
            let endless = causes.endless.load(Ordering::SeqCst);
            Fate { outcome, after: if endless { ENDLESS } else { Duration::ZERO } }
        })
        .while_open(self.open.subscribe())
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

/// Waits until every task of a run has its build.
async fn until_building(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    eventually(&format!("every test of `{run}` builds"), async || {
        let Some((_, tasks)) = world.watch.run(run).await? else { return Ok(None) };
        Ok((!tasks.is_empty() && tasks.iter().all(|task| task.handle().is_some())).then_some(()))
    })
    .await
}

/// The roll-up on the run's commit has this conclusion.
async fn concludes(world: &World<'_>, run: &RunId, conclusion: &str) -> anyhow::Result<String> {
    let check = eventually(&format!("`slipway` is {conclusion} on `{run}`"), async || {
        let check = world.check(run, "slipway").await?;
        Ok((check.conclusion.as_deref() == Some(conclusion)).then_some(check))
    })
    .await?;
    let summary = check.output.summary.unwrap_or_default();
    ensure!(!summary.is_empty(), "a check run without a summary");
    Ok(summary)
}
