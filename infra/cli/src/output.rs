//! What people see: colours only on a terminal, progress and errors on standard error.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write, stderr, stdout};

const BOLD: &str = "1";
const FAINT: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const BLUE: &str = "34";

/// One line of progress.
pub(crate) fn progress(line: &str) {
    // The terminal may be closed, or whoever read it gone: that must not keep a cloud from ending.
    let _ = writeln!(stderr(), "{} {line}", styled(FAINT, "·", stderr().is_terminal()));
}

/// Writes to standard output. Whoever reads it may have seen enough (`slipway timeline | head`): that is no trouble.
fn print(text: Arguments<'_>) {
    let _ = writeln!(stdout(), "{text}");
}

/// A line of the answer.
pub(crate) fn line(text: &str) {
    print(format_args!("{text}"));
}

/// A line of the answer with a name in front.
pub(crate) fn entry(name: &str, value: &str) {
    print(format_args!("{} {value}", styled(BOLD, &format!("{name:<10}"), stdout().is_terminal())));
}

/// The beginning of something large.
pub(crate) fn heading(text: &str) {
    print(format_args!("\n{}", styled(BOLD, text, stdout().is_terminal())));
}

/// The beginning of a list.
pub(crate) fn title(text: &str) {
    print(format_args!("\n  {}", styled(BOLD, text, stdout().is_terminal())));
}

/// An item of a list.
pub(crate) fn detail(text: &str) {
    print(format_args!("    {text}"));
}

/// A check run: its state, its name, its title.
pub(crate) fn check(state: &str, name: &str, title: &str) {
    print(format_args!(
        "    {} {name:<36} {title}",
        styled(colour(state), &format!("{state:<16}"), stdout().is_terminal())
    ));
}

/// A task's change.
pub(crate) fn task(time: &str, name: &str, word: &str, summary: &str) {
    print(format_args!(
        "  {time}  {name:<36} {}{summary}",
        styled(colour(word), word, stdout().is_terminal())
    ));
}

/// Something wrong at a place in a file.
pub(crate) fn problem(place: &str, message: &str) {
    print(format_args!("{}: {message}", styled(BOLD, place, stdout().is_terminal())));
}

/// The line of the file that a problem is about, with marks below the word.
pub(crate) fn excerpt(number: u32, text: &str, before: usize, width: usize) {
    let marks = styled(RED, &"^".repeat(width), stdout().is_terminal());
    print(format_args!("{number:>6} | {text}\n       | {}{marks}", " ".repeat(before)));
}

/// A bad end.
pub(crate) fn bad(text: &str) {
    print(format_args!("\n{}", styled(RED, text, stdout().is_terminal())));
}

/// A good end.
pub(crate) fn good(text: &str) {
    print(format_args!("\n{}", styled(GREEN, text, stdout().is_terminal())));
}

fn colour(word: &str) -> &'static str {
    match word {
        "passed" | "success" => GREEN,
        "failed" | "failure" | "stuck" | "action_required" => RED,
        _ => BLUE,
    }
}

/// What went wrong, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let _ = writeln!(stderr(), "{} {error:#}", styled(RED, "error:", stderr().is_terminal()));
}

fn styled(style: &str, text: &str, terminal: bool) -> String {
    let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain { text.to_owned() } else { format!("\u{1b}[{style}m{text}\u{1b}[0m") }
}
