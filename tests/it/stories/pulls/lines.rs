//! What else GitHub tells: tags, deleted branches, the merge queue, its own buttons, and a body that comes again.

use std::sync::atomic::Ordering;

use anyhow::{Context, ensure};
use domain::ids::{Line, RunId, Trust};
use domain::ports::DeliveryState;
use domain::run::{RunOutcome, RunState};
use local::Workbench;
use serde_json::Value;

use super::hub::Hub;
use super::{Causes, concludes, until_building, until_told};
use crate::stories::arrivals::{deliver, push, signature};
use crate::world::{REPOSITORY, World, eventually};

pub(super) async fn play(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
) -> anyhow::Result<()> {
    a_tag_is_tested(world, bench).await?;
    a_deleted_branch_cancels_its_run(world, bench, causes).await?;
    the_merge_queue_gets_its_verdict(world, bench, hub).await?;
    github_runs_checks_again(world, bench, hub, causes).await?;
    a_body_under_another_id_is_recognised(world, bench).await
}

async fn a_tag_is_tested(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let run = bench.commit("Release it").await?;
    bench.git(&["push", "--quiet", "origin", "HEAD:refs/tags/v1.0.0"]).await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    ensure!(head.claims == [Line::Tag("v1.0.0".parse()?)], "{:?}", head.claims);
    ensure!(tasks.len() == 4 && tasks.iter().all(|task| task.reused.is_none()), "{tasks:?}");
    concludes(world, &run, "success").await?;
    Ok(())
}

async fn a_deleted_branch_cancels_its_run(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.endless.store(true, Ordering::SeqCst);
    let run = bench.push("doomed", "Begin what nobody wants").await?;
    until_building(world, &run).await?;
    causes.endless.store(false, Ordering::SeqCst);
    bench.git(&["push", "--quiet", "origin", "--delete", "doomed"]).await?;
    let (head, _) = until_told(world, &run, 0).await?;
    let RunState::Finished(RunOutcome::Cancelled(why)) = &head.state else {
        anyhow::bail!("it is {:?}", head.state)
    };
    ensure!(why.contains("the branch was deleted"), "{why}");
    concludes(world, &run, "cancelled").await?;
    Ok(())
}

/// The queue's commit is judged by its `merge_group` event, once; the push of its branch is recorded as that.
async fn the_merge_queue_gets_its_verdict(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
) -> anyhow::Result<()> {
    bench.git(&["checkout", "--quiet", "-B", "queued", "origin/main"]).await?;
    bench.write("backend/service_002/queued.py", "QUEUED = True\n")?;
    let pushed = bench.push("queued", "Wait for its turn").await?;
    let pull = hub.open("ada", "queued", "main").await?;
    until_told(world, &pushed, 0).await?;
    let group = hub.enqueue("ada", pull).await?;
    let run = RunId { repository: REPOSITORY.parse()?, sha: group.parse()?, trust: Trust::Trusted };
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    ensure!(head.delivery.is_none(), "a queue's commit is delivered: {:?}", head.delivery);
    concludes(world, &run, "success").await?;
    let why = "a merge queue's branch is judged by its `merge_group` event";
    eventually("the push of the queue's branch is known as that", async || {
        Ok(world.log("webhook").await?.iter().any(|line| line.contains(why)).then_some(()))
    })
    .await
}

/// "Re-run" at one check, and "Re-run all checks" of the suite.
async fn github_runs_checks_again(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.red.store(true, Ordering::SeqCst);
    let run = bench.push("again", "Fail at first").await?;
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}", head.state);
    let check = world.check(&run, "slipway / test service_001").await?;
    hub.rerun("check-runs", check.id).await?;
    let (head, _) = until_told(world, &run, 1).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "it is red still: {:?}", head.state);
    causes.red.store(false, Ordering::SeqCst);
    let check = world.check(&run, "slipway").await?;
    hub.rerun("check-suites", check.check_suite.id).await?;
    let (head, _) = until_told(world, &run, 2).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    concludes(world, &run, "success").await?;
    Ok(())
}

/// The same bytes under a new id: said, and harmless.
async fn a_body_under_another_id_is_recognised(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let run = bench.commit("Come twice").await?;
    bench.push_commit("twice").await?;
    until_told(world, &run, 0).await?;
    let body = push()?
        .replace(&example_commit()?, &run.sha.to_string())
        .replace("refs/heads/develop", "refs/heads/twice");
    let signature = signature(&world.record.credentials.webhook_secret, &body)?;
    let (status, answer) = deliver(world, "story-first", "push", Some(&signature), &body).await?;
    ensure!(status == 202, "{status} {answer}");
    eventually("the first delivery is planned", async || {
        let recorded = world.delivery("story-first").await?;
        Ok(matches!(recorded, Some(DeliveryState::Planned(_))).then_some(()))
    })
    .await?;
    let (builds, items) = (world.builds().await?, world.items().await?);
    let (status, answer) = deliver(world, "story-second", "push", Some(&signature), &body).await?;
    let said = answer["message"].as_str().unwrap_or_default();
    ensure!(status == 202 && said.contains("came before as `story-first`"), "{status} {answer}");
    let recorded = world.delivery("story-second").await?;
    ensure!(
        matches!(&recorded, Some(DeliveryState::Ignored(why)) if why.contains("story-first")),
        "{recorded:?}"
    );
    ensure!(world.builds().await? == builds, "a build was started");
    ensure!(world.items().await? == items + 1, "more than the delivery was written");
    Ok(())
}

/// The commit that the example event pushes.
fn example_commit() -> anyhow::Result<String> {
    let body: Value = serde_json::from_str(&push()?)?;
    Ok(body["after"].as_str().context("the example's commit")?.to_owned())
}
