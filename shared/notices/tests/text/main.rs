//! What people read, as they read it.

mod edges;
mod story;
mod usual;

use domain::ports::Check;
use domain::report::Annotation;

/// Every check as one text; the invisible character that breaks mentions shows as `·`.
fn shown(checks: &[Check]) -> String {
    checks.iter().map(one).collect::<Vec<_>>().join("\n").replace('\u{200b}', "·")
}

fn one(check: &Check) -> String {
    let annotations: Vec<String> = check.annotations.iter().map(line).collect();
    let text = if check.text.is_empty() { String::new() } else { format!("--\n{}\n", check.text.trim_end()) };
    let head = format!("[{}] {:?}: {}", check.name, check.state, check.title);
    format!("{head}\n{}\n{text}{}", check.summary.trim_end(), annotations.concat())
}

fn line(note: &Annotation) -> String {
    format!("@ {}:{} {:?} {}: {}\n", note.path, note.line, note.level, note.title, note.message)
}
