//! What people read, as they read it.

mod again;
mod edges;
mod pulls;
mod rollouts;
mod story;
mod usual;

use domain::ports::{Button, Check};
use domain::report::Annotation;
use domain::run::Run;
use domain::task::Task;
use notices::text;

const WEB: &str = "https://github.com";

/// The checks of a run of which GitHub shows none yet.
fn checks(run: &Run, tasks: &[Task]) -> Vec<Check> {
    text::checks(run, tasks, Some(WEB), |_| false)
}

/// Every check as one text; the invisible character that breaks mentions shows as `·`.
fn shown(checks: &[Check]) -> String {
    checks.iter().map(one).collect::<Vec<_>>().join("\n").replace('\u{200b}', "·")
}

fn one(check: &Check) -> String {
    let annotations: Vec<String> = check.annotations.iter().map(line).collect();
    let text = if check.text.is_empty() { String::new() } else { format!("--\n{}\n", check.text.trim_end()) };
    let head = format!("[{}] {:?}: {}", check.name, check.state, check.title);
    let buttons: Vec<String> = check.buttons.iter().map(button).collect();
    format!("{head}\n{}\n{text}{}{}", check.summary.trim_end(), annotations.concat(), buttons.concat())
}

fn button(button: &Button) -> String {
    format!("({}: {} -> {})\n", button.label, button.description, button.identifier)
}

fn line(note: &Annotation) -> String {
    format!("@ {}:{} {:?} {}: {}\n", note.path, note.line, note.level, note.title, note.message)
}
