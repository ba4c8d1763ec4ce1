//! Wakes what has been silent for too long. An idle sweep costs one query of the sparse due index.

use domain::message::{Message, Outgoing};
use domain::next::may_begin;
use domain::ports::{Answer, Queue, Runs, Written};
use domain::run::{PhaseKind, Run, RunState};
use domain::task::{State, Task};
use domain::tasks::follows;
use domain::time::Timestamp;

/// The most runs looked at in one sweep; the rest is due again a minute later.
const MOST_RUNS: u32 = 100;

/// The function with its ports.
#[derive(Debug)]
pub struct Sweep<S, Q> {
    /// Runs.
    pub store: S,
    /// Every queue.
    pub queue: Q,
}

impl<S: Runs, Q: Queue> Sweep<S, Q> {
    /// Looks at every run whose due time has passed; answers how many there were.
    ///
    /// # Errors
    /// When the index cannot be read. A single run that cannot be woken is logged and stays due.
    pub async fn handle(&self, now: Timestamp) -> Answer<usize> {
        let due = self.store.due(now, MOST_RUNS).await?;
        for id in &due {
            if let Some(head) = self.store.run(id).await?
                && let Err(fault) = self.wake(&head, now).await
            {
                tracing::error!(run = %id, fault = fault.chain(), "a silent run was not woken");
            }
        }
        Ok(due.len())
    }

    async fn wake(&self, head: &Run, now: Timestamp) -> Answer<()> {
        let messages = self.messages(head).await?;
        tracing::info!(run = %head.id, messages = messages.len(), "waking a silent run");
        self.queue.send(&messages).await?;
        // A conflict means that the run has moved by itself.
        let (Written::Yes | Written::Conflict) = self.store.write_run(&head.swept(now)).await?;
        Ok(())
    }

    async fn messages(&self, head: &Run) -> Answer<Vec<Outgoing>> {
        let notify = Outgoing::now(Message::Notify { run: head.id.clone() });
        let planning = head.state == RunState::Planning
            || head.opening.as_ref().is_some_and(|opening| opening.by.is_none());
        if planning {
            return Ok(vec![Outgoing::now(Message::Plan(head.request()))]);
        }
        if head.is_finished() {
            return Ok(vec![notify]);
        }
        let tasks = self.store.tasks(&head.id, None).await?;
        let mut messages: Vec<_> = tasks
            .iter()
            .filter(|task| could_move(head, task, &tasks))
            .map(|task| Outgoing::now(Message::wake(&head.id, &task.id)))
            .collect();
        messages.push(notify);
        Ok(messages)
    }
}

fn could_move(head: &Run, task: &Task, tasks: &[Task]) -> bool {
    match task.state {
        State::Pending => may_begin(head, task, tasks.iter().find(|earlier| follows(&earlier.id, &task.id))),
        _ => task.is_open() && head.phases.iter().any(|phase| phase.kind == PhaseKind::of(task.id.stage)),
    }
}
