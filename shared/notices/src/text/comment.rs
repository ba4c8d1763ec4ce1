//! The one comment on a pull request, edited in place: how it stands, what to do, and every test in a row.

use std::fmt::Write as _;

use domain::ids::Stage;
use domain::report::TestReport;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{Output, Task};

use super::board::reused;
use super::checks::{commit_line, troubles};
use super::findings;
use super::markdown::{code, code_cell, fitting, link, sentence};
use super::report;
use super::words::{Mark, checks_address, duration, headline, hint, subject_name, time_taken};

/// Bytes of the table; GitHub takes 65,536 characters in a comment.
const TABLE: usize = 45_000;

/// Bytes of what went wrong.
const TROUBLES: usize = 8_000;

const HEADER: &str = "| service | result | tests | coverage | lint | security | time |\n\
                      | --- | --- | --- | --- | --- | --- | --- |\n";

/// The comment in Markdown. `web` is the address of GitHub's pages, for links.
pub fn comment(run: &Run, tasks: &[Task], web: Option<&str>) -> String {
    let mut text = format!(
        "### {} Slipway: {}\n\n{}",
        sign(run, tasks),
        sentence(&headline(run, tasks)),
        commit_line(run)
    );
    if let Some(hint) = hint(run, tasks) {
        let _ = write!(text, "\n**{}**{}\n", sentence(&hint), once_more(run, tasks));
    }
    if let RunState::Finished(RunOutcome::Invalid(problems)) = &run.state {
        let lines = problems
            .iter()
            .map(|problem| format!("- {}: {}\n", code(&problem.path), sentence(&problem.message)));
        let _ = write!(text, "\n{}", counted(fitting(lines, TROUBLES)));
    }
    let troubles = troubles(run, tasks, TROUBLES);
    if !troubles.is_empty() {
        let _ = write!(text, "\n{troubles}");
    }
    let table = table(run, tasks, web);
    if !table.is_empty() {
        let _ = write!(text, "\n{table}");
    }
    if let Some(link) = checks_address(&run.id, web).and_then(|address| link("Every check", &address)) {
        let _ = writeln!(text, "\n{link}");
    }
    text
}

/// A row for each test, those first that need eyes; what does not fit is counted.
fn table(run: &Run, tasks: &[Task], web: Option<&str>) -> String {
    let mut tests: Vec<&Task> = tasks.iter().filter(|task| task.id.stage == Stage::Test).collect();
    if tests.is_empty() {
        return String::new();
    }
    tests.sort_by_key(|task| Mark::of(run, task).concern());
    let (rows, left_out) = fitting(tests.iter().map(|task| row(run, task, web)), TABLE);
    let mut table = format!("{HEADER}{rows}");
    if left_out > 0 {
        let hidden = &tests[tests.len() - left_out..];
        let red = hidden.iter().filter(|task| Mark::of(run, task).needs_eyes()).count();
        let red = if red > 0 { format!(", {red} of them red") } else { String::new() };
        let _ = writeln!(table, "| … and {left_out} more{red} | | | | | | |");
    }
    table
}

fn row(run: &Run, task: &Task, web: Option<&str>) -> String {
    let mark = Mark::of(run, task);
    let result = match &task.reused {
        Some(earned) if mark == Mark::Reused => reused(earned, web),
        _ => format!("{} {}", mark.sign(), mark.word()),
    };
    let report = match findings::output(task) {
        Some(Output::Report { report, .. }) => Some(report),
        _ => None,
    };
    let cell = |of: fn(&TestReport) -> Option<String>| report.and_then(of).unwrap_or_default();
    format!(
        "| {} | {result} | {} | {} | {} | {} | {} |\n",
        code_cell(&subject_name(&task.id.subject)),
        cell(report::tests),
        cell(report::coverage),
        cell(report::lint),
        cell(report::security),
        time_taken(task).map(duration).unwrap_or_default()
    )
}

/// What a person can write below where something is red.
fn once_more(run: &Run, tasks: &[Task]) -> &'static str {
    let is_red = run.is_finished() && tasks.iter().any(|task| Mark::of(run, task) == Mark::Failed);
    if is_red { " Where it was chance, `/retest` runs once more what failed." } else { "" }
}

fn sign(run: &Run, tasks: &[Task]) -> &'static str {
    if run.stuck.is_some() || tasks.iter().any(|task| Mark::of(run, task) == Mark::Stuck) {
        return Mark::Stuck.sign();
    }
    match &run.state {
        RunState::Planning | RunState::Active => Mark::Working.sign(),
        RunState::Finished(RunOutcome::Passed) => Mark::Passed.sign(),
        RunState::Finished(RunOutcome::Failed | RunOutcome::Invalid(_)) => Mark::Failed.sign(),
        RunState::Finished(RunOutcome::Superseded) => Mark::Superseded.sign(),
        RunState::Finished(RunOutcome::Cancelled(_)) => Mark::Cancelled.sign(),
        RunState::Finished(RunOutcome::ActionRequired(_) | RunOutcome::Skipped(_)) => "✋",
    }
}

fn counted((mut text, left_out): (String, usize)) -> String {
    if left_out > 0 {
        let _ = writeln!(text, "- … and {left_out} more");
    }
    text
}
