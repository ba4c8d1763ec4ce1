//! What people read, as they read it.

mod edges;
mod story;
mod usual;

use domain::ports::Check;

/// Every check as one text.
fn shown(checks: &[Check]) -> String {
    let shown = checks.iter().map(|check| {
        let annotations: String = check
            .annotations
            .iter()
            .map(|note| {
                format!("@ {}:{} {:?} {}: {}\n", note.path, note.line, note.level, note.title, note.message)
            })
            .collect();
        let text =
            if check.text.is_empty() { String::new() } else { format!("--\n{}\n", check.text.trim_end()) };
        format!(
            "[{}] {:?}: {}\n{}\n{text}{annotations}",
            check.name,
            check.state,
            check.title,
            check.summary.trim_end()
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}
