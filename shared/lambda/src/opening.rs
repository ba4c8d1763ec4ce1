//! What comes after a phase: the next one is opened, or the run ends; what ran alone is taken off the list.

use domain::message::{Message, Outgoing};
use domain::ports::{Answer, Fault, Queue, Runs, Written};
use domain::run::{PhaseKind, Run};
use domain::task::Task;
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
