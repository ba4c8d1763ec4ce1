//! Check runs: one roll-up for the run, one for each test task that runs, one for the delivery.

use std::fmt::Write as _;

use domain::ids::Stage;
use domain::ports::{Check, CheckState};
use domain::report::{Annotation, AnnotationLevel, MOST_ANNOTATIONS};
use domain::run::{Problem, Run, RunOutcome, RunState};
use domain::task::Task;

use super::board::Board;
use super::buttons;
use super::decisions::decisions;
use super::delivery::delivery;
use super::findings;
use super::markdown::{code, fitting, plain, sentence};
use super::words::{
    Mark, capital, duration, headline, hint, task_name, tests_failed_again, tests_run_again, time_taken,
};

/// The name of the check run that branch protection should require.
pub const ROLL_UP: &str = "slipway";

/// With more test tasks than this at work, only those get a check run that need eyes.
const MOST_TESTS: usize = 20;

/// Bytes for a table, for what went wrong, and for why things were decided: together below the 65,535 that GitHub
/// takes in a summary or a text.
pub(super) const BOARD: usize = 40_000;
pub(super) const TROUBLES: usize = 12_000;

/// Every check run of a run, the roll-up first. `web` is the address of GitHub's pages, for links; `is_shown` says
/// whether GitHub shows a check of that name already, which is then kept up to date.
pub fn checks(run: &Run, tasks: &[Task], web: Option<&str>, is_shown: impl Fn(&str) -> bool) -> Vec<Check> {
    let mut checks = vec![roll_up(run, tasks, web)];
    // What another run has earned is shown there; the roll-up leads to it.
    let tests = || tasks.iter().filter(|task| task.id.stage == Stage::Test && task.reused.is_none());
    let all = tests().count() <= MOST_TESTS;
    let shown = tests().filter(|task| all || Mark::of(run, task).needs_eyes() || is_shown(&name(task)));
    checks.extend(shown.map(|task| of_test(run, task)));
    checks.extend(delivery(run, tasks, web));
    checks
}

fn name(task: &Task) -> String {
    format!("{ROLL_UP} / {}", task_name(&task.id))
}

fn roll_up(run: &Run, tasks: &[Task], web: Option<&str>) -> Check {
    let stuck = run.stuck.is_some() || tasks.iter().any(|task| Mark::of(run, task) == Mark::Stuck);
    let state = match &run.state {
        _ if stuck => CheckState::ActionRequired,
        RunState::Planning | RunState::Active => CheckState::InProgress,
        // A test that is run again after the run's end is judged here too; nobody else counts it.
        RunState::Finished(RunOutcome::Passed) if tests_run_again(run) => CheckState::InProgress,
        RunState::Finished(RunOutcome::Passed) if tests_failed_again(run, tasks) > 0 => CheckState::Failure,
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
    let troubles = troubles(run, tasks, TROUBLES);
    if !troubles.is_empty() {
        let _ = write!(summary, "\n{troubles}");
    }
    let board = Board::new(run, tasks).markdown(web, BOARD);
    if !board.is_empty() {
        let _ = write!(summary, "\n{board}");
    }
    let text = decisions(run, tasks);
    let buttons = buttons::of_run(run, tasks, state);
    Check {
        name: ROLL_UP.to_owned(),
        state,
        title: capital(&headline(run, tasks)),
        summary,
        text,
        annotations: problems.iter().take(MOST_ANNOTATIONS).map(problem_annotation).collect(),
        details: None,
        buttons,
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
        Some(domain::task::Output::Report { report, .. }) => {
            report.annotations.iter().take(MOST_ANNOTATIONS).cloned().collect()
        }
        _ => Vec::new(),
    };
    Check {
        name: name(task),
        state: state_of(mark),
        title,
        summary,
        text: findings::log(task),
        annotations,
        details: None,
        buttons: buttons::of_test(state_of(mark)),
    }
}

/// One line for each task that needs eyes, in about `most` bytes; the rest is counted.
pub(super) fn troubles(run: &Run, tasks: &[Task], most: usize) -> String {
    let troubled = tasks.iter().filter(|task| Mark::of(run, task).needs_eyes());
    let lines = troubled.map(|task| {
        let reasons: Vec<String> = findings::reasons(task).iter().map(|reason| sentence(reason)).collect();
        let mark = Mark::of(run, task);
        format!("- {} {}: {}\n", mark.sign(), code(&task_name(&task.id)), reasons.join("; "))
    });
    let (mut text, left_out) = fitting(lines, most);
    if left_out > 0 {
        let _ = writeln!(text, "- … and {left_out} more");
    }
    text
}

pub(super) fn commit_line(run: &Run) -> String {
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
        Mark::Passed | Mark::Reused => CheckState::Success,
        Mark::Failed => CheckState::Failure,
        Mark::Superseded | Mark::Cancelled | Mark::NotRun => CheckState::Cancelled,
        Mark::Stuck => CheckState::ActionRequired,
    }
}
