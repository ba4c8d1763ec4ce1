//! GitHub is down while a commit is planned, and while a verdict is told: both wait, and nothing fails.

use anyhow::ensure;
use domain::run::{RunOutcome, RunState};
use local::Workbench;

use super::hub::Hub;
use super::{Causes, concludes, until_told};
use crate::world::{World, eventually};

/// Longer than any request of a run takes, shorter than the first wait of whoever is put off for minutes.
const SECONDS: u32 = 6;

pub(super) async fn play(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
) -> anyhow::Result<()> {
    a_commit_is_planned_late(world, bench, hub).await?;
    a_verdict_is_told_late(world, bench, hub, causes).await
}

async fn a_commit_is_planned_late(world: &World<'_>, bench: &Workbench, hub: &Hub<'_>) -> anyhow::Result<()> {
    let run = bench.commit("Come while GitHub is down").await?;
    hub.breaks_down(SECONDS).await?;
    bench.push_commit("outage").await?;
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    let met = world.log("plan").await?.iter().any(|line| line.contains("GitHub answered 503"));
    ensure!(met, "plan never met the outage");
    concludes(world, &run, "success").await?;
    Ok(())
}

/// The run ends without GitHub; its check runs follow.
async fn a_verdict_is_told_late(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.open.send_replace(false);
    let run = bench.push("outage", "Be judged while GitHub is down").await?;
    eventually("GitHub shows that its tests run", async || {
        let check = world.check(&run, "slipway / test service_001").await;
        Ok(check.ok().filter(|check| check.status == "in_progress"))
    })
    .await?;
    hub.breaks_down(SECONDS).await?;
    causes.open.send_replace(true);
    eventually("it has ended, and telling is put off", async || {
        let Some((head, _)) = world.watch.run(&run).await? else { return Ok(None) };
        let is_put_off = world
            .log("notify")
            .await?
            .iter()
            .any(|line| line.contains("telling is put off") && line.contains(&run.sha.to_string()));
        Ok((head.is_finished() && is_put_off).then_some(()))
    })
    .await?;
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    concludes(world, &run, "success").await?;
    Ok(())
}
