//! Line coverage, from coverage.py's JSON and from Cobertura XML.
//!
//! Several reports add up: their lines are counted together, and a line that two of them know counts in both. Of the
//! lines that a change adds, one counts as run where any report says so.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::findings::Findings;
use super::new_lines::{NewLines, Range};
use super::{Annotation, AnnotationLevel, place};
use crate::ids::RepositoryPath;

mod cobertura;
mod json;

pub(super) use cobertura::read as read_cobertura;
pub(super) use json::read as read_json;

/// The files with the most lines left out that are pointed at when there is too little coverage.
const MOST_GAPS: usize = 10;

/// What the reports are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    /// The lines that the change adds, where they are known.
    pub new_lines: Option<&'a NewLines>,
    /// The service's folder: reports may name files from there.
    pub folder: Option<&'a RepositoryPath>,
}

impl<'a> Sought<'a> {
    /// The file of the change that one of these paths names.
    fn file<'p>(&self, mut paths: impl Iterator<Item = &'p str>) -> Option<(&'a str, &'a [Range])> {
        let new_lines = self.new_lines?;
        paths.find_map(|path| {
            new_lines.of(path).or_else(|| {
                let folder = self.folder?.as_str().trim_end_matches('/');
                new_lines.of(&format!("{folder}/{path}"))
            })
        })
    }
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    covered: u64,
    lines: u64,
    /// The files with the most lines not run: how many, and the first of them. The worst first.
    gaps: Vec<(Reverse<usize>, String, u32)>,
    /// Of the lines that the change adds and that can be run: whether a test ran them.
    new: BTreeMap<String, BTreeMap<u32, bool>>,
}

impl Measured {
    /// Line coverage, 0 to 100; none before anything was measured.
    #[expect(clippy::cast_precision_loss, reason = "no report of 8 MiB counts beyond 2^53 and means it")]
    pub(super) fn percent(&self) -> Option<f64> {
        (self.lines > 0).then(|| self.covered as f64 * 100.0 / self.lines as f64)
    }

    /// Takes another report's lines.
    pub(super) fn add(&mut self, other: Self) {
        self.covered = self.covered.saturating_add(other.covered);
        self.lines = self.lines.saturating_add(other.lines);
        self.gaps.extend(other.gaps);
        self.gaps.sort();
        self.gaps.truncate(MOST_GAPS);
        for (path, lines) in other.new {
            let known = self.new.entry(path).or_default();
            for (line, run) in lines {
                *known.entry(line).or_default() |= run;
            }
        }
    }

    /// Annotations on the files with the most lines not run.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Annotation> {
        self.gaps.iter().map(|(Reverse(count), path, first)| gap(*count, path, *first))
    }

    /// Of the lines that the change adds and that can be run: (run, not run), and where the latter are.
    pub(super) fn new_lines(&self, sought: &Sought<'_>) -> Option<((u32, u32), Findings)> {
        let runs = || self.new.values().flat_map(BTreeMap::values);
        let count =
            |wanted: bool| u32::try_from(runs().filter(|run| **run == wanted).count()).unwrap_or(u32::MAX);
        runs().next()?;
        let mut findings = Findings::default();
        for (path, lines) in &self.new {
            let (_, ranges) = sought.new_lines?.of(path)?;
            for (first, last) in ranges {
                for (first, last) in not_run(lines, *first, *last) {
                    findings.add(AnnotationLevel::Warning, || untested(path, first, last));
                }
            }
        }
        Some(((count(true), count(false)), findings))
    }

    /// Notes a file's lines, where the change has added some of them.
    fn note_new(&mut self, file: Option<(&str, &[Range])>, lines: impl Iterator<Item = (u32, bool)>) {
        let Some((path, ranges)) = file else { return };
        for (line, run) in lines {
            let before = ranges.partition_point(|(_, last)| *last < line);
            if ranges.get(before).is_some_and(|(first, _)| *first <= line) {
                *self.new.entry(path.to_owned()).or_default().entry(line).or_default() |= run;
            }
        }
    }

    /// Notes how many lines of a file were not run, where it is one of the repository.
    fn note_gap(&mut self, path: Option<String>, count: usize, first: Option<u32>) {
        let (Some(path), Some(first)) = (path, first) else { return };
        let gap = (Reverse(count), path, first.max(1));
        let position = self.gaps.binary_search(&gap).unwrap_or_else(|position| position);
        if position < MOST_GAPS {
            self.gaps.insert(position, gap);
            self.gaps.truncate(MOST_GAPS);
        }
    }
}

/// Whether coverage fell below the base's: by more than a hundredth of a point. Both are quotients of two counts that
/// went through JSON, where a percentage may lose its last bits; and one line of 10 000 is not worth a red build.
pub(super) fn is_below(percent: f64, base: f64) -> bool {
    percent < base - 0.01
}

/// With one digit, rounded down: 79.96 % is not shown as the 80 % that it misses.
pub(super) fn shown(percent: f64) -> String {
    format!("{:.1}", (percent * 10.0).floor() / 10.0)
}

/// Two percentages, with as many digits as it takes to tell them apart.
pub(super) fn shown_apart(one: f64, other: f64) -> (String, String) {
    match (shown(one), shown(other)) {
        (one_shown, other_shown) if one_shown == other_shown => {
            let exact = |percent: f64| format!("{:.2}", (percent * 100.0).floor() / 100.0);
            (exact(one), exact(other))
        }
        differing => differing,
    }
}

/// The pieces of a range that no test ran: from one line to the next with nothing between them that was run.
fn not_run(lines: &BTreeMap<u32, bool>, first: u32, last: u32) -> Vec<Range> {
    let mut pieces: Vec<Range> = Vec::new();
    let mut is_open = false;
    for (line, run) in lines.range(first..=last) {
        match pieces.last_mut() {
            _ if *run => {}
            Some(piece) if is_open => piece.1 = *line,
            _ => pieces.push((*line, *line)),
        }
        is_open = !run;
    }
    pieces
}

fn untested(path: &str, first: u32, last: u32) -> Annotation {
    let message = if first == last {
        "this new line is not run by the tests".to_owned()
    } else {
        format!("the new lines {first} to {last} are not run by the tests")
    };
    let title = "coverage".to_owned();
    Annotation { path: path.to_owned(), line: first, level: AnnotationLevel::Warning, title, message }
}

fn gap(count: usize, path: &str, first: u32) -> Annotation {
    let (noun, verb) = if count == 1 { ("line", "is") } else { ("lines", "are") };
    Annotation {
        path: path.to_owned(),
        line: first,
        level: AnnotationLevel::Notice,
        title: "coverage".to_owned(),
        message: format!("{count} {noun} of this file {verb} not run by the tests; this is the first"),
    }
}

/// The file as it is called in the repository.
fn in_repository(path: &str) -> Option<String> {
    place::in_repository(path)
}
