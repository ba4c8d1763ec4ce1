//! The report in the making: reasons, findings, and the files that they are read from.

use super::findings::Findings;
use super::{Policy, ResultFiles, TestReport, bounds, log};

/// The largest file read of a result, in bytes.
const LARGEST_FILE: usize = 8 * 1024 * 1024;

/// The most bytes read of all files of a result together.
const LARGEST_SUM: usize = 32 * 1024 * 1024;

/// The report in the making.
pub(super) struct Verdict<'a> {
    pub policy: &'a Policy,
    pub files: &'a ResultFiles,
    pub report: TestReport,
    pub findings: Findings,
    read: usize,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(policy: &'a Policy, files: &'a ResultFiles) -> Self {
        Self { policy, files, report: TestReport::default(), findings: Findings::default(), read: 0 }
    }

    /// Fails, with a sentence that says why.
    pub(super) fn fail(&mut self, reason: impl Into<String>) {
        self.report.reasons.push(reason.into());
    }

    /// A file of the result, or why there is none to read.
    pub(super) fn file(&mut self, name: &str) -> Result<&'a [u8], String> {
        let files = self.files;
        let bytes = files.get(name).ok_or_else(|| format!("the build left no `{name}`"))?;
        self.bounded(name, bytes)
    }

    /// The bytes of a file, where they are not too many.
    pub(super) fn bounded(&mut self, name: &str, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        if bytes.len() > LARGEST_FILE {
            return Err(format!("`{name}` is larger than 8 MiB and was not read"));
        }
        self.read = self.read.saturating_add(bytes.len());
        if self.read > LARGEST_SUM {
            return Err(format!("`{name}` was not read: the reports are larger than 32 MiB together"));
        }
        Ok(bytes)
    }

    /// The exit code that a command left in its file.
    pub(super) fn exit_code(&mut self, name: &str) -> Result<i32, String> {
        let bytes =
            self.file(name).map_err(|problem| format!("{problem}: the command did not come to its end"))?;
        let text = String::from_utf8_lossy(bytes);
        text.trim().parse().map_err(|_| format!("`{name}` holds no number"))
    }

    /// Ends the report: it has passed when nothing spoke against it.
    pub(super) fn finish(mut self) -> TestReport {
        self.report.passed = self.report.reasons.is_empty();
        (self.report.annotations, self.report.annotations_omitted) = self.findings.shown();
        if !self.report.passed {
            self.report.log_tail =
                self.files.get("log.txt").map(|bytes| log::tail(bytes)).unwrap_or_default();
        }
        bounds::fit(&mut self.report);
        self.report
    }
}

/// `1 problem`, `2 problems`.
pub(super) fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
