//! How a rollout that was asked for ends: deploy, then verify, or the way back.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::chain;
use domain::ids::{RunId, TaskId};
use domain::ports::printable_reason;
use domain::task::{Outcome, State, Task};
use serde_json::{Map, Value, json};
use store::Store;

use crate::output;
use crate::rerun::picture;

/// How often the table is looked at: two small queries.
const LOOK: Duration = Duration::from_millis(500);

/// The end of a rollout.
pub(super) struct Ended {
    pub(super) is_good: bool,
    pub(super) lines: Vec<String>,
    pub(super) json: Value,
}

/// Follows the rollout of a deploy task that has just been opened anew, however long it takes: each of its tasks ends or
/// is told as stuck.
///
/// # Errors
/// When the table does not answer.
pub(super) async fn of(store: &Store, run: &RunId, deploy: &TaskId) -> anyhow::Result<Ended> {
    let mut seen = BTreeMap::new();
    loop {
        let (_, tasks) = picture(store, run).await?;
        for task in chain::rollout(deploy).iter().filter_map(|id| find(&tasks, id)) {
            let word = word(task);
            if seen.insert(task.id.clone(), word) != Some(word) {
                output::progress(&format!("{} {word}", task.id));
            }
        }
        if let Some(ended) = end(deploy, &tasks) {
            return Ok(ended);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The end, once there is one.
fn end(deploy: &TaskId, tasks: &[Task]) -> Option<Ended> {
    let verify = chain::successor(deploy)?;
    let mut told = vec![deploy.clone()];
    let mut last = settled(tasks, deploy)?;
    if last == Settled::Passed {
        last = settled(tasks, &verify)?;
        told.push(verify);
    }
    let is_good = last == Settled::Passed;
    if let (Settled::GoesBack, Some([back, check])) = (last, chain::way_back(deploy)) {
        told.push(back.clone());
        if settled(tasks, &back)? == Settled::Passed {
            settled(tasks, &check)?;
            told.push(check);
        }
    }
    let mut json = Map::from_iter([("task".to_owned(), json!(deploy))]);
    let mut lines = Vec::new();
    for task in told.iter().filter_map(|id| find(tasks, id)) {
        let (word, summary) = (word(task), summary(task));
        lines.push(format!("{} {word}: {summary}", task.id));
        let name = if task.id.subject.is_rollback() {
            format!("way_back_{}", task.id.stage)
        } else {
            task.id.stage.to_string()
        };
        json.insert(name, json!({ "outcome": word, "summary": summary }));
    }
    json.insert("outcome".to_owned(), json!(if is_good { "passed" } else { "failed" }));
    Some(Ended { is_good, lines, json: Value::Object(json) })
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Passed,
    Bad,
    GoesBack,
}

fn settled(tasks: &[Task], id: &TaskId) -> Option<Settled> {
    let task = find(tasks, id)?;
    if matches!(task.state, State::Stuck { .. }) {
        return Some(Settled::Bad);
    }
    let verdict = task.verdict()?;
    Some(match verdict.outcome {
        Outcome::Passed => Settled::Passed,
        _ if verdict.roll_back.is_some() => Settled::GoesBack,
        _ => Settled::Bad,
    })
}

fn find<'a>(tasks: &'a [Task], id: &TaskId) -> Option<&'a Task> {
    tasks.iter().find(|task| task.id == *id)
}

fn word(task: &Task) -> &'static str {
    match &task.state {
        State::Pending => "waits for its turn",
        State::Starting { .. } | State::Running { .. } => "is under way",
        State::Stuck { .. } => "is stuck",
        State::PassingOn { verdict } | State::Done { verdict } => match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Superseded => "was superseded",
            Outcome::Cancelled => "was cancelled",
        },
    }
}

fn summary(task: &Task) -> String {
    let text = match &task.state {
        State::Stuck { reason, .. } => {
            format!("{reason}; mend that, then `slipway dlq redrive` its dead letter, or deploy it once more")
        }
        _ => task.verdict().map_or_else(String::new, |verdict| verdict.summary.clone()),
    };
    printable_reason(&text)
}
