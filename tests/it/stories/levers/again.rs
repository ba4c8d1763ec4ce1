//! A red test is run again by a plain SQS message: the run goes on to its end, and the timeline says who asked.

use std::sync::atomic::Ordering;

use anyhow::{Context, ensure};
use domain::ids::{RunId, Stage};
use domain::message::QueueName;
use domain::run::RunOutcome;
use local::Workbench;
use serde_json::{Value, json};

use super::{Causes, ended, refused, told, until_told, written};
use crate::world::World;

pub(super) async fn play(world: &World<'_>, bench: &Workbench, causes: &Causes) -> anyhow::Result<RunId> {
    causes.red.store(true, Ordering::SeqCst);
    let run = bench.push("develop", "Test against a service that is away").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ended(&head, &tasks, RunOutcome::Failed)?;
    a_dry_run_and_a_slip_send_nothing(world, &run).await?;

    causes.red.store(false, Ordering::SeqCst);
    let body = json!({ "kind": "rerun", "run": run, "task": "test/service_001" }).to_string();
    world.send(QueueName::Stage(Stage::Test), &body).await?;
    let (head, tasks) = until_told(world, &run, 1).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    for name in ["slipway", "slipway / test service_001", "slipway / deliver development"] {
        let check = world.check(&run, name).await?;
        ensure!(check.conclusion.as_deref() == Some("success"), "{check:?}");
    }
    let attempts = tasks.iter().filter(|task| task.attempt == 2).map(|task| task.id.to_string());
    ensure!(attempts.eq(["test/service_001"]), "other tasks ran again: {tasks:#?}");

    let timeline = told(world, &["timeline", &written(&run), "--json"]).await?;
    let timeline: Vec<Value> = serde_json::from_str(&timeline)?;
    let [entry] = timeline.as_slice() else { anyhow::bail!("{timeline:#?}") };
    let by = entry["by"].as_str().context("who asked")?;
    // The local AWS says the account, AWS the principal.
    ensure!(!by.is_empty() && by != "unknown sender", "{entry}");
    let what = entry["what"].as_str().context("a sentence")?;
    ensure!(what.starts_with("attempt 2 of `test/service_001` continues the run when it passes"), "{what}");
    Ok(run)
}

/// The command decides as the function would, and sends nothing where it must not.
async fn a_dry_run_and_a_slip_send_nothing(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let before = world.watch.run(run).await?;
    let said = told(world, &["rerun", &written(run), "test/service_001", "--dry-run"]).await?;
    ensure!(said.contains("would open attempt 2 of `test/service_001` continues the run"), "{said}");
    ensure!(said.contains("nothing was sent"), "{said}");
    let error = refused(world, &["rerun", &run.to_string(), "test/servce_001"]).await?;
    ensure!(error.contains("did you mean `test/service_001`?"), "{error}");
    let error = refused(world, &["rerun", &written(run), "build/service_001"]).await?;
    ensure!(error.contains("has not begun; re-run the task before it that has not passed"), "{error}");
    let error =
        refused(world, &["rerun", &written(run).replace(run.sha.as_str(), run.sha.short()), "test/a"])
            .await?;
    ensure!(error.contains("all 40 digits"), "{error}");
    ensure!(world.queued(QueueName::Stage(Stage::Test)).await? == 0, "something was sent");
    ensure!(world.watch.run(run).await? == before, "something has moved");
    ensure!(told(world, &["timeline", &written(run), "--json"]).await?.trim() == "[]", "somebody wrote");
    Ok(())
}
