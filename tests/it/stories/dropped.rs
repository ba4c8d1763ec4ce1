//! Messages on the queues that lead to nothing: dropped with a reason, or kept for an operator.

use anyhow::ensure;
use domain::ids::Stage;
use domain::message::QueueName;

use crate::world::{World, eventually};

/// A wake for a task that nobody knows is acknowledged, and the log says why.
pub(super) async fn a_task_that_nobody_knows(world: &World<'_>) -> anyhow::Result<()> {
    let queue = QueueName::Stage(Stage::Test);
    let run = "vive-sphere.bot-manager.00000000000000000000000000000000deadbeef";
    let body = serde_json::json!({ "kind": "task", "run": run, "task": "test/nobody" }).to_string();
    world.send(queue, &body).await?;
    eventually("the log says why the message is dropped", async || {
        let log = world.log("test").await?;
        let said = |line: &String| line.contains(run) && line.contains("no such run or task");
        Ok(log.iter().any(said).then_some(()))
    })
    .await?;
    eventually("the queue is empty", async || Ok((world.queued(queue).await? == 0).then_some(()))).await?;
    ensure!(world.dead_letters(queue).await? == 0, "the message is a dead letter");
    Ok(())
}

/// What cannot be read lies in the dead-letter queue as it was sent, with the reason beside it, on every queue. It
/// gets there at once: the queue's own count of receives is the second net.
pub(super) async fn messages_that_cannot_be_read(world: &World<'_>) -> anyhow::Result<()> {
    let stages = Stage::ALL.map(QueueName::Stage);
    let queues: Vec<QueueName> = [QueueName::Plan, QueueName::Notify].into_iter().chain(stages).collect();
    let body = |queue: &QueueName| format!("{{\"kind\": \"task\", \"task\": … no JSON for {queue:?}\n");
    for queue in &queues {
        world.send(*queue, &body(queue)).await?;
    }
    for queue in &queues {
        let what = format!("a dead letter of {queue:?}");
        let letter = eventually(&what, async || world.take_dead_letter(*queue).await).await?;
        ensure!(letter.body == body(queue), "the dead letter of {queue:?} is changed: {}", letter.body);
        let attribute = |name| letter.attributes.get(name).map_or("", String::as_str);
        ensure!(attribute("reason").contains("JSON"), "the reason of {queue:?}: {}", attribute("reason"));
        let function = format!("{}-{}", world.record.name, queue.function());
        ensure!(attribute("function") == function, "{queue:?} was refused by {}", attribute("function"));
        ensure!(attribute("at").ends_with('Z'), "{queue:?} was refused at {}", attribute("at"));
        // Acknowledged only after it was set aside.
        let what = format!("the queue {queue:?} is empty");
        eventually(&what, async || Ok((world.queued(*queue).await? == 0).then_some(()))).await?;
    }
    Ok(())
}
