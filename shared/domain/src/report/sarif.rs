//! SARIF 2.1.0, the common report of analysis tools
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>; sections are named by §).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::findings::Findings;
use super::{Annotation, AnnotationLevel, stream};
use crate::spec::Severity;
use crate::text;

mod form;
mod level;
mod place;

use form::{Finding, Log, Run};
use level::Weight;

/// More objects than a report of 8 MiB has that says something with each: the memory that runs and rules take is
/// bounded by their number.
const MOST_OBJECTS: usize = 400_000;

const MOST_WITHOUT_PLACE: usize = 5;

/// What the report shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Findings of the severity that counts and above, and those whose severity is not said: on their lines.
    pub counted: Findings,
    /// All of them, also those that name no line of the repository.
    pub count: u32,
    /// Findings of lower severity: neither listed nor judged.
    pub below: u32,
    /// Sentences on findings that name no file of the repository.
    pub without_place: Vec<String>,
    /// Why the report does not say all there is to say, a sentence each.
    pub incomplete: Vec<String>,
}

/// Reads the report. The runs and their rules are read first, since they may stand behind the results that name them;
/// then each result is weighed as it comes.
pub(super) fn read(json: &[u8], least: Severity) -> Result<Shown, String> {
    if json.split(|byte| *byte == b'{').count() > MOST_OBJECTS {
        return Err(format!("it holds more than {MOST_OBJECTS} objects"));
    }
    let mut log: Log = stream::object(json)?;
    log.runs.0.iter_mut().for_each(Run::index);
    if log.version != "2.1.0" {
        return Err(format!("it is SARIF `{}`; write 2.1.0", text::first_line(&log.version, 20)));
    }
    if log.runs.0.is_empty() {
        return Err("it has no run".to_owned());
    }
    let mut shown = Shown::default();
    for run in &log.runs.0 {
        let name = run.name();
        if !run.results.is_there() {
            shown.incomplete.push(format!("{name} left no `results`: it looked for nothing"));
        }
        if run.failed() {
            shown.incomplete.push(format!("{name} says that it did not run to its end"));
        }
    }
    shown.incomplete.dedup();
    let results = Runs { known: &log.runs.0, shown: &mut shown, least };
    stream::walk(json, stream::InField { name: "runs", seed: results })?;
    Ok(shown)
}

impl Shown {
    fn take(&mut self, run: &Run, finding: &Finding, least: Severity) {
        let weight = level::weigh(run, finding);
        let severity = match weight {
            Weight::None => return,
            Weight::Is(severity) if severity < least => {
                self.below = self.below.saturating_add(1);
                return;
            }
            Weight::Is(severity) => level::word(severity),
            Weight::Unknown => "of unknown severity",
        };
        self.count = self.count.saturating_add(1);
        let title = || {
            let rule = run.rule_name(finding);
            text::first_line(&format!("{} {rule} ({severity})", run.name()), 200)
        };
        match place::of(run, finding) {
            Some((path, line)) => self.counted.add(AnnotationLevel::Failure, || Annotation {
                path,
                line,
                level: AnnotationLevel::Failure,
                title: title(),
                message: run.message(finding),
            }),
            None if self.without_place.len() < MOST_WITHOUT_PLACE => {
                self.without_place.push(format!("{}: {}", title(), run.message(finding)));
            }
            None => {}
        }
    }
}

/// The list of runs, each with what the first reading found in it.
struct Runs<'a> {
    known: &'a [Run],
    shown: &'a mut Shown,
    least: Severity,
}

impl<'de> DeserializeSeed<'de> for Runs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Runs<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of runs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { known, shown, least } = self;
        for run in known {
            let take = |finding: Finding| shown.take(run, &finding, least);
            let seed = stream::Each { take, element: PhantomData };
            list.next_element_seed(stream::InField { name: "results", seed })?;
        }
        // As many as the first time: it is the same text.
        if list.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("more runs than before"));
        }
        Ok(())
    }
}
