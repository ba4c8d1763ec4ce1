//! Two rollouts for one environment, in both orders, and a message from long ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use domain::ids::{RunId, Stage};
use domain::message::{Message, QueueName};
use domain::run::{RunOutcome, RunState};
use domain::task::{State, Task};
use local::Workbench;

use super::live::Live;
use super::{CHECK, DEPLOY, MANIFEST, passed, told};
use crate::stories::command::{Said, slipway};
use crate::world::{World, eventually};

pub(super) async fn play(world: &World<'_>, bench: &Workbench, late: &Arc<AtomicBool>) -> anyhow::Result<()> {
    while_one_rolls_out_the_newest_waits(world, bench).await.context("waiting")?;
    who_comes_too_late_is_superseded(world, bench, late).await.context("too late")
}

async fn while_one_rolls_out_the_newest_waits(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    bench.edit(MANIFEST, "annotations: {}", "annotations: {fate: slow}")?;
    let holder = bench.push("develop", "Roll out slowly").await?;
    eventually("the first one rolls out", async || {
        let (_, tasks) = world.watch.run(&holder).await?.unzip();
        let is_running =
            |task: &Task| task.id.stage == Stage::Verify && matches!(task.state, State::Running { .. });
        Ok(tasks.is_some_and(|tasks| tasks.iter().any(is_running)).then_some(()))
    })
    .await?;
    let second = bench.push("develop", "Come second").await?;
    until_waiting(world, &second).await?;
    let words = format!("Waits for the rollout of `{}` in `development` to end", holder.sha.short());
    eventually("people see for what it waits", async || {
        let check = world.check(&second, CHECK).await;
        let text = check.ok().and_then(|check| check.output.text).unwrap_or_default();
        Ok(text.contains(&words).then_some(()))
    })
    .await?;
    let third = bench.push("develop", "Come third").await?;
    until_waiting(world, &third).await?;

    passed(world, &holder).await?;
    let (head, _) = told(world, &second).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Superseded), "{:?}", head.state);
    let check = world.check(&second, CHECK).await?;
    let said = format!("{:?}", check.output);
    ensure!(said.contains("waits for `development` too and is newer"), "{said}");
    passed(world, &third).await
}

async fn until_waiting(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    eventually(&format!("the rollout of `{run}` waits"), async || {
        let (_, tasks) = world.watch.run(run).await?.unzip();
        Ok(tasks.is_some_and(|tasks| tasks.iter().any(|task| task.waits.is_some())).then_some(()))
    })
    .await
}

async fn who_comes_too_late_is_superseded(
    world: &World<'_>,
    bench: &Workbench,
    late: &Arc<AtomicBool>,
) -> anyhow::Result<()> {
    bench.edit(MANIFEST, "annotations: {fate: slow}", "annotations: {}")?;
    late.store(true, Ordering::SeqCst);
    let older = bench.push("develop", "Test for long").await?;
    eventually("its tests run", async || {
        let (_, tasks) = world.watch.run(&older).await?.unzip();
        let runs = |task: &Task| matches!(task.state, State::Running { .. });
        let tests = tasks.iter().flatten().filter(|task| task.id.stage == Stage::Test);
        let tests: Vec<&Task> = tests.collect();
        Ok((!tests.is_empty() && tests.iter().all(|task| runs(task))).then_some(()))
    })
    .await?;
    late.store(false, Ordering::SeqCst);
    let newer = bench.push("develop", "Be faster").await?;
    passed(world, &newer).await?;
    let live = Live::of(world).await?;
    let before = live.deployment().await?;
    let (head, _) = told(world, &older).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Superseded), "{:?}", head.state);
    let check = world.check(&older, CHECK).await?;
    let said = format!("{:?}", check.output);
    ensure!(said.contains("has been deployed to `development` since"), "{said}");
    ensure!(live.deployment().await? == before, "the older one has changed something");
    Ok(())
}

/// The first deploy's message once more, after newer releases; and somebody who asks for it.
pub(super) async fn what_is_weeks_old_changes_nothing(
    world: &World<'_>,
    first: &RunId,
) -> anyhow::Result<()> {
    let live = Live::of(world).await?;
    let before = (live.deployment().await?, world.watch.run(first).await?);
    let queue = QueueName::Stage(Stage::Deploy);
    for _ in 0..2 {
        world.send(queue, &serde_json::to_string(&Message::wake(first, &DEPLOY.parse()?))?).await?;
    }
    eventually("the messages are gone", async || Ok((world.queued(queue).await? == 0).then_some(()))).await?;
    ensure!((live.deployment().await?, world.watch.run(first).await?) == before, "something has changed");
    ensure!(world.dead_letters(queue).await? == 0, "a message was set aside");

    let written = format!("{}@{}", first.repository, first.sha);
    let Said { good, out, error } = slipway(world, &["rerun", &written, DEPLOY], "false").await?;
    ensure!(good, "{out}{error}");
    eventually("the re-run has ended", async || {
        let (head, tasks) = world.watch.run(first).await?.context("the run is gone")?;
        let deploy = tasks.iter().find(|task| task.id.to_string() == DEPLOY).context("a deploy")?;
        Ok((deploy.attempt == 2 && head.has_ended() && !deploy.is_open()).then_some(()))
    })
    .await?;
    ensure!(live.deployment().await? == before.0, "an overtaken run has changed something");
    Ok(())
}
