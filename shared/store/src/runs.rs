//! Heads and tasks.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use domain::ids::{RunId, Stage, TaskId};
use domain::ports::{Answer, Due, Fault, Runs, Written};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;
use domain::timeline::Entry;

use crate::Store;
use crate::item::{
    Attributes, DUE, HEAD, Item, Key, REPOSITORY, RUN, RUNS_KEPT, body, number, text, text_of,
};
use crate::timeline::entry_item;

/// The most actions of one transaction
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
const TRANSACTION: usize = 100;
/// How often a transaction is repeated without those that were in its way, before the caller has to.
const ROUNDS: usize = 3;

impl Runs for Store {
    async fn run(&self, id: &RunId) -> Answer<Option<Run>> {
        let item = self.get(&Key::in_run(id, HEAD), || format!("run `{id}` cannot be read")).await?;
        item.as_ref().map(body).transpose()
    }

    async fn create_run(&self, run: &Run) -> Answer<Written> {
        self.write_run(run).await
    }

    async fn write_run(&self, run: &Run) -> Answer<Written> {
        let outcome = self.put(head_item(run)?, || format!("run `{}` cannot be written", run.id)).await?;
        Ok(outcome.into())
    }

    async fn case(&self, run: &RunId, tasks: &[TaskId]) -> Answer<(Option<Run>, Vec<Task>)> {
        let mut keys = vec![Key::in_run(run, HEAD)];
        keys.extend(tasks.iter().map(|id| Key::of_task(run, id)));
        let what = || format!("head and tasks of `{run}` cannot be read");
        let mut found = self.get_all(&keys, what).await?.into_iter();
        let head = found.next().flatten().as_ref().map(body).transpose()?;
        Ok((head, found.flatten().map(|item| body(&item)).collect::<Answer<_>>()?))
    }

    async fn tasks(&self, run: &RunId, stage: Option<Stage>) -> Answer<Vec<Task>> {
        let prefix = stage.map_or_else(|| "task#".to_owned(), |stage| format!("task#{stage}#"));
        let what = || format!("tasks of `{run}` cannot be read");
        let mut tasks: Vec<Task> = self.below(run, &prefix, what).await?;
        // DynamoDB sorts by the keys' text, which puts `build` before `test`.
        tasks.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tasks)
    }

    async fn create_tasks(&self, tasks: &[Task]) -> Answer<()> {
        for slice in tasks.chunks(TRANSACTION) {
            self.create_absent(slice).await?;
        }
        Ok(())
    }

    async fn write_task(&self, task: &Task) -> Answer<Written> {
        let what = || format!("task `{}` of `{}` cannot be written", task.id, task.run);
        Ok(self.put(task_item(task)?, what).await?.into())
    }

    async fn write_both(&self, task: &Task, head: &Run) -> Answer<Written> {
        match self.transact(vec![task_item(task)?, head_item(head)?]).await? {
            Ok(_) => Ok(Written::Yes),
            Err(error) if reasons(&error).iter().any(is_lost) => Ok(Written::Conflict),
            Err(error) => {
                let what = format!("task `{}` and the head of `{}` cannot be written", task.id, task.run);
                Err(cancelled(what, error))
            }
        }
    }

    async fn reopen(&self, head: &Run, tasks: &[Task], entry: &Entry) -> Answer<Written> {
        let mut items = vec![head_item(head)?, entry_item(&head.id, entry)?];
        items.extend(tasks.iter().map(task_item).collect::<Answer<Vec<_>>>()?);
        match self.transact(items).await? {
            Ok(_) => Ok(Written::Yes),
            Err(error) if reasons(&error).iter().any(is_lost) => Ok(Written::Conflict),
            Err(error) => Err(cancelled(format!("tasks of `{}` cannot be opened anew", head.id), error)),
        }
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Answer<Vec<Due>> {
        // DynamoDB refuses a limit of 0.
        if limit == 0 {
            return Ok(Vec::new());
        }
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_pk = :due AND due_at < :now")
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", number(now.0))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| aws::fault("what is due cannot be read", error))?;
        found.items().iter().map(due_of).collect()
    }
}

impl Store {
    /// One transaction of puts; where some are in the way, another of the rest.
    async fn create_absent(&self, tasks: &[Task]) -> Answer<()> {
        let mut missing: Vec<&Task> = tasks.iter().collect();
        for _ in 0..ROUNDS {
            if missing.is_empty() {
                return Ok(());
            }
            let items = missing.iter().map(|task| new_task_item(task)).collect::<Answer<_>>()?;
            let Err(error) = self.transact(items).await? else { return Ok(()) };
            let reasons = reasons(&error);
            if reasons.len() != missing.len() || !reasons.iter().all(is_harmless) {
                return Err(cancelled("new tasks cannot be written".to_owned(), error));
            }
            missing = std::iter::zip(missing, reasons)
                .filter(|(_, reason)| reason.code() != Some(CONDITION_FAILED))
                .map(|(task, _)| task)
                .collect();
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Fault::retry("new tasks cannot be written", "others write the same tasks at the same time"))
    }

    /// Writes all of the items, each on its condition, or none of them.
    pub(crate) async fn transact(
        &self,
        items: Vec<Item>,
    ) -> Answer<Result<TransactWriteItemsOutput, TransactionError>> {
        let mut request = self.client.transact_write_items();
        for item in items {
            request =
                request.transact_items(TransactWriteItem::builder().put(item.into_put(&self.table)?).build());
        }
        Ok(request.send().await)
    }
}

pub(crate) type TransactionError = SdkError<TransactWriteItemsError>;

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// Why each item of a cancelled transaction was not written; empty for every other error.
pub(crate) fn reasons(error: &TransactionError) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        _ => &[],
    }
}

/// Somebody else wrote the item, or writes it just now.
pub(crate) fn is_lost(reason: &CancellationReason) -> bool {
    matches!(reason.code(), Some(CONDITION_FAILED | "TransactionConflict"))
}

fn is_harmless(reason: &CancellationReason) -> bool {
    is_lost(reason) || matches!(reason.code(), None | Some("None"))
}

/// The fault behind a transaction that failed. A cancelled one has its reasons beside its code, and only they
/// tell whether it may pass.
pub(crate) fn cancelled(what: String, error: TransactionError) -> Fault {
    let reasons = reasons(&error).iter().filter(|reason| !matches!(reason.code(), None | Some("None")));
    let words = |reason: &CancellationReason| {
        format!("{}: {}", reason.code().unwrap_or_default(), reason.message().unwrap_or("no message"))
    };
    let lasting = |reason: &CancellationReason| {
        matches!(reason.code(), Some("ItemCollectionSizeLimitExceeded" | "ValidationError"))
    };
    match reasons.clone().find(|reason| lasting(reason)).or(reasons.clone().next()) {
        Some(reason) if lasting(reason) => aws::lasting(what, words(reason)),
        Some(reason) => Fault::retry(what, words(reason)),
        None => aws::fault(what, error),
    }
}

fn head_item(run: &Run) -> Answer<Item> {
    let item = Item::new(&Key::in_run(&run.id, HEAD), run)?
        .next("version", run.version)
        .kept(Timestamp::now(), RUNS_KEPT);
    Ok(match run.due {
        Some(due) => item.with("due_pk", text(DUE)).with("due_at", number(due.0)),
        None => item,
    })
}

fn task_item(task: &Task) -> Answer<Item> {
    let item = Item::new(&Key::of_task(&task.run, &task.id), task)?;
    Ok(item.next("version", task.version).kept(Timestamp::now(), RUNS_KEPT))
}

/// A task to be written only where there is none, whatever its version.
fn new_task_item(task: &Task) -> Answer<Item> {
    let item = Item::new(&Key::of_task(&task.run, &task.id), task)?;
    Ok(item.with("version", number(task.version)).kept(Timestamp::now(), RUNS_KEPT))
}

/// What the index lists.
fn due_of(item: &Attributes) -> Answer<Due> {
    let pk = text_of(item, "pk")?;
    let unknown =
        |error| aws::lasting(format!("`{pk}` in the index `due` is neither run nor repository"), error);
    match pk.strip_prefix(REPOSITORY) {
        Some(repository) => repository.parse().map(Due::Repository).map_err(unknown),
        None => pk.trim_start_matches(RUN).parse().map(Due::Run).map_err(unknown),
    }
}
