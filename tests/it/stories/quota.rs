//! An account that lets only a few builds be open: the others wait, and none of them counts as failed.

use std::time::Duration;

use anyhow::ensure;
use domain::run::{RunOutcome, RunState};
use local::light::{BuildPretence, Light};
use local::{Options, Workbench};
use tokio::sync::watch;

use crate::cloud::in_cloud_with;
use crate::world::{REPOSITORY, World, eventually};

/// With one build at a time CodeBuild takes six; ten are wanted.
const AT_A_TIME: usize = 1;
const TAKEN: usize = 6;
const SERVICES: usize = 8;
const WANTED: usize = SERVICES + 2;

/// Whoever is refused asks again after half a minute.
const LIMIT: Duration = Duration::from_mins(4);

pub(super) async fn play() -> anyhow::Result<()> {
    let gate = watch::Sender::new(false);
    let builds = BuildPretence::passing().while_open(gate.subscribe());
    let mut options = Options::new(&local::workspace(), "story-quota");
    options.light = Some(Light { builds, concurrent_builds: AT_A_TIME, ..Light::default() });
    Box::pin(in_cloud_with(options, async |world| more_builds_than_the_account_allows(world, &gate).await))
        .await
}

async fn more_builds_than_the_account_allows(
    world: &World<'_>,
    gate: &watch::Sender<bool>,
) -> anyhow::Result<()> {
    let folder = local::workspace().join(".slipway").join(&world.record.name).join("checkout");
    let bench = Workbench::of_services(SERVICES, &folder, world.record, &REPOSITORY.parse()?).await?;
    let run = bench.push("main", "Want ten builds").await?;
    eventually("every test has asked for its build, and six have it", async || {
        let asked = world.cloud.requests().await?.builds.get("StartBuild").copied().unwrap_or_default();
        // A request is counted when it comes, and answered a moment later.
        Ok((asked >= u64::try_from(WANTED)? && world.builds().await? == TAKEN).then_some(()))
    })
    .await?;
    gate.send_replace(true);
    let (head, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    ensure!(tasks.iter().all(|task| task.attempt == 1), "a refusal is no failed attempt: {tasks:#?}");
    ensure!(world.builds().await? == WANTED, "{} builds", world.builds().await?);
    Ok(())
}
