//! pytest's `JUnit` XML, both of its families.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Annotation, AnnotationLevel, TestCounts, place};
use crate::text;

const DEEPEST: usize = 16;
const MOST_WITHOUT_PLACE: usize = 5;

/// What the tests did.
pub(super) struct Tests {
    /// By result.
    pub counts: TestCounts,
    /// Where tests failed: failed assertions first, then errors.
    pub annotations: Vec<Annotation>,
    /// Sentences on failed tests that name no line of the repository.
    pub without_place: Vec<String>,
}

/// Reads the report.
pub(super) fn read(xml: &str) -> Result<Tests, String> {
    let mut reader = Reader::from_str(xml);
    let mut report = Report::default();
    loop {
        match reader.read_event().map_err(|error| text::first_line(&error.to_string(), 200))? {
            Event::Start(element) => report.open(&element)?,
            Event::Empty(element) => {
                report.open(&element)?;
                report.close();
            }
            Event::End(_) => report.close(),
            Event::Text(content) => report.text(&content.xml10_content()),
            Event::CData(content) => report.text(&content.xml10_content()),
            Event::GeneralRef(reference) => report.reference(&reference)?,
            // Entities of its own are how a small document becomes a large one.
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return report.finish(),
        }
    }
}

#[derive(Default)]
struct Report {
    /// The names of the open elements.
    open: Vec<String>,
    has_root: bool,
    cases: Vec<Case>,
    /// Failures and errors that the suites' own counts claim.
    claimed: u64,
}

#[derive(Default)]
struct Case {
    name: String,
    /// From the first family only, whose lines count from 0.
    place: Option<(String, u32)>,
    is_skipped: bool,
    problem: Option<Problem>,
}

struct Problem {
    is_assertion: bool,
    message: String,
    traceback: String,
}

impl Report {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name: &str = element.local_name().into_inner();
        let name = name.to_owned();
        let is_root = matches!(name.as_str(), "testsuites" | "testsuite");
        if self.open.is_empty() && (self.has_root || !is_root) {
            return Err("it is not one `testsuites` element".to_owned());
        }
        if self.open.len() >= DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        self.has_root = true;
        match name.as_str() {
            "testsuite" => {
                for claim in ["failures", "errors"] {
                    let claimed = attribute(element, claim)?.and_then(|number| number.parse::<u64>().ok());
                    self.claimed = self.claimed.saturating_add(claimed.unwrap_or(0));
                }
            }
            "testcase" => {
                let case = case(element)?;
                self.cases.push(case);
            }
            "skipped" => {
                if let Some(case) = self.case_above() {
                    case.is_skipped = true;
                }
            }
            "failure" | "error" => {
                let message = attribute(element, "message")?.unwrap_or_default();
                if let Some(case) = self.case_above() {
                    let is_assertion = name == "failure";
                    let problem = Problem { is_assertion, message, traceback: String::new() };
                    case.problem =
                        Some(case.problem.take().filter(|known| known.is_assertion).unwrap_or(problem));
                }
            }
            _ => {}
        }
        self.open.push(name);
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
    }

    /// The case that the element about to open lies in.
    fn case_above(&mut self) -> Option<&mut Case> {
        if self.open.last().is_some_and(|name| name == "testcase") { self.cases.last_mut() } else { None }
    }

    fn text(&mut self, content: &str) {
        let is_traceback = matches!(self.open.last().map(String::as_str), Some("failure" | "error"));
        if let Some(problem) =
            self.cases.last_mut().and_then(|case| case.problem.as_mut()).filter(|_| is_traceback)
        {
            problem.traceback.push_str(content);
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        let character =
            reference.resolve_char_ref().map_err(|error| text::first_line(&error.to_string(), 200))?;
        if let Some(character) = character {
            self.text(character.encode_utf8(&mut [0; 4]));
            return Ok(());
        }
        let name: &str = reference;
        let known = quick_xml::escape::resolve_xml_entity(name);
        let known =
            known.ok_or_else(|| format!("it has an unknown entity `&{};`", text::first_line(name, 40)))?;
        self.text(known);
        Ok(())
    }

    fn finish(self) -> Result<Tests, String> {
        if !self.open.is_empty() || !self.has_root {
            return Err("it ends too early".to_owned());
        }
        let mut counts = TestCounts::default();
        let mut assertions = Vec::new();
        let mut errors = Vec::new();
        let mut without_place = Vec::new();
        for case in &self.cases {
            let Some(problem) = &case.problem else {
                let counter = if case.is_skipped { &mut counts.skipped } else { &mut counts.passed };
                *counter = counter.saturating_add(1);
                continue;
            };
            counts.failed = counts.failed.saturating_add(1);
            match annotation(case, problem) {
                Some(annotation) if problem.is_assertion => assertions.push(annotation),
                Some(annotation) => errors.push(annotation),
                None if without_place.len() < MOST_WITHOUT_PLACE => {
                    without_place.push(format!("test `{}`: {}", case.name, said(problem)));
                }
                None => {}
            }
        }
        if self.claimed > 0 && counts.failed == 0 {
            return Err(format!("it counts {} failed tests and shows none", self.claimed));
        }
        assertions.extend(errors);
        Ok(Tests { counts, annotations: assertions, without_place })
    }
}

fn case(element: &BytesStart<'_>) -> Result<Case, String> {
    let name = attribute(element, "name")?.unwrap_or_default();
    let class = attribute(element, "classname")?.unwrap_or_default();
    let name = if class.is_empty() { name } else { format!("{class}::{name}") };
    let file = attribute(element, "file")?.and_then(|file| place::in_repository(&file));
    let line = attribute(element, "line")?.and_then(|line| line.parse::<u32>().ok());
    let place = file.zip(line.map(|line| line.saturating_add(1)));
    Ok(Case { name: text::first_line(&name, 200), place, ..Case::default() })
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let told = |error: &dyn std::fmt::Display| text::first_line(&error.to_string(), 200);
    let Some(attribute) = element.try_get_attribute(name).map_err(|error| told(&error))? else {
        return Ok(None);
    };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| told(&error))?;
    Ok(Some(value.into_owned()))
}

fn annotation(case: &Case, problem: &Problem) -> Option<Annotation> {
    let (path, line) = place::last_in(&text::clean(&problem.traceback)).or_else(|| case.place.clone())?;
    let title = case.name.clone();
    Some(Annotation { path, line, level: AnnotationLevel::Failure, title, message: said(problem) })
}

/// The first line of the message; else pytest's first `E` line.
fn said(problem: &Problem) -> String {
    let message = text::first_line(&problem.message, 500);
    let marked = || problem.traceback.lines().find_map(|line| line.strip_prefix("E ")).unwrap_or_default();
    let told = if message.is_empty() { text::first_line(marked(), 500) } else { message };
    if told.is_empty() { "failed without a message".to_owned() } else { told }
}
