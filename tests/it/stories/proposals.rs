//! Commits that are judged without being delivered: a branch of no environment, a stranger's, a broken pipeline file.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::{RunId, Stage, Trust};
use domain::run::{RunOutcome, RunState};
use local::Workbench;
use local_github::NewRepository;
use serde_json::json;

use crate::http::post;
use crate::world::{REPOSITORY, World, eventually};

const LIMIT: Duration = Duration::from_mins(2);
const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";
const ROLL_UP: &str = "slipway";

/// One small service, whose test need not end for anything that is looked at.
const PIPELINE: &str = "version: 1
services:
  tiny:
    test: {command: 'true', coverage: none}
checks: {flake8: [], bandit: []}
";

/// The same with a field on line 4 that nobody knows.
const BROKEN: &str = "version: 1
services:
  tiny:
    tests: {command: 'true', coverage: none}
";

pub(super) async fn play(world: &World<'_>) -> anyhow::Result<()> {
    let files = local::workspace().join(".slipway").join(&world.record.name).join("tiny");
    std::fs::create_dir_all(&files)?;
    let bench = world.bench(&files).await?;
    bench.write("backend/tiny/Dockerfile", "FROM scratch\n")?;
    bench.write(
        "infrastructure/kubernetes/tiny-deployment.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\n",
    )?;
    bench.write(PIPELINE_FILE, PIPELINE)?;
    a_branch_that_is_delivered_nowhere(world, &bench).await?;
    a_pull_request_of_a_stranger(world, &bench).await?;
    a_broken_pipeline_file(world, &bench).await
}

/// Tests, and nothing after them; the run says why.
async fn a_branch_that_is_delivered_nowhere(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let run = bench.push("main", "Add a tiny service").await?;
    let (head, tasks) = eventually("the run is planned", async || {
        Ok(world.watch.run(&run).await?.filter(|(head, _)| head.state != RunState::Planning))
    })
    .await?;
    ensure!(head.delivery.is_none(), "it is delivered: {:?}", head.delivery);
    let note = "No environment is delivered from branch `main`.";
    ensure!(head.notes.iter().any(|known| known == note), "{:?}", head.notes);
    let stages: Vec<Stage> = tasks.iter().map(|task| task.id.stage).collect();
    ensure!(stages == [Stage::Test], "{stages:?}");
    Ok(())
}

/// The roll-up asks a person to act, and nothing runs.
async fn a_pull_request_of_a_stranger(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let fork = NewRepository::public("mallory", "bot-manager").fork_of(REPOSITORY);
    world.cloud.github().create_repository(fork).await?;
    let token = &world.record.credentials.github_token;
    let (folder, github) = (bench.folder(), world.record.github_url());
    bench.write("backend/tiny/miner.py", "print('free coins')\n")?;
    World::git(folder, &["add", "--all"]).await?;
    World::git(folder, &["commit", "--quiet", "--message", "Mine"]).await?;
    let sha = World::git(folder, &["rev-parse", "HEAD"]).await?;
    let remote =
        format!("{}/mallory/bot-manager.git", github.replace("http://", &format!("http://mallory:{token}@")));
    World::git(folder, &["push", "--quiet", &remote, "HEAD:refs/heads/patch"]).await?;
    let builds = world.builds().await?;
    let wanted = json!({ "title": "Mine", "head": "mallory:patch", "base": "main" }).to_string();
    let bearer = format!("Bearer {token}");
    let url = format!("{github}/repos/{REPOSITORY}/pulls");
    let (status, answer) = post(&url, &[("authorization", &bearer)], wanted).await?;
    ensure!(status == 201, "{status} {answer}");

    let run = RunId { repository: REPOSITORY.parse()?, sha: sha.parse()?, trust: Trust::Untrusted };
    let (head, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(matches!(head.state, RunState::Finished(RunOutcome::ActionRequired(_))), "{:?}", head.state);
    ensure!(tasks.is_empty(), "something runs: {tasks:?}");
    let check = world.check(&run, ROLL_UP).await?;
    ensure!(check.conclusion.as_deref() == Some("action_required"), "{check:?}");
    let summary = check.output.summary.context("a summary")?;
    ensure!(summary.contains(&format!("/ok-to-test {sha}")), "{summary}");
    ensure!(world.builds().await? == builds, "a build was started");
    // What comes next is not based on the stranger's commit.
    World::git(folder, &["reset", "--quiet", "--hard", "HEAD~1"]).await?;
    Ok(())
}

/// A failed check run that names the line.
async fn a_broken_pipeline_file(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    bench.write(PIPELINE_FILE, BROKEN)?;
    let run = bench.push("broken", "Break the pipeline file").await?;
    let (head, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(matches!(head.state, RunState::Finished(RunOutcome::Invalid(_))), "{:?}", head.state);
    ensure!(tasks.is_empty(), "something runs: {tasks:?}");
    let check = world.check(&run, ROLL_UP).await?;
    ensure!(check.conclusion.as_deref() == Some("failure"), "{check:?}");
    let [note] = check.annotations.as_slice() else { anyhow::bail!("{:?}", check.annotations) };
    ensure!((note.path.as_str(), note.start_line) == (PIPELINE_FILE, 4), "{note:?}");
    ensure!(note.message.contains("`tests`"), "{note:?}");
    Ok(())
}
