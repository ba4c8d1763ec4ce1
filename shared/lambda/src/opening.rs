//! What comes after a phase: the next one is opened, or the run ends; what ran alone is taken off the list.

use domain::chain::previous;
use domain::ids::{RunId, Stage};
use domain::message::{Message, Outgoing};
use domain::next::{could_move, may_begin};
use domain::ports::{Answer, Fault, Queue, Runs, Written};
use domain::run::{PhaseKind, Run};
use domain::task::{State, Task};
use domain::time::Timestamp;

/// Wakes the first task of each chain of a phase.
///
/// # Errors
/// When the store or the queue does not answer.
pub async fn open_phase(store: &impl Runs, queue: &impl Queue, head: &Run, kind: PhaseKind) -> Answer<()> {
    let tasks = store.tasks(&head.id, Some(kind.first_stage())).await?;
    let wakes: Vec<_> = tasks.iter().map(|task| Outgoing::now(Message::wake(&head.id, &task.id))).collect();
    queue.send(&wakes).await
}

/// Wakes the tests that wait for a place and may begin now.
///
/// # Errors
/// When the store or the queue does not answer.
pub(crate) async fn wake_waiting(store: &impl Runs, queue: &impl Queue, head: &Run) -> Answer<()> {
    let tasks = store.tasks(&head.id, Some(Stage::Test)).await?;
    let waiting = tasks.iter().filter(|task| task.state == State::Pending && may_begin(head, task, None));
    let wakes: Vec<_> = waiting.map(|task| Outgoing::now(Message::wake(&head.id, &task.id))).collect();
    queue.send(&wakes).await
}

/// Wakes those deploys of another run that have begun: they wait for the environment that is free now.
///
/// # Errors
/// When the store or the queue does not answer.
pub(crate) async fn wake_rollout(store: &impl Runs, queue: &impl Queue, run: &RunId) -> Answer<()> {
    let tasks = store.tasks(run, Some(Stage::Deploy)).await?;
    let waiting = tasks.iter().filter(|task| task.waits.is_some());
    let wakes: Vec<_> = waiting.map(|task| Outgoing::now(Message::wake(run, &task.id))).collect();
    queue.send(&wakes).await
}

/// Wakes every task of a run that is being cancelled, so that each ends.
///
/// # Errors
/// When the store or the queue does not answer.
pub async fn wake_to_end(store: &impl Runs, queue: &impl Queue, head: &Run) -> Answer<()> {
    let tasks = store.tasks(&head.id, None).await?;
    let open = tasks.iter().filter(|task| could_move(head, task, previous(&task.id, &tasks)));
    let wakes: Vec<_> = open.map(|task| Outgoing::now(Message::wake(&head.id, &task.id))).collect();
    queue.send(&wakes).await
}

/// Writes the head as opened, as long as its opening is still the one of `by` (none: plan's).
///
/// # Errors
/// When the store does not answer.
pub async fn opened(store: &impl Runs, head: &mut Run, by: Option<&Task>, now: Timestamp) -> Answer<()> {
    let mine = |head: &Run| {
        head.opening.as_ref().is_some_and(|opening| opening.by.as_ref() == by.map(|task| &task.id))
    };
    while mine(head) {
        let next = head.opened(now);
        if store.write_run(&next).await? == Written::Yes {
            *head = next;
            return Ok(());
        }
        *head = store.run(&head.id).await?.ok_or_else(|| Fault::reject("the run is gone"))?;
    }
    Ok(())
}

/// Takes what ran alone off the head's list.
pub(crate) async fn settled(store: &impl Runs, head: &mut Run, task: &Task, now: Timestamp) -> Answer<()> {
    while head.reruns.contains(&task.id) {
        let next = head.settled(&task.id, now);
        if store.write_run(&next).await? == Written::Yes {
            *head = next;
            return Ok(());
        }
        *head = store.run(&head.id).await?.ok_or_else(|| Fault::reject("the run is gone"))?;
    }
    Ok(())
}
