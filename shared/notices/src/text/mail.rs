//! The mail at a run's end, in plain text.

use std::fmt::Write as _;

use domain::ports::Mail;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::Task;

use super::board::Board;
use super::findings;
use super::markdown::plain;
use super::words::{Mark, headline, hint, task_name};

/// Rows shown; whoever needs more looks at the check run.
const MOST_ROWS: usize = 200;

/// The mail, once the run has ended and if anybody wants one.
pub fn mail(run: &Run, tasks: &[Task]) -> Option<Mail> {
    let RunState::Finished(outcome) = &run.state else { return None };
    if run.notifications.email.is_empty() || !run.has_ended() {
        return None;
    }
    let word = match outcome {
        RunOutcome::Passed => "passed",
        RunOutcome::Failed => "failed",
        RunOutcome::Superseded => "superseded",
        RunOutcome::Cancelled(_) => "cancelled",
        RunOutcome::Skipped(_) => "skipped",
        RunOutcome::ActionRequired(_) => "needs a person",
        RunOutcome::Invalid(_) => "cannot be planned",
    };
    let origin = &run.origin;
    let subject = format!("[slipway] {word}: {} {} {}", run.id.repository, origin.branch, run.id.sha.short());
    let mut body = format!(
        "{} at {} on {} by {}:\n{}\n\nResult: {}.\n",
        run.id.repository,
        run.id.sha,
        plain(&origin.branch, 200),
        plain(&origin.sender, 200),
        plain(&origin.title, 200),
        headline(run, tasks)
    );
    if let Some(hint) = hint(run, tasks) {
        let _ = writeln!(body, "{}", plain(&hint, 2000));
    }
    if let RunOutcome::Invalid(problems) = outcome {
        body.push('\n');
        body.extend(problems.iter().map(|problem| {
            let number = |name: &str, number: Option<u32>| number.map(|number| format!(", {name} {number}"));
            let line = number("line", problem.line).unwrap_or_default();
            let column = number("column", problem.column).unwrap_or_default();
            format!("- {}{line}{column}: {}\n", plain(&problem.path, 255), plain(&problem.message, 2000))
        }));
    }
    let table = Board::new(run, tasks).letters(MOST_ROWS);
    if table.len() > 1 {
        let _ = write!(body, "\n{}\n", table.join("\n"));
    }
    for task in tasks.iter().filter(|task| matches!(Mark::of(run, task), Mark::Failed | Mark::Stuck)) {
        let _ = write!(body, "\n{}:\n", task_name(&task.id));
        body.extend(findings::reasons(task).iter().map(|reason| format!("- {}\n", plain(reason, 2000))));
        body.extend(findings::seen(task).iter().map(|line| format!("  {}\n", plain(line, 300))));
        if let Some(address) = findings::log_address(task) {
            let _ = writeln!(body, "Log: {}", plain(address, 2000));
        }
    }
    // A line break in a subject would begin another header.
    Some(Mail { to: run.notifications.email.clone(), subject: plain(&subject, 200), body })
}
