//! CodeBuild refuses everything: the tests get stuck, each with a dead letter that says why. Once it is mended, they
//! are redriven, and the run passes.

use std::collections::BTreeMap;

use anyhow::ensure;
use domain::ids::{RunId, Stage, TaskId};
use domain::message::{Message, QueueName};
use domain::run::RunOutcome;
use domain::task::{State, Task};
use local::Workbench;

use super::{ended, told, until_told, written};
use crate::world::{World, eventually};

pub(super) async fn play(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let queue = QueueName::Stage(Stage::Test);
    world.cloud.refuse_builds();
    bench.write("README.md", "A change\n")?;
    let run = bench.push("develop", "Meet a bad day of CodeBuild").await?;
    let stuck = until_all_are_stuck(world, &run).await?;
    ensure!(stuck.len() == 4, "{stuck:?} are stuck");

    // Two wakes at once may leave two letters of the same task; each is as good as the other.
    eventually("each has a dead letter that says why", async || {
        let list = told(world, &["dlq", "list", "--queue", "test", "--json"]).await?;
        let has_one = |task: &TaskId| list.contains(&format!("task `{task}` of run `{run}` is stuck: "));
        Ok(stuck.iter().all(has_one).then_some(()))
    })
    .await?;
    eventually("people are told", async || {
        let check = world.check(&run, "slipway").await?;
        Ok((check.conclusion.as_deref() == Some("action_required")).then_some(()))
    })
    .await?;

    world.cloud.calm().await?;
    let said = told(world, &["dlq", "redrive", "--all", "--queue", "test"]).await?;
    ensure!(said.contains("sent again, 0 left"), "{said}");
    let (head, tasks) = until_told(world, &run, 0).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    ensure!(tasks.iter().all(|task| task.attempt == 1), "a revival is no new attempt");
    ensure!(world.dead_letters(queue).await? == 0, "a letter is left");
    let timeline = told(world, &["timeline", &written(&run)]).await?;
    ensure!(timeline.matches("is stuck: ").count() == stuck.len(), "{timeline}");
    Ok(())
}

/// Wakes each test again as soon as it has failed, until a person must act: by itself that takes the machinery the
/// quarter of a minute that it waits between its tries.
async fn until_all_are_stuck(world: &World<'_>, run: &RunId) -> anyhow::Result<Vec<TaskId>> {
    let is_told = |task: &Task| matches!(task.state, State::Stuck { told: true, .. });
    let mut woken: BTreeMap<TaskId, u32> = BTreeMap::new();
    eventually("every test is stuck", async || {
        let Some((_, tasks)) = world.watch.run(run).await? else { return Ok(None) };
        let tests: Vec<&Task> = tasks.iter().filter(|task| task.id.stage == Stage::Test).collect();
        for task in &tests {
            let before = woken.insert(task.id.clone(), task.failures).unwrap_or_default();
            if task.failures > before {
                let wake = serde_json::to_string(&Message::wake(run, &task.id))?;
                world.send(QueueName::Stage(Stage::Test), &wake).await?;
            }
        }
        let all = !tests.is_empty() && tests.iter().all(|task| is_told(task));
        Ok(all.then(|| tests.iter().map(|task| task.id.clone()).collect()))
    })
    .await
}
