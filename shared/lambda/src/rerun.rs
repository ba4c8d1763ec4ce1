//! A person's request to run a task again: carried out once, however often its message comes.

use domain::ids::RequestId;
use domain::ports::{Answer, Fault, Runs, Timeline, Written};
use domain::rerun::{Rerun, decide, entry, key};
use domain::time::Timestamp;
use domain::timeline::Entry;

use crate::{Disposition, StageMessage};

/// Whether the task is open anew.
pub(crate) enum Opened {
    /// By this message or an earlier delivery of it: the task is to be looked at.
    Yes,
    /// It is not; this becomes of the message.
    No(Disposition),
}

/// How a request to run a task again was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reopened {
    /// The task is open anew, by this call or an earlier one of the same request: it is to be woken.
    Yes,
    /// It was a dry run; the timeline says what would happen.
    Said,
    /// It cannot be run again; the sentence tells why and what to do.
    Refused(String),
    /// The run moved meanwhile; ask again.
    Again,
}

/// Opens the task anew as a stage's message asks.
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
    Ok(match reopen(store, asked, &request, by, now).await? {
        Reopened::Yes => Opened::Yes,
        Reopened::Said => Opened::No(Disposition::Acknowledge),
        Reopened::Refused(reason) => Opened::No(Disposition::Refuse { reason }),
        Reopened::Again => Opened::No(Disposition::GiveBack {
            reason: "the run moved while its task was opened anew".to_owned(),
            delay: std::time::Duration::from_secs(1),
        }),
    })
}

/// Opens the task anew, in one transaction with the timeline's entry by which the request is known again.
///
/// # Errors
/// When the store does not answer.
pub async fn reopen(
    store: &(impl Runs + Timeline),
    asked: &Rerun,
    request: &RequestId,
    by: &str,
    now: Timestamp,
) -> Answer<Reopened> {
    let Some(head) = store.run(&asked.run).await? else {
        return Ok(Reopened::Refused(format!(
            "there is no run `{}`; its id is `<owner>.<repository>.<sha>`",
            asked.run
        )));
    };
    let tasks = store.tasks(&asked.run, None).await?;
    // Read after the tasks: where the entry is absent, they are as they were before the request.
    if store.entry(&asked.run, &key(asked, request)).await?.is_some() {
        tracing::info!(run = %asked.run, task = %asked.task, request = %request, "the request is known already");
        return Ok(if asked.dry_run { Reopened::Said } else { Reopened::Yes });
    }
    let reopening = match decide(&head, &tasks, asked, now) {
        Ok(reopening) => reopening,
        Err(refusal) => {
            let what = format!("a re-run was refused: {refusal}");
            let key = format!("refused-{request}");
            store.record(&asked.run, &Entry { key, at: now, by: by.to_owned(), what }).await?;
            return Ok(Reopened::Refused(refusal.to_string()));
        }
    };
    if asked.dry_run {
        tracing::info!(run = %asked.run, task = %asked.task, by, says = reopening.says, "dry run");
        let what = format!("a dry run says: {}", reopening.says);
        store.record(&asked.run, &entry(asked, request, by, what, now)).await?;
        return Ok(Reopened::Said);
    }
    tracing::info!(run = %asked.run, task = %asked.task, by, says = reopening.says, "re-run");
    let line = entry(asked, request, by, reopening.says, now);
    Ok(match store.reopen(&reopening.head, &reopening.tasks, &line).await? {
        Written::Yes => Reopened::Yes,
        Written::Conflict => Reopened::Again,
    })
}
