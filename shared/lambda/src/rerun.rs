//! A person's request to run a task again: carried out once, however often its message comes.

use domain::chain::previous;
use domain::ids::RequestId;
use domain::ports::{Answer, Fault, Runs, Timeline, Written};
use domain::rerun::{Reopening, Rerun, decide, entry, key};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;
use domain::timeline::Entry;

use crate::{Case, Disposition, StageMessage, StageWork};

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
    Ok(match reopen(store, asked, &request_of(asked, message)?, sender(message), now).await? {
        Reopened::Yes => Opened::Yes,
        Reopened::Refused(reason) => Opened::No(Disposition::Refuse { reason }),
        Reopened::Again => Opened::No(Disposition::GiveBack {
            reason: "the run moved while its task was opened anew".to_owned(),
            delay: std::time::Duration::from_secs(1),
        }),
    })
}

/// Says in the timeline what a request would do, and what the stage knows of its effect beforehand.
///
/// # Errors
/// When the store or what the stage asks does not answer.
pub(crate) async fn rehearse(
    store: &(impl Runs + Timeline),
    work: &impl StageWork,
    asked: &Rerun,
    message: &StageMessage,
    now: Timestamp,
) -> Answer<Disposition> {
    let (request, by) = (request_of(asked, message)?, sender(message));
    let (head, tasks, reopening) = match decided(store, asked, &request, by, now).await? {
        Decided::Open(decided) => *decided,
        Decided::Known => return Ok(Disposition::Acknowledge),
        Decided::Refused(reason) => return Ok(Disposition::Refuse { reason }),
    };
    let beforehand = match tasks.iter().find(|task| task.id == asked.task) {
        Some(task) => {
            work.rehearse(&Case { head: &head, task, previous: previous(&task.id, &tasks), now }).await?
        }
        None => None,
    };
    let beforehand = beforehand.map(|words| format!("; {words}")).unwrap_or_default();
    let what = format!("a dry run says: {}{beforehand}", reopening.says);
    tracing::info!(run = %asked.run, task = %asked.task, by, what, "dry run");
    store.record(&asked.run, &entry(asked, &request, by, what, now)).await?;
    Ok(Disposition::Acknowledge)
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
    let reopening = match decided(store, asked, request, by, now).await? {
        Decided::Open(decided) => decided.2,
        Decided::Known => return Ok(Reopened::Yes),
        Decided::Refused(reason) => return Ok(Reopened::Refused(reason)),
    };
    tracing::info!(run = %asked.run, task = %asked.task, by, says = reopening.says, "re-run");
    let line = entry(asked, request, by, reopening.says, now);
    Ok(match store.reopen(&reopening.head, &reopening.tasks, &line).await? {
        Written::Yes => Reopened::Yes,
        Written::Conflict => Reopened::Again,
    })
}

/// What a request leads to.
enum Decided {
    /// In these next versions, of the run with its tasks.
    Open(Box<(Run, Vec<Task>, Reopening)>),
    /// It was carried out before.
    Known,
    /// The timeline says so too.
    Refused(String),
}

async fn decided(
    store: &(impl Runs + Timeline),
    asked: &Rerun,
    request: &RequestId,
    by: &str,
    now: Timestamp,
) -> Answer<Decided> {
    let Some(head) = store.run(&asked.run).await? else {
        return Ok(Decided::Refused(format!(
            "there is no run `{}`; its id is `<owner>.<repository>.<sha>`",
            asked.run
        )));
    };
    let tasks = store.tasks(&asked.run, None).await?;
    // Read after the tasks: where the entry is absent, they are as they were before the request.
    if store.entry(&asked.run, &key(asked, request)).await?.is_some() {
        tracing::info!(run = %asked.run, task = %asked.task, request = %request, "the request is known already");
        return Ok(Decided::Known);
    }
    match decide(&head, &tasks, asked, now) {
        Ok(reopening) => Ok(Decided::Open(Box::new((head, tasks, reopening)))),
        Err(refusal) => {
            let what = format!("a re-run was refused: {refusal}");
            let key = format!("refused-{request}");
            store.record(&asked.run, &Entry { key, at: now, by: by.to_owned(), what }).await?;
            Ok(Decided::Refused(refusal.to_string()))
        }
    }
}

/// What the request is known by.
fn request_of(asked: &Rerun, message: &StageMessage) -> Answer<RequestId> {
    match &asked.request {
        Some(request) => Ok(request.clone()),
        None => message.message_id.parse::<RequestId>().map_err(|error| {
            Fault::reject(format!(
                "the message's own id cannot name the request: {error}; give it a `request`"
            ))
        }),
    }
}

fn sender(message: &StageMessage) -> &str {
    message.sender.as_deref().unwrap_or("unknown sender")
}
