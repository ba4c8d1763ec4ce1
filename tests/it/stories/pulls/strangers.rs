//! A pull request of a fork: nothing of it runs before somebody has admitted exactly its commit, and what it earned is
//! nobody else's.

use anyhow::ensure;
use domain::ids::{RunId, Stage, Trust};
use domain::run::{RunOutcome, RunState};
use local::Workbench;
use local_github::NewRepository;

use super::hub::Hub;
use super::{concludes, until_told};
use crate::world::{REPOSITORY, World, eventually};

pub(super) async fn play(world: &World<'_>, bench: &Workbench, hub: &Hub<'_>) -> anyhow::Result<()> {
    let fork = NewRepository::public("mallory", "bot-manager").fork_of(REPOSITORY);
    world.cloud.github().create_repository(fork).await?;
    World::git(bench.folder(), &["checkout", "--quiet", "-B", "patch", "origin/main"]).await?;
    bench.write("backend/service_002/miner.py", "print('free coins')\n")?;
    let run = RunId { trust: Trust::Untrusted, ..bench.commit_as_it_is("Mine").await? };
    push_to_fork(world, bench).await?;
    let builds = world.builds().await?;
    let pull = hub.open("mallory", "mallory:patch", "main").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ensure!(matches!(head.state, RunState::Finished(RunOutcome::ActionRequired(_))), "{:?}", head.state);
    ensure!(tasks.is_empty() && world.builds().await? == builds, "something of it runs");
    let summary = concludes(world, &run, "action_required").await?;
    let command = format!("/ok-to-test {}", run.sha);
    ensure!(summary.contains(&command), "{summary}");

    let own = hub.say("mallory", pull, &command).await?;
    eventually("he cannot admit himself", async || Ok((hub.signs(own) == ["confused"]).then_some(())))
        .await?;
    let short = hub.say("ada", pull, &format!("/ok-to-test {}", run.sha.short())).await?;
    eventually("a short name admits nothing", async || Ok((hub.signs(short) == ["confused"]).then_some(())))
        .await?;
    ensure!(world.builds().await? == builds, "a build was started");

    hub.say("ada", pull, &command).await?;
    let (head, tasks) = until_told(world, &run, 1).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    let tested: Vec<String> = tasks.iter().map(|task| task.id.to_string()).collect();
    ensure!(tasks.iter().all(|task| task.id.stage == Stage::Test && task.reused.is_none()), "{tasks:?}");
    ensure!(tested.iter().any(|task| task == "test/service_002"), "{tested:?}");
    ensure!(
        !tested.iter().any(|task| task == "test/service_001"),
        "its change does not reach it: {tested:?}"
    );
    concludes(world, &run, "success").await?;
    merged_it_is_tested_again(world, bench, &run).await
}

/// What a stranger's run earned counts for nothing once the repository itself has the very same commit.
async fn merged_it_is_tested_again(
    world: &World<'_>,
    bench: &Workbench,
    stranger: &RunId,
) -> anyhow::Result<()> {
    let before = world.builds().await?;
    World::git(bench.folder(), &["push", "--quiet", "origin", "HEAD:refs/heads/main"]).await?;
    let merged = RunId { trust: Trust::Trusted, ..stranger.clone() };
    let (head, tasks) = until_told(world, &merged, 0).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}", head.state);
    let changed = tasks.iter().find(|task| task.id.to_string() == "test/service_002");
    ensure!(changed.is_some_and(|task| task.reused.is_none()), "{changed:?}");
    ensure!(world.builds().await? > before, "nothing was built");
    ensure!(tasks.iter().all(|task| task.reused.as_ref() != Some(stranger)), "{tasks:?}");
    Ok(())
}

async fn push_to_fork(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let token = &world.record.credentials.github_token;
    let github = world.record.github_url().replace("http://", &format!("http://mallory:{token}@"));
    let remote = format!("{github}/mallory/bot-manager.git");
    World::git(bench.folder(), &["push", "--quiet", &remote, "HEAD:refs/heads/patch"]).await?;
    Ok(())
}
