//! The verdict: what the files of a test build say, held against the policy.

use super::{
    Annotation, Kind, MOST_ANNOTATIONS, ResultFiles, TestReport, bandit, coverage, flake8, junit, log,
};
use crate::text;

/// The largest file read of a result, in bytes.
const LARGEST_FILE: usize = 8 * 1024 * 1024;

/// Reads what a test build left behind and judges it. What is missing or cannot be read is a failure with its own
/// words, never a pass.
pub fn judge(kind: Kind, files: &ResultFiles) -> TestReport {
    let mut verdict = Verdict { files, report: TestReport::default(), annotations: Vec::new() };
    match kind {
        Kind::Service { coverage } => {
            verdict.tests();
            verdict.coverage(coverage);
        }
        Kind::Integration => verdict.tests(),
        Kind::Checks { flake8, bandit } => {
            if flake8 {
                verdict.flake8();
            }
            if bandit {
                verdict.bandit();
            }
            if !flake8 && !bandit {
                verdict.fail("no check was asked for");
            }
        }
    }
    verdict.finish()
}

/// The report in the making.
struct Verdict<'a> {
    files: &'a ResultFiles,
    report: TestReport,
    annotations: Vec<Annotation>,
}

impl Verdict<'_> {
    fn fail(&mut self, reason: impl Into<String>) {
        self.report.reasons.push(reason.into());
    }

    /// A file of the result, or why there is none to read.
    fn file(&self, name: &str) -> Result<&[u8], String> {
        match self.files.get(name) {
            None => Err(format!("the build left no `{name}`")),
            Some(bytes) if bytes.len() > LARGEST_FILE => {
                Err(format!("`{name}` is larger than 8 MiB and was not read"))
            }
            Some(bytes) => Ok(bytes),
        }
    }

    /// The exit code that a command left in its file.
    fn exit_code(&self, name: &str) -> Result<i32, String> {
        let bytes =
            self.file(name).map_err(|problem| format!("{problem}: the command did not come to its end"))?;
        let text = String::from_utf8_lossy(bytes);
        text.trim().parse().map_err(|_| format!("`{name}` holds no number"))
    }

    fn tests(&mut self) {
        let tests = self.file("junit.xml").and_then(|bytes| {
            junit::read(&String::from_utf8_lossy(bytes))
                .map_err(|problem| format!("`junit.xml` cannot be read: {problem}"))
        });
        let failed = match tests {
            Ok(tests) => {
                let counts = tests.counts;
                self.report.tests = Some(counts);
                let ran = counts.passed.saturating_add(counts.failed);
                match (ran, counts.failed, counts.skipped) {
                    (0, _, 0) => self.fail("no test ran"),
                    (0, _, skipped) => self.fail(format!("no test ran, {skipped} skipped")),
                    (_, 0, _) => {}
                    (ran, failed, _) => self.fail(format!("{failed} of {ran} tests failed")),
                }
                for reason in tests.without_place {
                    self.fail(reason);
                }
                self.annotations.extend(tests.annotations);
                counts.failed
            }
            Err(problem) => {
                self.fail(problem);
                0
            }
        };
        match self.exit_code("exit-code") {
            Ok(0) => {}
            // One failing test or more is what exit code 1 says.
            Ok(1) if failed > 0 => {}
            Ok(code) => {
                self.fail(format!("the tests ended with exit code {code}: {}", pytest_says(code)));
            }
            Err(problem) => self.fail(problem),
        }
    }

    fn coverage(&mut self, demanded: Option<u8>) {
        self.report.coverage_demanded = demanded;
        if demanded.is_none() && !self.files.contains_key("coverage.json") {
            return;
        }
        let measured = self.file("coverage.json").and_then(|bytes| {
            coverage::read(bytes).map_err(|problem| format!("`coverage.json` cannot be read: {problem}"))
        });
        match (measured, demanded) {
            (Ok(measured), demanded) => {
                self.report.coverage = Some(measured.percent);
                let Some(demanded) = demanded.filter(|demanded| measured.percent < f64::from(*demanded))
                else {
                    return;
                };
                let shown = coverage::shown(measured.percent);
                self.fail(format!("coverage {shown} % is below the {demanded} % demanded"));
                self.annotations.extend(measured.gaps);
            }
            (Err(problem), Some(_)) => self.fail(problem),
            // Not judged: a report that cannot be read changes nothing.
            (Err(_), None) => {}
        }
    }

    fn flake8(&mut self) {
        let mut found = None;
        match self.file("flake8.txt") {
            Ok(bytes) => {
                let flake8::Output { findings, strange } = flake8::read(&String::from_utf8_lossy(bytes));
                let count = u32::try_from(findings.len()).unwrap_or(u32::MAX);
                self.report.flake8 = Some(count);
                found = Some(count);
                if count > 0 {
                    self.fail(format!("flake8 found {}", counted(count, "problem")));
                } else if let Some(line) = strange {
                    self.fail(format!("`flake8.txt` holds what is no finding: `{line}`"));
                }
                self.annotations.extend(findings);
            }
            Err(problem) => self.fail(problem),
        }
        match (self.exit_code("flake8-exit-code"), found) {
            (Ok(0), _) | (Ok(1), Some(1..)) => {}
            (Ok(code), _) => self.fail(format!("flake8 ended with exit code {code}{}", unexplained(found))),
            (Err(problem), _) => self.fail(problem),
        }
    }

    fn bandit(&mut self) {
        let mut found = None;
        let findings = self.file("bandit.json").and_then(|bytes| {
            bandit::read(bytes).map_err(|problem| format!("`bandit.json` cannot be read: {problem}"))
        });
        match findings {
            Ok(findings) => {
                let count = u32::try_from(findings.counted.len()).unwrap_or(u32::MAX);
                self.report.bandit = Some(count);
                // Bandit's exit code speaks of low findings too.
                found = Some(count.saturating_add(findings.low));
                if count > 0 {
                    self.fail(format!(
                        "bandit found {} of medium or high severity",
                        counted(count, "problem")
                    ));
                }
                for problem in findings.unread {
                    self.fail(problem);
                }
                self.annotations.extend(findings.counted);
            }
            Err(problem) => self.fail(problem),
        }
        match (self.exit_code("bandit-exit-code"), found) {
            (Ok(0), _) | (Ok(1), Some(1..)) => {}
            (Ok(code), _) => self.fail(format!("bandit ended with exit code {code}{}", unexplained(found))),
            (Err(problem), _) => self.fail(problem),
        }
    }

    fn finish(mut self) -> TestReport {
        self.report.passed = self.report.reasons.is_empty();
        let omitted = self.annotations.len().saturating_sub(MOST_ANNOTATIONS);
        self.annotations.truncate(MOST_ANNOTATIONS);
        self.report.annotations_omitted = u32::try_from(omitted).unwrap_or(u32::MAX);
        self.report.annotations = self.annotations;
        if !self.report.passed {
            self.report.log_tail =
                self.files.get("log.txt").map(|bytes| log::tail(bytes)).unwrap_or_default();
        }
        for reason in &mut self.report.reasons {
            *reason = text::first_line(reason, 500);
        }
        self.report
    }
}

/// What pytest and the shell mean by an exit code
/// (<https://docs.pytest.org/en/stable/reference/exit-codes.html>).
fn pytest_says(code: i32) -> &'static str {
    match code {
        1 => "no test is reported as failed, but pytest or a plugin (such as a coverage limit) says so",
        2 => "pytest was interrupted, or tests could not be collected",
        3 => "pytest had an internal error",
        4 => "pytest was called in a way it does not understand; look at the command and its paths",
        5 => "pytest found no tests",
        124 => "the command ran out of time",
        126 => "the command cannot be executed",
        127 => "the command was not found; is it in the requirements?",
        137 => "the command was killed, most often because memory ran out",
        143 => "the command was terminated",
        _ => "this is no code of pytest's",
    }
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn unexplained(found: Option<u32>) -> &'static str {
    if found == Some(0) { " without a finding" } else { "" }
}
