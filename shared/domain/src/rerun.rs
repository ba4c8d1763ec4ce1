//! What a person's request to run a task again means: decided purely, from the run and its tasks.
//!
//! An attempt replaces its task's place in the fan-in. A task that had not passed continues its run when it passes.
//! One that had passed runs alone, unless `cascade` is asked: then everything of its service that follows runs again
//! too. A deploy always takes its verify along, because a release that nobody verifies would be a lie.

mod anew;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::files::did_you_mean;
use crate::ids::{RequestId, RunId, TaskId};
use crate::run::Run;
use crate::task::Task;
use crate::time::Timestamp;
use crate::timeline::Entry;
use anew::Anew;

/// A person's request to run a task again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// What the request is known by; the SQS message's id where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Whether everything of the service that follows runs again too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cascade: bool,
    /// Whether only to say what would happen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What a request leads to: head and tasks are next versions, to be written together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Reopening {
    /// The head.
    pub head: Run,
    /// The tasks with their new attempts.
    pub tasks: Vec<Task>,
    /// What happens, for people.
    pub says: String,
}

/// Why a task is not run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has no such task.
    #[error("run `{run}` has no task `{task}`;{near} its tasks: {known}")]
    NoTask {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The one that may have been meant, as a question; empty where none is near.
        near: String,
        /// The tasks it has.
        known: String,
    },
    /// Its turn has not come yet.
    #[error("`{0}` has not begun; re-run the task before it that has not passed")]
    NotBegun(TaskId),
    /// It is at work, or another one is that reads what it makes.
    #[error("`{0}` is under way; ask again when it has ended")]
    UnderWay(TaskId),
    /// The whole run must have ended.
    #[error("the run is under way; `{0}` has passed in it and can be run again once the run has ended")]
    RunUnderWay(TaskId),
    /// Nothing of the run begins any more.
    #[error("the run is being cancelled; ask again when it has ended")]
    BeingCancelled,
    /// Another one is run again at this moment.
    #[error(
        "`{0}` is being run again at this moment; ask again when it has ended (where it is stuck: redrive its dead \
         letter, or run it again first)"
    )]
    OneAtATime(TaskId),
    /// The task before it has not passed when it was last run.
    #[error("`{0}`, whose result it takes, did not pass the last time; re-run `{0}` first")]
    Before(TaskId),
    /// The cluster went back; there is nothing to look at.
    #[error("the service went back to its last verified release; re-run `{0}` instead")]
    WentBack(TaskId),
    /// A way back is no task of its own.
    #[error("a way back is not run again; re-run `{0}`, or redrive its dead letter where it is stuck")]
    WayBack(TaskId),
}

/// Decides what the request leads to. `tasks` are all tasks of the run.
///
/// # Errors
/// When the task cannot be run again now; the sentence tells why and what to do.
pub fn decide(head: &Run, tasks: &[Task], asked: &Rerun, now: Timestamp) -> Result<Reopening, Refusal> {
    match tasks.iter().find(|task| task.id == asked.task) {
        Some(task) => Anew { head, tasks, task, now }.decide(asked.cascade),
        None => Err(no_task(asked, tasks)),
    }
}

/// What a request leaves in the timeline when it is carried out.
pub fn entry(asked: &Rerun, request: &RequestId, by: &str, what: String, now: Timestamp) -> Entry {
    Entry { key: key(asked, request), at: now, by: by.to_owned(), what }
}

/// What the timeline knows a request by. A dry run is another one, so that the same request may follow in earnest.
pub fn key(asked: &Rerun, request: &RequestId) -> String {
    let kind = if asked.dry_run { "dry-run" } else { "rerun" };
    format!("{kind}-{request}-{}", asked.task)
}

fn no_task(asked: &Rerun, tasks: &[Task]) -> Refusal {
    let names: Vec<String> = tasks.iter().map(|task| task.id.to_string()).collect();
    Refusal::NoTask {
        run: asked.run.clone(),
        task: asked.task.clone(),
        near: did_you_mean(&asked.task.to_string(), names.iter().map(String::as_str)),
        known: listed(&names),
    }
}

/// The first tasks by name, for a person who mistyped one.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none, so that nothing of it can be run again".to_owned(),
        all if all > SHOWN => format!("{} and {} more", shown.join(", "), all - SHOWN),
        _ => shown.join(", "),
    }
}
