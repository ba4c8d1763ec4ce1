//! The check run of a delivery: what was built, applied, seen.

use std::fmt::Write as _;

use domain::ids::Stage;
use domain::ports::{Check, CheckState};
use domain::run::Run;
use domain::task::Task;

use super::board::Board;
use super::checks::{BOARD, ROLL_UP, TROUBLES, troubles};
use super::findings;
use super::markdown::{code, sentence};
use super::words::{Mark, capital, is_spare_way_back, task_name};

/// Appears once something beyond the tests has begun.
pub(super) fn delivery(run: &Run, tasks: &[Task], web: Option<&str>) -> Option<Check> {
    let delivery = run.delivery.as_ref()?;
    let of_delivery = |task: &&Task| task.id.stage != Stage::Test && !is_spare_way_back(task);
    let tasks: Vec<Task> = tasks.iter().filter(of_delivery).cloned().collect();
    let marks: Vec<Mark> = tasks.iter().map(|task| Mark::of(run, task)).collect();
    let has_begun = |task: &Task| task.waits.is_some();
    if marks.iter().all(|mark| matches!(mark, Mark::Waiting | Mark::NotRun)) && !tasks.iter().any(has_begun) {
        return None;
    }
    let any = |mark| marks.contains(&mark);
    let (state, title) = match () {
        () if any(Mark::Stuck) => (CheckState::ActionRequired, "A person must act".to_owned()),
        () if any(Mark::Failed) => {
            (CheckState::Failure, format!("Not delivered to {}", delivery.environment))
        }
        () if any(Mark::Cancelled) => {
            (CheckState::Cancelled, format!("Cancelled on its way to {}", delivery.environment))
        }
        () if any(Mark::Superseded) => (CheckState::Cancelled, "Superseded by a newer release".to_owned()),
        () if marks.iter().all(|mark| *mark == Mark::Passed) => {
            (CheckState::Success, format!("Delivered to {}", delivery.environment))
        }
        () => (CheckState::InProgress, format!("On its way to {}", delivery.environment)),
    };
    let mut summary = format!(
        "Environment {}, namespace {}, release number {}.\n\n",
        code(delivery.environment.as_str()),
        code(&delivery.namespace),
        delivery.fence
    );
    let troubles = troubles(run, &tasks, TROUBLES);
    if !troubles.is_empty() {
        let _ = writeln!(summary, "{troubles}");
    }
    summary.push_str(&Board::new(run, &tasks).markdown(web, BOARD));
    let text = tasks.iter().map(|task| details(run, task)).collect();
    Some(Check {
        name: format!("{ROLL_UP} / deliver {}", delivery.environment),
        state,
        title,
        summary,
        text,
        annotations: Vec::new(),
        details: None,
        buttons: Vec::new(),
    })
}

/// A section of the delivery's text: what was built, applied, seen; a red task's log.
fn details(run: &Run, task: &Task) -> String {
    let mut body = findings::summary(task);
    match Mark::of(run, task) {
        Mark::Failed => {
            let _ = write!(body, "\n{}", findings::log(task));
        }
        Mark::Superseded => {
            let why = task.verdict().map(|verdict| sentence(&verdict.summary)).unwrap_or_default();
            let _ = writeln!(body, "{}.", capital(&why));
        }
        _ => {}
    }
    if body.trim().is_empty() {
        body
    } else {
        format!("### {}\n\n{}\n\n", sentence(&task_name(&task.id)), body.trim_end())
    }
}
