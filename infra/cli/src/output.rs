//! What people see: colours only on a terminal, progress and errors on standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to people")]

use std::io::{IsTerminal, stderr, stdout};

const BOLD: &str = "1";
const FAINT: &str = "2";
const RED: &str = "31";

/// One line of progress.
pub(crate) fn progress(line: &str) {
    eprintln!("{} {line}", styled(FAINT, "·", stderr().is_terminal()));
}

/// A line of the answer.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A line of the answer with a name in front.
pub(crate) fn entry(name: &str, value: &str) {
    println!("{} {value}", styled(BOLD, &format!("{name:<10}"), stdout().is_terminal()));
}

/// What went wrong, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("{} {error:#}", styled(RED, "error:", stderr().is_terminal()));
}

fn styled(style: &str, text: &str, terminal: bool) -> String {
    let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain { text.to_owned() } else { format!("\u{1b}[{style}m{text}\u{1b}[0m") }
}
