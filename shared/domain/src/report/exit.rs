//! What the exit code of a command means beside the reports that it left; none where it says nothing new.

/// pytest's (<https://docs.pytest.org/en/stable/reference/exit-codes.html>): 1 is what a failed test leaves.
pub(super) fn of_pytest(code: i32, failed: u32) -> Option<&'static str> {
    Some(match code {
        0 => return None,
        1 if failed > 0 => return None,
        1 => "no test is reported as failed, but pytest or a plugin (such as a coverage limit) says so",
        2 => "pytest was interrupted, or tests could not be collected",
        3 => "pytest had an internal error",
        4 => "pytest was called in a way it does not understand; look at the command and its paths",
        5 => "pytest found no tests",
        _ => of_shell(code).unwrap_or("this is no code of pytest's"),
    })
}

/// That of another tool for tests: failed tests explain whatever it chose.
pub(super) fn of_others(code: i32, failed: u32) -> Option<&'static str> {
    match of_shell(code) {
        Some(meaning) => Some(meaning),
        None if code == 0 || failed > 0 => None,
        None => Some("no test is reported as failed; look at the log for what did"),
    }
}

/// That of the repository's own check: findings that count explain whatever its tools chose, those of lower severity
/// explain a 1, as linters leave it for any finding. More would hide a tool that broke behind another's findings.
pub(super) fn of_check(code: i32, counted: u32, below: u32) -> Option<&'static str> {
    match of_shell(code) {
        Some(meaning) => Some(meaning),
        None if code == 0 || counted > 0 || (code == 1 && below > 0) => None,
        None => Some("no finding in its reports explains it; look at the log"),
    }
}

/// What the shell means.
fn of_shell(code: i32) -> Option<&'static str> {
    Some(match code {
        124 => "the command ran out of time",
        126 => "the command cannot be executed",
        127 => "the command was not found; is it in the requirements?",
        137 => "the command was killed, most often because memory ran out",
        143 => "the command was terminated",
        129.. => "the command was killed by a signal",
        _ => return None,
    })
}
