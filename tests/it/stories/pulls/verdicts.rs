//! Verdicts by policy: too little coverage, findings on lines, a machine that is lost; and a branch that is pushed with
//! force.

use anyhow::ensure;
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use local::Workbench;
use local::light::Outcome;

use super::{Causes, concludes, until_told};
use crate::world::World;

pub(super) async fn play(world: &World<'_>, bench: &Workbench, causes: &Causes) -> anyhow::Result<()> {
    too_little_coverage_is_red(world, bench, causes).await?;
    findings_stand_on_their_lines(world, bench, causes).await?;
    a_lost_machine_is_no_red_test(world, bench, causes).await?;
    causes.decide(&[]);
    a_branch_is_pushed_with_force(world, bench).await
}

async fn too_little_coverage_is_red(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.decide(&[("/test/service_002/", Outcome::Uncovered)]);
    let run = failed(world, bench, "Leave lines without a test").await?;
    let check = world.check(&run, "slipway / test service_002").await?;
    let title = check.output.title.clone().unwrap_or_default();
    ensure!(check.conclusion.as_deref() == Some("failure"), "{check:?}");
    ensure!(title.contains("overage 50.0 % is below the 80 % demanded"), "{title}");
    let other = world.check(&run, "slipway / test service_001").await?;
    ensure!(other.conclusion.as_deref() == Some("success"), "{other:?}");
    Ok(())
}

async fn findings_stand_on_their_lines(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
) -> anyhow::Result<()> {
    for (outcome, line, words) in
        [(Outcome::Fails, 1, "imported but unused"), (Outcome::Insecure, 2, "shell=True")]
    {
        causes.decide(&[("/test/+checks/", outcome)]);
        let run = failed(world, bench, &format!("Write what {words} is about")).await?;
        let check = world.check(&run, "slipway / checks").await?;
        let [note] = check.annotations.as_slice() else { anyhow::bail!("{:?}", check.annotations) };
        ensure!((note.path.as_str(), note.start_line) == ("backend/app.py", line), "{note:?}");
        ensure!(format!("{note:?}").contains(words), "{note:?}");
    }
    Ok(())
}

/// The build is begun anew once, by itself; a person sees only that it passed.
async fn a_lost_machine_is_no_red_test(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
) -> anyhow::Result<()> {
    causes.decide(&[("/test/service_001/1", Outcome::Faults)]);
    let run = bench.push("feature", "Meet a machine that is lost").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    let again: Vec<String> =
        tasks.iter().filter(|task| task.attempt == 2).map(|task| task.id.to_string()).collect();
    ensure!(again == ["test/service_001"], "{again:?}");

    causes.decide(&[("/test/service_001/", Outcome::Faults)]);
    let run = failed(world, bench, "Meet two machines that are lost").await?;
    let check = world.check(&run, "slipway / test service_001").await?;
    let title = check.output.title.clone().unwrap_or_default();
    ensure!(title.contains("CodeBuild itself failed"), "{title}");
    Ok(())
}

/// The commit that takes the other's place has a run of its own.
async fn a_branch_is_pushed_with_force(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    bench.push("feature", "Say it badly").await?;
    World::git(bench.folder(), &["reset", "--quiet", "--hard", "HEAD~1"]).await?;
    bench.write("backend/service_001/more.py", "MORE = 9\n")?;
    let run = bench.commit("Say it well").await?;
    World::git(bench.folder(), &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/feature"]).await?;
    let (head, _) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    // Where the pull request's event was planned before the push, the run is that event's, which knows nothing of it.
    let is_told = head.origin.forced || head.origin.pull_request.is_some();
    ensure!(is_told, "GitHub says that it was no fast-forward");
    concludes(world, &run, "success").await?;
    Ok(())
}

/// A push to the branch whose run fails.
async fn failed(world: &World<'_>, bench: &Workbench, message: &str) -> anyhow::Result<RunId> {
    let run = bench.push("feature", message).await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}\n{tasks:#?}", head.state);
    concludes(world, &run, "failure").await?;
    Ok(run)
}
