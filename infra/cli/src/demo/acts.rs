//! The acts of the demo, each with what must have come of it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use domain::ids::{RunId, Stage as TaskStage};
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{Outcome, Output, State, Task};
use local::seen;

use super::visitor::Visitor;
use super::{Stage, progress::Progress, show};
use crate::output;

/// An act on two busy cores stays well below this.
const LIMIT: Duration = Duration::from_mins(10);

/// The line that the second act breaks.
const TEST_FILE: &str = "backend/authentication/tests/test_authentication_api.py";
const EXPECTED: &str = "(201, 3600)";
const BROKEN: &str = "(418, 3600)";

/// What the third act writes into the service's configuration, where a number is read.
const MANIFEST: &str = "infrastructure/kubernetes/auth-deployment.yaml";
const LIFETIME: &str = "TOKEN_LIFETIME_SECONDS: \"3600\"";
const UNREADABLE: &str = "TOKEN_LIFETIME_SECONDS: \"one hour\"";
const SERVICE: &str = "authentication";

/// Plays all acts.
///
/// # Errors
/// When an act ended otherwise than it should.
pub(crate) async fn play(stage: &Stage) -> anyhow::Result<()> {
    output::heading("Act 1: a push to develop travels to the cluster");
    let first = push(stage, "Deliver the three services").await?;
    let (head, tasks) = follow(stage, &first).await?;
    show::run(stage, &head, &tasks).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "the first run should have passed");
    show::services(stage, &head).await?;
    let delivered = head.delivery.clone().context("the first run was delivered")?;

    output::heading("Act 2: a push that breaks a unit test");
    stage.bench.edit(TEST_FILE, EXPECTED, BROKEN)?;
    let second = push(stage, "Break a unit test").await?;
    let (head, tasks) = follow(stage, &second).await?;
    show::run(stage, &head, &tasks).await?;
    check_broken(stage, &head, &tasks).await?;

    output::heading("Act 3: a push whose tests pass and whose service never becomes healthy");
    stage.bench.edit(TEST_FILE, BROKEN, EXPECTED)?;
    stage.bench.edit(MANIFEST, LIFETIME, UNREADABLE)?;
    let visitor = Visitor::enter(stage, &delivered).await?;
    let third = push(stage, "Say the token's lifetime in words").await?;
    let (head, tasks) = follow(stage, &third).await?;
    let visits = visitor.leave().await?;
    show::run(stage, &head, &tasks).await?;
    show::evidence(&tasks);
    show::services(stage, &head).await?;
    check_gone_back(&head, &tasks, &first)?;
    output::detail(&format!("meanwhile {visits} requests to {SERVICE}: all answered 200"));
    output::good("all three acts ended as they should");
    Ok(())
}

async fn push(stage: &Stage, message: &str) -> anyhow::Result<RunId> {
    let run = stage.bench.commit_as_it_is(message).await?;
    stage.bench.push_commit("develop").await?;
    output::progress(&format!("git push origin develop: {} {message}", run.sha.short()));
    Ok(run)
}

async fn follow(stage: &Stage, run: &RunId) -> anyhow::Result<(Run, Vec<Task>)> {
    let mut progress = Progress::default();
    stage.watch.until_told(run, LIMIT, |head, tasks| progress.look(head, tasks)).await
}

/// The run is red, the failing line is annotated, and no image was built.
async fn check_broken(stage: &Stage, head: &Run, tasks: &[Task]) -> anyhow::Result<()> {
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "the second run should have failed");
    let untouched = |task: &&Task| task.id.stage != TaskStage::Test;
    let begun = tasks.iter().filter(untouched).find(|task| task.state != State::Pending);
    ensure!(begun.is_none(), "nothing should have been built or deployed");
    let file = std::fs::read_to_string(stage.bench.folder().join(TEST_FILE))?;
    let line = file.lines().position(|line| line.contains(BROKEN)).context("the broken line")? + 1;
    let checks = seen::check_runs(stage.cloud.record(), &head.id).await?;
    let mut annotations = checks.iter().flat_map(|check| &check.annotations);
    let annotated = annotations
        .any(|note| note.path == TEST_FILE && usize::try_from(note.start_line).is_ok_and(|at| at == line));
    ensure!(annotated, "no check run annotates {TEST_FILE} line {line}");
    Ok(())
}

/// The evidence holds the pod's own words, the service went back to the first commit's release, and that serves.
fn check_gone_back(head: &Run, tasks: &[Task], first: &RunId) -> anyhow::Result<()> {
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "the third run should have failed");
    let of = |stage, rollback: bool| {
        let wanted = |task: &&Task| {
            task.id.stage == stage
                && task.id.subject.is_rollback() == rollback
                && task.id.subject.service().is_some_and(|service| service.as_str() == SERVICE)
        };
        tasks.iter().find(wanted).and_then(Task::verdict).with_context(|| format!("no {stage} of {SERVICE}"))
    };
    let failed = of(TaskStage::Verify, false)?;
    let Output::Evidence(evidence) = &failed.output else { bail!("verify left no evidence") };
    for word in ["exit code 1", "one hour"] {
        ensure!(evidence.iter().any(|line| line.contains(word)), "no `{word}` in {evidence:?}");
    }
    let back = of(TaskStage::Deploy, true)?;
    ensure!(back.summary.contains(first.sha.short()), "{SERVICE} went elsewhere: {}", back.summary);
    let confirmed = of(TaskStage::Verify, true)?;
    ensure!(confirmed.outcome == Outcome::Passed, "the old release does not serve: {}", confirmed.summary);
    Ok(())
}
