//! What merging a pull request would change: found by deploy, written into the run's notes, told by notify.

use domain::ids::RunId;
use domain::message::{Message, Outgoing};
use domain::ports::{Answer, Fault, Queue, Runs, Written};

use crate::{Disposition, StageWork};

/// Asks the stage and notes what it found. Whoever died after that has told nobody: the next delivery does.
///
/// # Errors
/// When the store, the queue or what the stage asks does not answer.
pub(crate) async fn preview(
    store: &impl Runs,
    queue: &impl Queue,
    work: &impl StageWork,
    run: &RunId,
) -> Answer<Disposition> {
    let gone = || Fault::reject("the run is gone");
    let Some(mut head) = store.run(run).await? else {
        tracing::warn!(run = %run, "no such run; nobody waits for its preview");
        return Ok(Disposition::Acknowledge);
    };
    if let Some(preview) = head.preview.clone().filter(|preview| !preview.told) {
        let found = work.preview(&head, &preview).await?;
        while let Some(next) = head.previewed(&found) {
            head = match store.write_run(&next).await? {
                Written::Yes => next,
                Written::Conflict => store.run(run).await?.ok_or_else(gone)?,
            };
        }
    }
    queue.send(&[Outgoing::now(Message::Notify { run: run.clone() })]).await?;
    Ok(Disposition::Acknowledge)
}
