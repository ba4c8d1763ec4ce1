//! `JUnit` XML: both of pytest's families, and what surefire and its like leave.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::findings::Findings;
use super::xml::{self, attribute};
use super::{Annotation, AnnotationLevel, TestCounts, place};
use crate::text;

const MOST_WITHOUT_PLACE: usize = 5;

/// The most names kept of tests that passed only on a retry.
pub(super) const MOST_FLAKY: usize = 20;

/// What the tests did. Several reports add up.
#[derive(Debug, Default)]
pub(super) struct Tests {
    /// How many reports they are from.
    pub reports: u32,
    /// By result.
    pub counts: TestCounts,
    /// Where assertions failed.
    pub failures: Findings,
    /// Where tests broke.
    pub errors: Findings,
    /// Where tests failed that passed on a retry.
    pub retries: Findings,
    /// The names of tests that passed only on a retry, the first of them.
    pub flaky: Vec<String>,
    /// Sentences on failed tests that name no line of the repository.
    pub without_place: Vec<String>,
}

impl Tests {
    /// Takes another report's tests after its own.
    pub(super) fn add(&mut self, other: Self) {
        self.reports = self.reports.saturating_add(other.reports);
        let TestCounts { passed, failed, skipped, flaky } = other.counts;
        self.counts.passed = self.counts.passed.saturating_add(passed);
        self.counts.failed = self.counts.failed.saturating_add(failed);
        self.counts.skipped = self.counts.skipped.saturating_add(skipped);
        self.counts.flaky = self.counts.flaky.saturating_add(flaky);
        self.failures.append(other.failures);
        self.errors.append(other.errors);
        self.retries.append(other.retries);
        self.flaky.extend(other.flaky);
        self.flaky.truncate(MOST_FLAKY);
        self.without_place.extend(other.without_place);
        self.without_place.truncate(MOST_WITHOUT_PLACE);
    }

    fn count(&mut self, case: &Case) {
        let Some(problem) = &case.problem else {
            match &case.retry {
                _ if case.is_skipped => self.counts.skipped = self.counts.skipped.saturating_add(1),
                None => self.counts.passed = self.counts.passed.saturating_add(1),
                Some(retry) => self.count_flaky(case, retry),
            }
            return;
        };
        self.counts.failed = self.counts.failed.saturating_add(1);
        let findings = if problem.is_assertion { &mut self.failures } else { &mut self.errors };
        match annotation(case, problem, AnnotationLevel::Failure) {
            Some(annotation) => findings.push(annotation),
            None if self.without_place.len() < MOST_WITHOUT_PLACE => {
                self.without_place.push(format!("test `{}`: {}", case.name, said(problem)));
            }
            None => {}
        }
    }

    fn count_flaky(&mut self, case: &Case, retry: &Problem) {
        self.counts.passed = self.counts.passed.saturating_add(1);
        self.counts.flaky = self.counts.flaky.saturating_add(1);
        if self.flaky.len() < MOST_FLAKY {
            self.flaky.push(case.name.clone());
        }
        if let Some(mut annotation) = annotation(case, retry, AnnotationLevel::Warning) {
            annotation.message = format!("passed only on a retry; before: {}", annotation.message);
            self.retries.push(annotation);
        }
    }
}

/// Reads the report.
pub(super) fn read(xml: &str) -> Result<Tests, String> {
    let mut reader = Reader::from_str(xml);
    let mut report = Report::default();
    loop {
        match reader.read_event().map_err(|error| xml::told(&error))? {
            Event::Start(element) => report.open(&element)?,
            Event::Empty(element) => {
                report.open(&element)?;
                report.close();
            }
            Event::End(_) => report.close(),
            Event::Text(content) => report.text(&content.xml10_content()),
            Event::CData(content) => report.text(&content.xml10_content()),
            Event::GeneralRef(reference) => report.text(&xml::resolved(&reference)?),
            // Entities of its own are how a small document becomes a large one.
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return report.finish(),
        }
    }
}

#[derive(Default)]
struct Report {
    /// What the open elements are.
    open: Vec<Part>,
    has_root: bool,
    /// The open case.
    case: Option<Case>,
    tests: Tests,
    /// Failures and errors that the suites' own counts claim.
    claimed: u64,
}

/// What an element is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Case,
    /// The text is the traceback of the case's problem.
    Problem,
    /// The text is the traceback of the failure before a retry.
    Retry,
    Other,
}

#[derive(Default)]
struct Case {
    name: String,
    /// From the first family only, whose lines count from 0.
    place: Option<(String, u32)>,
    is_skipped: bool,
    problem: Option<Problem>,
    /// The first failure that a retry followed.
    retry: Option<Problem>,
}

struct Problem {
    is_assertion: bool,
    message: String,
    traceback: String,
}

impl Report {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name: &str = element.local_name().into_inner();
        let is_root = matches!(name, "testsuites" | "testsuite");
        if self.open.is_empty() && (self.has_root || !is_root) {
            return Err("it is not one `testsuites` element".to_owned());
        }
        if self.open.len() >= xml::DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        self.has_root = true;
        let above = self.open.last().copied();
        if name == "testsuite" {
            self.claims(element)?;
        }
        if name == "testcase" && self.case.is_some() {
            return Err("it has a test case in a test case".to_owned());
        }
        let part = match (name, self.case.as_mut().filter(|_| above == Some(Part::Case))) {
            ("testcase", _) => {
                self.case = Some(new_case(element)?);
                Part::Case
            }
            ("skipped", Some(case)) => {
                case.is_skipped = true;
                Part::Other
            }
            ("failure" | "error", Some(case)) => {
                let problem = problem(element, name == "failure")?;
                // A test that failed and broke while it was cleaned up is a failed one.
                if case.problem.as_ref().is_some_and(|known| known.is_assertion) {
                    Part::Other
                } else {
                    case.problem = Some(problem);
                    Part::Problem
                }
            }
            // Surefire's reruns are failures that no retry healed where the case has a problem too.
            ("rerunFailure" | "rerunError" | "flakyFailure" | "flakyError", Some(case)) => {
                if case.retry.is_some() {
                    Part::Other
                } else {
                    case.retry = Some(problem(element, name.ends_with("Failure"))?);
                    Part::Retry
                }
            }
            ("stackTrace", _) if above == Some(Part::Retry) => Part::Retry,
            _ => Part::Other,
        };
        self.open.push(part);
        Ok(())
    }

    fn claims(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        for claim in ["failures", "errors"] {
            let claimed = attribute(element, claim)?.and_then(|number| number.parse::<u64>().ok());
            self.claimed = self.claimed.saturating_add(claimed.unwrap_or(0));
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.open.pop() == Some(Part::Case)
            && let Some(case) = self.case.take()
        {
            self.tests.count(&case);
        }
    }

    fn text(&mut self, content: &str) {
        let Some(case) = &mut self.case else { return };
        let problem = match self.open.last() {
            Some(Part::Problem) => case.problem.as_mut(),
            Some(Part::Retry) => case.retry.as_mut(),
            _ => None,
        };
        if let Some(problem) = problem {
            problem.traceback.push_str(content);
        }
    }

    fn finish(self) -> Result<Tests, String> {
        if !self.open.is_empty() || !self.has_root {
            return Err("it ends too early".to_owned());
        }
        if self.claimed > 0 && self.tests.counts.failed == 0 {
            return Err(format!("it counts {} failed tests and shows none", self.claimed));
        }
        Ok(Tests { reports: 1, ..self.tests })
    }
}

fn new_case(element: &BytesStart<'_>) -> Result<Case, String> {
    let name = attribute(element, "name")?.unwrap_or_default();
    let class = attribute(element, "classname")?.unwrap_or_default();
    let name = if class.is_empty() { name } else { format!("{class}::{name}") };
    let file = attribute(element, "file")?.and_then(|file| place::in_repository(&file));
    let line = attribute(element, "line")?.and_then(|line| line.parse::<u32>().ok());
    let place = file.zip(line.map(|line| line.saturating_add(1)));
    Ok(Case { name: text::first_line(&name, 200), place, ..Case::default() })
}

fn problem(element: &BytesStart<'_>, is_assertion: bool) -> Result<Problem, String> {
    let message = attribute(element, "message")?.unwrap_or_default();
    Ok(Problem { is_assertion, message, traceback: String::new() })
}

fn annotation(case: &Case, problem: &Problem, level: AnnotationLevel) -> Option<Annotation> {
    let (path, line) = place::last_in(&text::clean(&problem.traceback)).or_else(|| case.place.clone())?;
    let title = case.name.clone();
    Some(Annotation { path, line, level, title, message: said(problem) })
}

/// The first line of the message; else pytest's first `E` line.
fn said(problem: &Problem) -> String {
    let message = text::first_line(&problem.message, 500);
    let marked = || problem.traceback.lines().find_map(|line| line.strip_prefix("E ")).unwrap_or_default();
    let told = if message.is_empty() { text::first_line(marked(), 500) } else { message };
    if told.is_empty() { "failed without a message".to_owned() } else { told }
}
