//! Check runs: one roll-up for the run, one for each test task, one for the delivery.

use std::fmt::Write as _;

use domain::ids::Stage;
use domain::ports::{Check, CheckState};
use domain::report::{Annotation, AnnotationLevel};
use domain::run::{Problem, Run, RunOutcome, RunState};
use domain::task::Task;

use super::board::Board;
use super::findings;
use super::markdown::{code, plain, sentence};
use super::words::{Mark, duration, headline, hint, is_spare_way_back, task_name, time_taken};

/// The name of the check run that branch protection should require.
pub const ROLL_UP: &str = "slipway";

/// Every check run of a run, the roll-up first.
pub fn checks(run: &Run, tasks: &[Task]) -> Vec<Check> {
    let mut checks = vec![roll_up(run, tasks)];
    checks.extend(tasks.iter().filter(|task| task.id.stage == Stage::Test).map(|task| of_test(run, task)));
    checks.extend(delivery(run, tasks));
    checks
}

fn roll_up(run: &Run, tasks: &[Task]) -> Check {
    let stuck = run.stuck.is_some() || tasks.iter().any(|task| Mark::of(run, task) == Mark::Stuck);
    let state = match &run.state {
        _ if stuck => CheckState::ActionRequired,
        RunState::Planning | RunState::Active => CheckState::InProgress,
        RunState::Finished(RunOutcome::Passed) => CheckState::Success,
        RunState::Finished(RunOutcome::Failed | RunOutcome::Invalid(_)) => CheckState::Failure,
        RunState::Finished(RunOutcome::Superseded | RunOutcome::Cancelled(_)) => CheckState::Cancelled,
        // Neither neutral nor skipped: both satisfy a required check, and nothing was judged.
        RunState::Finished(RunOutcome::ActionRequired(_) | RunOutcome::Skipped(_)) => {
            CheckState::ActionRequired
        }
    };
    let problems: &[Problem] = match &run.state {
        RunState::Finished(RunOutcome::Invalid(problems)) => problems,
        _ => &[],
    };
    let mut summary = commit_line(run);
    if let Some(hint) = hint(run, tasks) {
        let _ = write!(summary, "\n**{}**\n", sentence(&hint));
    }
    summary.extend(problems.iter().map(problem_line));
    let troubles = trouble_lines(run, tasks);
    if !troubles.is_empty() {
        let _ = write!(summary, "\n{troubles}");
    }
    let board = Board::new(run, tasks).markdown();
    if !board.is_empty() {
        let _ = write!(summary, "\n{board}");
    }
    let notes: Vec<String> = run.notes.iter().map(|note| format!("- {}\n", sentence(note))).collect();
    let notes = notes.concat();
    let text = if notes.is_empty() { notes } else { format!("What was decided, and why:\n\n{notes}") };
    Check {
        name: ROLL_UP.to_owned(),
        state,
        title: capital(&headline(run, tasks)),
        summary,
        text,
        annotations: problems.iter().map(problem_annotation).collect(),
        details: None,
        buttons: Vec::new(),
    }
}

fn of_test(run: &Run, task: &Task) -> Check {
    let mark = Mark::of(run, task);
    let mut summary = String::new();
    if matches!(mark, Mark::Failed | Mark::Stuck) {
        summary.extend(findings::reasons(task).iter().map(|reason| format!("- {}\n", sentence(reason))));
        summary.push('\n');
    }
    summary.push_str(&findings::summary(task));
    if mark == Mark::Stuck {
        let hint = hint(run, std::slice::from_ref(task)).unwrap_or_default();
        let _ = write!(summary, "\n{}\n", sentence(&hint));
    }
    let title = title(mark, task);
    if summary.trim().is_empty() {
        // GitHub wants a summary.
        summary = sentence(&title);
    }
    let annotations = match findings::output(task) {
        Some(domain::task::Output::Report { report, .. }) => report.annotations.clone(),
        _ => Vec::new(),
    };
    Check {
        name: format!("{ROLL_UP} / {}", task_name(&task.id)),
        state: state_of(mark),
        title,
        summary,
        text: findings::log(task),
        annotations,
        details: None,
        buttons: Vec::new(),
    }
}

/// Appears once something beyond the tests has begun.
fn delivery(run: &Run, tasks: &[Task]) -> Option<Check> {
    let delivery = run.delivery.as_ref()?;
    let of_delivery = |task: &&Task| task.id.stage != Stage::Test && !is_spare_way_back(task);
    let tasks: Vec<Task> = tasks.iter().filter(of_delivery).cloned().collect();
    let marks: Vec<Mark> = tasks.iter().map(|task| Mark::of(run, task)).collect();
    if marks.iter().all(|mark| matches!(mark, Mark::Waiting | Mark::NotRun)) {
        return None;
    }
    let any = |mark| marks.contains(&mark);
    let (state, title) = match () {
        () if any(Mark::Stuck) => (CheckState::ActionRequired, "A person must act".to_owned()),
        () if any(Mark::Failed) => {
            (CheckState::Failure, format!("Not delivered to {}", delivery.environment))
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
    let troubles = trouble_lines(run, &tasks);
    if !troubles.is_empty() {
        let _ = writeln!(summary, "{troubles}");
    }
    summary.push_str(&Board::new(run, &tasks).markdown());
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
    if Mark::of(run, task) == Mark::Failed {
        let _ = write!(body, "\n{}", findings::log(task));
    }
    if body.trim().is_empty() {
        body
    } else {
        format!("### {}\n\n{}\n\n", sentence(&task_name(&task.id)), body.trim_end())
    }
}

/// One line for each task that needs eyes.
fn trouble_lines(run: &Run, tasks: &[Task]) -> String {
    let troubled = tasks.iter().filter(|task| matches!(Mark::of(run, task), Mark::Failed | Mark::Stuck));
    troubled
        .map(|task| {
            let reasons: Vec<String> =
                findings::reasons(task).iter().map(|reason| sentence(reason)).collect();
            let mark = Mark::of(run, task);
            format!("- {} {}: {}\n", mark.sign(), code(&task_name(&task.id)), reasons.join("; "))
        })
        .collect::<Vec<_>>()
        .concat()
}

fn commit_line(run: &Run) -> String {
    let origin = &run.origin;
    let pull_request =
        origin.pull_request.map(|number| format!(", pull request {number}")).unwrap_or_default();
    format!(
        "Commit {} on {} by {}{pull_request}: {}\n",
        code(run.id.sha.short()),
        code(&origin.branch),
        code(&origin.sender),
        code(&origin.title)
    )
}

fn problem_line(problem: &Problem) -> String {
    let number = |name: &str, number: Option<u32>| number.map(|number| format!(", {name} {number}"));
    let line = number("line", problem.line).unwrap_or_default();
    let column = number("column", problem.column).unwrap_or_default();
    format!("\n- {}{line}{column}: {}\n", code(&problem.path), sentence(&problem.message))
}

fn problem_annotation(problem: &Problem) -> Annotation {
    Annotation {
        path: problem.path.clone(),
        // An annotation needs a line; the first one stands for the whole file.
        line: problem.line.unwrap_or(1),
        level: AnnotationLevel::Failure,
        title: "Slipway cannot plan this commit".to_owned(),
        message: plain(&problem.message, 2000),
    }
}

fn title(mark: Mark, task: &Task) -> String {
    let time = time_taken(task).map(|time| format!(" ({})", duration(time))).unwrap_or_default();
    match (mark, task.verdict()) {
        (Mark::Stuck, _) => "A person must act: the machinery failed too often".to_owned(),
        (_, Some(verdict)) => format!("{}{time}", capital(&plain(&verdict.summary, 200)).replace('`', "")),
        (mark, None) => capital(mark.word()),
    }
}

fn state_of(mark: Mark) -> CheckState {
    match mark {
        Mark::Waiting => CheckState::Queued,
        Mark::Working => CheckState::InProgress,
        Mark::Passed => CheckState::Success,
        Mark::Failed => CheckState::Failure,
        Mark::Superseded | Mark::Cancelled | Mark::NotRun => CheckState::Cancelled,
        Mark::Stuck => CheckState::ActionRequired,
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
