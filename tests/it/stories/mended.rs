//! A message that nobody can read, from its refusal to the stage that takes it after a person has mended it.

use anyhow::ensure;
use domain::ids::Stage;
use domain::message::QueueName;

use super::command;
use crate::world::{World, eventually};

/// Listed with its reason, mended in an editor, sent again, taken.
pub(super) async fn play(world: &World<'_>) -> anyhow::Result<()> {
    let queue = QueueName::Stage(Stage::Test);
    let run = "vive-sphere.bot-manager.00000000000000000000000000000000feedbeef";
    let body = serde_json::json!({ "kind": "task", "run": run, "task": "test" }).to_string();
    world.send(queue, &body).await?;
    let list = eventually("the message is listed", async || {
        let list = slipway(world, &["dlq", "list", "--queue", "test"], "false").await?;
        Ok(list.contains("test: 1 message").then_some(list))
    })
    .await?;
    ensure!(list.contains("field `task` must be a task id: `<stage>/<service>`"), "{list}");
    ensure!(list.contains("test of vive-sphere.bot-manager.0000000"), "{list}");
    let id = list.lines().find(|line| line.contains("field `task`")).unwrap_or_default();
    let id = id.split_whitespace().next().unwrap_or_default();

    slipway(world, &["dlq", "redrive", id, "--edit"], "sed -i s,test\\\",test/mended\\\",").await?;

    eventually("the stage takes the mended message", async || {
        let log = world.log("test").await?;
        let said = |line: &String| line.contains(run) && line.contains("test/mended");
        Ok(log.iter().any(said).then_some(()))
    })
    .await?;
    eventually("the queue is empty", async || Ok((world.queued(queue).await? == 0).then_some(()))).await?;
    ensure!(world.dead_letters(queue).await? == 0, "the message lies there still");
    Ok(())
}

/// What the command says, which must end well.
async fn slipway(world: &World<'_>, arguments: &[&str], editor: &str) -> anyhow::Result<String> {
    let said = command::slipway(world, arguments, editor).await?;
    ensure!(said.good, "{arguments:?}: {}{}", said.out, said.error);
    Ok(said.out)
}
