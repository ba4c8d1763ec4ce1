//! A person's request to run a task again: carried out once, however often its message comes.

use domain::ids::RequestId;
use domain::ports::{Answer, Fault, Runs, Timeline, Written};
use domain::rerun::{Rerun, decide, entry, key};
use domain::time::Timestamp;

use crate::{Disposition, StageMessage};

/// Whether the task is open anew.
pub(crate) enum Opened {
    /// By this message or an earlier delivery of it: the task is to be looked at.
    Yes,
    /// It is not; this becomes of the message.
    No(Disposition),
}

/// Opens the task anew as the request asks, in one transaction with the timeline's entry by which it is known again.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn open(
    store: &(impl Runs + Timeline),
    asked: &Rerun,
    message: &StageMessage,
    now: Timestamp,
) -> Answer<Opened> {
    let request = match &asked.request {
        Some(request) => request.clone(),
        None => message.message_id.parse::<RequestId>().map_err(|error| {
            Fault::reject(format!(
                "the message's own id cannot name the request: {error}; give it a `request`"
            ))
        })?,
    };
    let by = message.sender.as_deref().unwrap_or("unknown sender");
    let Some(head) = store.run(&asked.run).await? else {
        return Ok(refuse(format!(
            "there is no run `{}`; its id is `<owner>.<repository>.<sha>`",
            asked.run
        )));
    };
    let tasks = store.tasks(&asked.run, None).await?;
    // Read after the tasks: where the entry is absent, they are as they were before the request.
    if store.entry(&asked.run, &key(asked, &request)).await?.is_some() {
        tracing::info!(run = %asked.run, task = %asked.task, request = %request, "the request is known already");
        return Ok(if asked.dry_run { Opened::No(Disposition::Acknowledge) } else { Opened::Yes });
    }
    let reopening = match decide(&head, &tasks, asked, now) {
        Ok(reopening) => reopening,
        Err(refusal) => {
            let what = format!("a re-run was refused: {refusal}");
            let key = format!("refused-{request}");
            store
                .record(&asked.run, &domain::timeline::Entry { key, at: now, by: by.to_owned(), what })
                .await?;
            return Ok(refuse(refusal.to_string()));
        }
    };
    if asked.dry_run {
        tracing::info!(run = %asked.run, task = %asked.task, by, says = reopening.says, "dry run");
        let what = format!("a dry run says: {}", reopening.says);
        store.record(&asked.run, &entry(asked, &request, by, what, now)).await?;
        return Ok(Opened::No(Disposition::Acknowledge));
    }
    tracing::info!(run = %asked.run, task = %asked.task, by, says = reopening.says, "re-run");
    let line = entry(asked, &request, by, reopening.says, now);
    Ok(match store.reopen(&reopening.head, &reopening.tasks, &line).await? {
        Written::Yes => Opened::Yes,
        Written::Conflict => Opened::No(Disposition::GiveBack {
            reason: "the run moved while its task was opened anew".to_owned(),
            delay: std::time::Duration::from_secs(1),
        }),
    })
}

fn refuse(reason: String) -> Opened {
    Opened::No(Disposition::Refuse { reason })
}
