//! A pull request of the repository's own branch.

use std::sync::atomic::Ordering;

use anyhow::ensure;
use domain::ids::{RunId, Stage, Trust};
use domain::run::{RunOutcome, RunState};
use local::Workbench;

use super::hub::Hub;
use super::{Causes, concludes, until_building, until_told};
use crate::world::{REPOSITORY, World, eventually};

pub(super) async fn play(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
) -> anyhow::Result<()> {
    let (first, pull) = one_run_for_push_and_pull_request(world, bench, hub).await?;
    the_same_content_is_not_tested_again(world, bench, &first).await?;
    a_newer_commit_cancels_the_older_run(world, bench, causes).await?;
    what_failed_is_tested_again_on_demand(world, bench, hub, causes, pull).await
}

/// Push and pull request of one commit have one run, one roll-up, one comment.
async fn one_run_for_push_and_pull_request(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
) -> anyhow::Result<(RunId, u64)> {
    bench.write("backend/service_001/more.py", "MORE = 1\n")?;
    let run = bench.push("feature", "Add more").await?;
    let pull = hub.open("ada", "feature", "main").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    ensure!(tasks.iter().all(|task| task.id.stage == Stage::Test), "{tasks:?}");
    concludes(world, &run, "success").await?;
    let comment = eventually("the pull request has its comment", async || {
        Ok(hub.answers(pull).pop().filter(|text| text.contains("service_001")))
    })
    .await?;
    ensure!(comment.contains(run.sha.short()), "{comment}");
    ensure!(hub.answers(pull).len() == 1, "one comment: {:?}", hub.answers(pull));
    Ok((run, pull))
}

/// Another commit with the same files takes all results over, and says from where.
async fn the_same_content_is_not_tested_again(
    world: &World<'_>,
    bench: &Workbench,
    first: &RunId,
) -> anyhow::Result<()> {
    let builds = world.builds().await?;
    let second = bench.commit_as_it_is("Change nothing").await?;
    bench.push_commit("feature").await?;
    let (head, tasks) = until_told(world, &second, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    ensure!(tasks.iter().all(|task| task.reused.as_ref() == Some(first)), "{tasks:#?}");
    ensure!(world.builds().await? == builds, "a build was started");
    let summary = concludes(world, &second, "success").await?;
    ensure!(summary.contains("reused") && summary.contains(first.sha.short()), "{summary}");
    Ok(())
}

/// Its builds are stopped, not waited for.
async fn a_newer_commit_cancels_the_older_run(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.endless.store(true, Ordering::SeqCst);
    bench.write("backend/service_001/more.py", "MORE = 2\n")?;
    let older = bench.push("feature", "Add two").await?;
    until_building(world, &older).await?;
    causes.endless.store(false, Ordering::SeqCst);
    bench.write("backend/service_001/more.py", "MORE = 3\n")?;
    let newer = bench.push("feature", "Add three").await?;
    let (head, _) = until_told(world, &older, 0).await?;
    let RunState::Finished(RunOutcome::Cancelled(why)) = &head.state else {
        anyhow::bail!("it is {:?}", head.state)
    };
    ensure!(why.contains(&format!("a newer commit, {}, was pushed", newer.sha.short())), "{why}");
    concludes(world, &older, "cancelled").await?;
    let (head, _) = until_told(world, &newer, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    Ok(())
}

/// `/retest` by whoever may push, and by nobody else; the roll-up's button does the same.
async fn what_failed_is_tested_again_on_demand(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
    pull: u64,
) -> anyhow::Result<()> {
    causes.red.store(true, Ordering::SeqCst);
    bench.write("backend/service_001/more.py", "MORE = 4\n")?;
    let run = bench.push("feature", "Add four").await?;
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}", head.state);
    ensure!(run.trust == Trust::Trusted && run.repository.as_str() == REPOSITORY);

    let refused = hub.say("eve", pull, "/retest").await?;
    eventually("eve is refused", async || Ok((hub.signs(refused) == ["confused"]).then_some(()))).await?;
    let answers = hub.answers(pull);
    ensure!(answers.iter().any(|text| text.contains("Only people with write access")), "{answers:?}");

    let taken = hub.say("ada", pull, "Once more, please.\n\n/retest\n").await?;
    let (head, tasks) = until_told(world, &run, 1).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "it is red still: {:?}", head.state);
    ensure!(hub.signs(taken) == ["+1"], "{:?}", hub.signs(taken));
    let attempts: Vec<u32> = tasks.iter().map(|task| task.attempt).collect();
    ensure!(
        attempts.iter().sum::<u32>() == u32::try_from(attempts.len())? + 1,
        "one is run again: {tasks:?}"
    );

    causes.red.store(false, Ordering::SeqCst);
    let roll_up = world.check(&run, "slipway").await?;
    hub.press("ada", roll_up.id, "retest").await?;
    let (head, _) = until_told(world, &run, 2).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    concludes(world, &run, "success").await?;
    Ok(())
}
