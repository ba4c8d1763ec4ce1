//! A commit that changes configuration alone: nothing is tested or built again, and the pods roll all the same.

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::RunOutcome;
use domain::task::{Output, Task};
use local::Workbench;

use super::{ended, until_told};
use crate::world::World;

const MANIFEST: &str = "infrastructure/kubernetes/service_001-deployment.yaml";

pub(super) async fn play(world: &World<'_>, bench: &Workbench, first: &RunId) -> anyhow::Result<RunId> {
    let (builds, images) = (world.builds().await?, world.image_builds().await?);
    bench.edit(MANIFEST, "LEVEL: info", "LEVEL: debug")?;
    let run = bench.commit_as_it_is("Say more").await?;
    bench.push_commit("develop").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    ensure!((world.builds().await?, world.image_builds().await?) == (builds, images), "something was built");

    let (_, before) = world.watch.run(first).await?.context("the first run is gone")?;
    let image = |tasks: &[Task]| output(tasks, "publish/service_001");
    ensure!(image(&tasks)? == image(&before)?, "it is another image: {tasks:#?}");
    let release = |tasks: &[Task]| output(tasks, "deploy/service_001@development");
    ensure!(release(&tasks)? != release(&before)?, "the same manifests: {tasks:#?}");
    Ok(run)
}

fn output(tasks: &[Task], id: &str) -> anyhow::Result<Output> {
    let task = tasks.iter().find(|task| task.id.to_string() == id).with_context(|| format!("no `{id}`"))?;
    Ok(task.verdict().with_context(|| format!("no verdict of `{id}`"))?.output.clone())
}
