//! Live progress: one line for every task that begins or ends.

use std::collections::BTreeMap;

use domain::run::Run;
use domain::task::{Outcome, State, Task};
use domain::time::Timestamp;

use crate::output;

/// What has been printed of each task.
#[derive(Default)]
pub(crate) struct Progress {
    printed: BTreeMap<String, &'static str>,
    notes: usize,
}

impl Progress {
    /// Prints what is new in this picture.
    pub(crate) fn look(&mut self, head: &Run, tasks: &[Task]) {
        for note in head.notes.iter().skip(self.notes) {
            output::progress(note);
        }
        self.notes = head.notes.len();
        for task in tasks {
            let word = word(task);
            let name = task.id.to_string();
            if word != "waits" && self.printed.get(&name) != Some(&word) {
                let summary =
                    task.verdict().map_or(String::new(), |verdict| format!("  {}", verdict.summary));
                output::task(&since(head.created, task), &name, word, &summary);
                self.printed.insert(name, word);
            }
        }
    }
}

fn word(task: &Task) -> &'static str {
    match &task.state {
        _ if task.reused.is_some() => "reused",
        State::Pending => "waits",
        State::Starting { .. } | State::Running { .. } => "runs",
        State::PassingOn { verdict } | State::Done { verdict } => match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Superseded => "superseded",
            Outcome::Cancelled => "cancelled",
        },
        State::Stuck { .. } => "stuck",
    }
}

/// Seconds from the run's beginning to the task's last change.
fn since(created: Timestamp, task: &Task) -> String {
    let at = task.finished.or(task.started).unwrap_or(created);
    format!("{:6.1} s", at.since(created).as_secs_f64())
}
