//! What was decided, and why: the run's own notes, and each test's reason.

use domain::ids::Stage;
use domain::run::Run;
use domain::task::Task;

use super::markdown::{code, fitting, sentence};
use super::words::subject_name;

/// Bytes of the text; a check run's text takes 65,535.
const MOST: usize = 60_000;

/// Subjects named for one reason.
const NAMES: usize = 30;

/// A list; empty where there is nothing to say.
pub(super) fn decisions(run: &Run, tasks: &[Task]) -> String {
    let notes = run.notes.iter().map(|note| format!("- {}\n", sentence(note)));
    let reasons = reasons(tasks).into_iter().map(|(why, names)| {
        let shown = names.iter().take(NAMES).map(|name| code(name)).collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("- {shown}{more}: {}\n", sentence(why))
    });
    let (list, left_out) = fitting(notes.chain(reasons), MOST);
    let rest = if left_out > 0 { format!("- … and {left_out} more\n") } else { String::new() };
    if list.is_empty() && rest.is_empty() {
        return String::new();
    }
    format!("What was decided, and why:\n\n{list}{rest}")
}

/// Each reason with the subjects that it holds for, in the order of the tasks: what is true of many is said once.
fn reasons(tasks: &[Task]) -> Vec<(&str, Vec<String>)> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for task in tasks.iter().filter(|task| task.id.stage == Stage::Test && !task.why.is_empty()) {
        let name = subject_name(&task.id.subject);
        match reasons.iter_mut().find(|(why, _)| *why == task.why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((&task.why, vec![name])),
        }
    }
    reasons
}
