//! Slack: one message for a run, edited in place, and a line in its thread at the end.

use std::fmt::Write as _;

use domain::run::{Run, RunOutcome, RunState};
use domain::task::Task;

use super::board::Board;
use super::findings;
use super::markdown::{plain, slack as escaped, slack_code, slack_link};
use super::words::{Mark, headline, hint, task_name};

/// Rows shown; Slack cuts messages beyond 4,000 characters.
const MOST_ROWS: usize = 20;

/// Troubles shown.
const MOST_TROUBLES: usize = 6;

/// Characters of a trouble's sentences.
const MOST_WORDS: usize = 300;

/// What stands in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackThread {
    /// The message that is edited in place.
    pub head: String,
    /// The last line in its thread, once the run has ended: an edit alone tells nobody.
    pub end: Option<String>,
}

/// The thread of a run.
pub fn slack(run: &Run, tasks: &[Task]) -> SlackThread {
    let origin = &run.origin;
    let mut head = format!(
        "{} *{}* {} on {} by {}: {}\n{}\n",
        sign(run, tasks),
        escaped(&run.id.repository.to_string()),
        slack_code(run.id.sha.short()),
        slack_code(&origin.branch),
        slack_code(&origin.sender),
        slack_code(&origin.title),
        escaped(&headline(run, tasks)),
    );
    let table = Board::new(run, tasks).letters(MOST_ROWS);
    if table.len() > 1 {
        let table: Vec<String> = table.iter().map(|line| escaped(line)).collect();
        let _ = write!(head, "```\n{}\n```\n", table.join("\n"));
    }
    head.push_str(&troubles(run, tasks));
    if let Some(hint) = hint(run, tasks) {
        let _ = writeln!(head, "{}", escaped(&hint));
    }
    let end = run.has_ended().then(|| format!("{} {}", sign(run, tasks), escaped(&headline(run, tasks))));
    SlackThread { head: head.trim_end().to_owned(), end }
}

fn troubles(run: &Run, tasks: &[Task]) -> String {
    let mut lines: Vec<String> = match &run.state {
        RunState::Finished(RunOutcome::Invalid(problems)) => problems
            .iter()
            .map(|problem| {
                let number =
                    |number: Option<u32>| number.map(|number| format!(":{number}")).unwrap_or_default();
                let line = number(problem.line) + &number(problem.column);
                format!(
                    "• {} {}\n",
                    slack_code(&format!("{}{line}", problem.path)),
                    escaped(&problem.message)
                )
            })
            .collect(),
        _ => Vec::new(),
    };
    let troubled = tasks.iter().filter(|task| matches!(Mark::of(run, task), Mark::Failed | Mark::Stuck));
    lines.extend(troubled.map(|task| {
        let reasons = escaped(&plain(&findings::reasons(task).join("; "), MOST_WORDS));
        let log = findings::log_address(task).and_then(|address| slack_link("log", address));
        let log = log.map(|log| format!(" ({log})")).unwrap_or_default();
        format!("• {}: {}{log}\n", slack_code(&task_name(&task.id)), reasons)
    }));
    let hidden = lines.len().saturating_sub(MOST_TROUBLES);
    lines.truncate(MOST_TROUBLES);
    if hidden > 0 {
        lines.push(format!("• … and {hidden} more\n"));
    }
    lines.concat()
}

fn sign(run: &Run, tasks: &[Task]) -> &'static str {
    if run.stuck.is_some() || tasks.iter().any(|task| Mark::of(run, task) == Mark::Stuck) {
        return ":octagonal_sign:";
    }
    match &run.state {
        RunState::Planning | RunState::Active => ":hourglass_flowing_sand:",
        RunState::Finished(RunOutcome::Passed) => ":white_check_mark:",
        RunState::Finished(RunOutcome::Failed | RunOutcome::Invalid(_)) => ":x:",
        RunState::Finished(RunOutcome::Superseded) => ":fast_forward:",
        RunState::Finished(RunOutcome::Cancelled(_)) => ":no_entry_sign:",
        RunState::Finished(RunOutcome::ActionRequired(_) | RunOutcome::Skipped(_)) => ":raised_hand:",
    }
}
