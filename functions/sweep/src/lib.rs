//! Wakes what has been silent for too long, and has repositories looked at. An idle sweep costs one query of the sparse
//! due index.

mod repositories;

use domain::chain::previous;
use domain::ids::{RepositoryName, RunId};
use domain::message::{Message, Outgoing};
use domain::next::could_move;
use domain::ports::{Answer, Due, Queue, Repositories, Runs, Written};
use domain::run::Run;
use domain::task::{State, Task};
use domain::time::Timestamp;

/// The most runs and repositories looked at in one sweep; the rest is due again a minute later.
const MOST_DUE: u32 = 100;

/// The function with its ports.
#[derive(Debug)]
pub struct Sweep<S, Q> {
    /// Runs and repositories.
    pub store: S,
    /// Every queue.
    pub queue: Q,
}

impl<S: Runs + Repositories, Q: Queue> Sweep<S, Q> {
    /// Looks at every run and repository whose due time has passed; answers how many there were.
    ///
    /// # Errors
    /// When the index cannot be read. What cannot be woken is logged and stays due; the others are woken.
    pub async fn handle(&self, now: Timestamp) -> Answer<usize> {
        let due = self.store.due(now, MOST_DUE).await?;
        let mut watched: Vec<RepositoryName> = Vec::new();
        for one in &due {
            match one {
                Due::Run(id) => {
                    if let Err(fault) = self.wake(id, now).await {
                        tracing::error!(run = %id, fault = fault.chain(), "a silent run was not woken");
                    }
                }
                Due::Repository(name) => watched.push(name.clone()),
            }
        }
        if let Err(fault) = repositories::ask(&self.store, &self.queue, &watched, now).await {
            tracing::error!(fault = fault.chain(), "repositories were not looked at");
        }
        Ok(due.len())
    }

    async fn wake(&self, id: &RunId, now: Timestamp) -> Answer<()> {
        let Some(head) = &self.store.run(id).await? else { return Ok(()) };
        let Silence { messages, only_stuck } = self.silence(head).await?;
        tracing::info!(run = %head.id, messages = messages.len(), only_stuck, "waking a silent run");
        self.queue.send(&messages).await?;
        let next = if only_stuck { head.at_rest() } else { head.swept(now) };
        // A conflict means that the run has moved by itself.
        let (Written::Yes | Written::Conflict) = self.store.write_run(&next).await?;
        Ok(())
    }

    async fn silence(&self, head: &Run) -> Answer<Silence> {
        let notify = Outgoing::now(Message::Notify { run: head.id.clone() });
        if head.is_being_planned() {
            return Ok(Silence::of(vec![Outgoing::now(Message::Plan(head.request()))]));
        }
        if head.has_ended() {
            return Ok(Silence::of(vec![notify]));
        }
        let tasks = self.store.tasks(&head.id, None).await?;
        let mut messages: Vec<_> = tasks
            .iter()
            .filter(|task| could_move(head, task, previous(&task.id, &tasks)))
            .map(|task| Outgoing::now(Message::wake(&head.id, &task.id)))
            .collect();
        let is_stuck = |task: &Task| matches!(task.state, State::Stuck { .. });
        let only_stuck = messages.is_empty() && tasks.iter().any(is_stuck);
        messages.push(notify);
        Ok(Silence { messages, only_stuck })
    }
}

/// What a silent run needs.
struct Silence {
    messages: Vec<Outgoing>,
    /// Whether only a person can move it: sweep leaves it then, and its revival makes it due again.
    only_stuck: bool,
}

impl Silence {
    fn of(messages: Vec<Outgoing>) -> Self {
        Self { messages, only_stuck: false }
    }
}
