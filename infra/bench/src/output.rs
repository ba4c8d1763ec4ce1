//! What people see: the figures on standard output, progress on standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to people")]

/// One line of progress.
pub(crate) fn progress(line: &str) {
    eprintln!("· {line}");
}

/// The table of figures.
pub(crate) fn figures(table: &str) {
    println!("{table}");
}

/// A figure that exceeds what was promised.
pub(crate) fn missed(line: &str) {
    eprintln!("missed: {line}");
}

/// What went wrong, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
