//! Rollouts in one environment: who waits and who is too late, what another manager owns, what the policy forbids, and
//! the Jobs of a release, one of them with its deploy killed beside it.

mod jobs;
mod live;
mod racing;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::Task;
use local::light::{BuildPretence, Fate, Light, Outcome, PodFate, PodPretence};
use local::{Options, Workbench};

use crate::cloud::in_cloud_with;
use crate::world::{REPOSITORY, World, eventually};

/// A whole run without containers, on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

/// How long slow pods, Jobs and builds take: long enough for others to come meanwhile.
const SLOW: Duration = Duration::from_secs(8);

const MANIFEST: &str = "infrastructure/kubernetes/service_001-deployment.yaml";
const DEPLOY: &str = "deploy/service_001@development";
const CHECK: &str = "slipway / deliver development";

pub(super) async fn play() -> anyhow::Result<()> {
    let late = Arc::new(AtomicBool::new(false));
    let mut options = Options::new(&local::workspace(), "story-rollouts");
    options.light = Some(Light { builds: builds(&late), pods: pods(), ..Light::default() });
    Box::pin(in_cloud_with(options, async |world| {
        let folder = local::workspace().join(".slipway").join(&world.record.name).join("checkout");
        let bench = Workbench::of_services(1, &folder, world.record, &REPOSITORY.parse()?).await?;
        let first = bench.push("develop", "Deliver for the first time").await?;
        passed(world, &first).await.context("the first deploy")?;
        the_same_tree_changes_nothing(world, &bench).await.context("the same tree")?;
        racing::play(world, &bench, &late).await?;
        racing::what_is_weeks_old_changes_nothing(world, &first).await?;
        refusals::play(world, &bench).await?;
        jobs::play(world, &bench).await
    }))
    .await
}

/// Under another commit it is not tested, built or rolled out anew.
async fn the_same_tree_changes_nothing(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let live = live::Live::of(world).await?;
    let before = (live.deployment().await?, world.builds().await?);
    let run = bench.commit_as_it_is("Say the same").await?;
    bench.push_commit("develop").await?;
    passed(world, &run).await?;
    ensure!((live.deployment().await?, world.builds().await?) == before, "something was done again");
    Ok(())
}

/// Tests that are slow while `late` says so.
fn builds(late: &Arc<AtomicBool>) -> BuildPretence {
    let late = Arc::clone(late);
    BuildPretence::new(move |_| {
        let after = if late.load(Ordering::SeqCst) { SLOW * 2 } else { Duration::ZERO };
        Fate { outcome: Outcome::Passes, after }
    })
}

/// Pods fare as their template's annotation says.
fn pods() -> PodPretence {
    PodPretence::new(|pod| match pod["metadata"]["annotations"]["fate"].as_str() {
        Some("slow") => PodFate::Ready(SLOW),
        Some("crashes") => PodFate::Crashes { code: 3, lines: vec!["no such table: users".to_owned()] },
        _ => PodFate::Ready(Duration::ZERO),
    })
}

/// Follows the run until everybody has been told of its end.
async fn told(world: &World<'_>, run: &RunId) -> anyhow::Result<(Run, Vec<Task>)> {
    eventually(&format!("`{run}` has begun"), async || world.watch.run(run).await).await?;
    world.watch.until_told(run, LIMIT, |_, _| {}).await
}

async fn passed(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let (head, tasks) = told(world, run).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    Ok(())
}

/// The sentence with which the service's deploy has failed.
async fn failed(world: &World<'_>, run: &RunId) -> anyhow::Result<String> {
    let (head, tasks) = told(world, run).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}\n{tasks:#?}", head.state);
    let deploy = tasks.iter().find(|task| task.id.to_string() == DEPLOY).context("a deploy")?;
    Ok(deploy.verdict().context("a verdict")?.summary.clone())
}
