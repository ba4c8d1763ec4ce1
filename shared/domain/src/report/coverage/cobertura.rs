//! Cobertura XML, as coverage.py (`coverage xml`) and many others write it.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Measured, Sought, in_repository};
use crate::report::xml::{self, attribute};
use crate::text;

/// The most folders of sources that are tried.
const MOST_SOURCES: usize = 20;

/// The longest path of one, in bytes; what is longer is cut, and names no folder.
const LONGEST_SOURCE: usize = 1_024;

/// The most files.
const MOST_FILES: usize = 50_000;

/// Reads the report. The lines of classes count, once each; those of methods repeat them. The sums in the report's
/// attributes are not taken.
pub(in crate::report) fn read(xml: &str, sought: &Sought<'_>) -> Result<Measured, String> {
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
            Event::DocType(document_type) if xml::has_subset(&document_type) => {
                return Err("its document type declares entities or elements of its own".to_owned());
            }
            Event::DocType(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return report.finish(sought),
        }
    }
}

#[derive(Default)]
struct Report {
    open: Vec<Part>,
    has_root: bool,
    sources: Vec<String>,
    /// The open class's file.
    file: String,
    /// Whether each line was run, by file.
    files: BTreeMap<String, BTreeMap<u32, bool>>,
}

/// What an element is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Source,
    Class,
    /// `lines` of a class; those of a method are others.
    Lines,
    Other,
}

impl Report {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name: &str = element.local_name().into_inner();
        if self.open.is_empty() && (self.has_root || name != "coverage") {
            return Err("it is not one `coverage` element".to_owned());
        }
        if self.open.len() >= xml::DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        self.has_root = true;
        let part = match (name, self.open.last()) {
            ("source", _) if self.sources.len() < MOST_SOURCES => {
                self.sources.push(String::new());
                Part::Source
            }
            ("class", _) => {
                self.file = attribute(element, "filename")?
                    .filter(|file| !file.is_empty())
                    .ok_or("a class has no `filename`")?;
                Part::Class
            }
            ("lines", Some(Part::Class)) => Part::Lines,
            ("line", Some(Part::Lines)) => {
                self.line(element)?;
                Part::Other
            }
            _ => Part::Other,
        };
        self.open.push(part);
        Ok(())
    }

    fn line(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let file = || text::first_line(&self.file, 200);
        let number = attribute(element, "number")?.and_then(|number| number.parse::<u32>().ok());
        let number = number.ok_or_else(|| format!("a line of `{}` has no `number`", file()))?;
        let hits = attribute(element, "hits")?.unwrap_or_default();
        // However large: only whether there were any counts.
        if hits.is_empty() || !hits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("line {number} of `{}` has no whole number of `hits`", file()));
        }
        let run = hits.bytes().any(|byte| byte != b'0');
        if !self.files.contains_key(&self.file) {
            if self.files.len() >= MOST_FILES {
                return Err(format!("it has more than {MOST_FILES} files"));
            }
            self.files.insert(self.file.clone(), BTreeMap::new());
        }
        if let Some(lines) = self.files.get_mut(&self.file) {
            *lines.entry(number).or_default() |= run;
        }
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
    }

    fn text(&mut self, content: &str) {
        if self.open.last() == Some(&Part::Source)
            && let Some(source) = self.sources.last_mut()
            && source.len() + content.len() <= LONGEST_SOURCE
        {
            source.push_str(content);
        }
    }

    fn finish(self, sought: &Sought<'_>) -> Result<Measured, String> {
        if !self.open.is_empty() || !self.has_root {
            return Err("it ends too early".to_owned());
        }
        let mut measured = Measured::default();
        for (file, lines) in &self.files {
            let missing = || lines.iter().filter(|(_, run)| !**run);
            let count = missing().count();
            measured.lines += lines.len() as u64;
            measured.covered += (lines.len() - count) as u64;
            let mut paths = self.paths(file);
            let of_change = sought.file(paths.iter().map(String::as_str));
            measured.note_new(of_change, lines.iter().map(|(line, run)| (*line, *run)));
            let path = match of_change {
                Some((path, _)) => Some(path.to_owned()),
                None if paths.is_empty() => None,
                None => Some(paths.swap_remove(0)),
            };
            measured.note_gap(path, count, missing().next().map(|(line, _)| *line));
        }
        if measured.lines == 0 {
            return Err("it measured no line; look at what the command measures".to_owned());
        }
        Ok(measured)
    }

    /// What a file may be called in the repository: below each of the sources, then as it stands.
    fn paths(&self, file: &str) -> Vec<String> {
        let below = self.sources.iter().map(|source| {
            let source = source.trim().trim_end_matches('/');
            let source = source.strip_prefix("file://").unwrap_or(source);
            match source {
                "" | "." => file.to_owned(),
                _ => format!("{source}/{file}"),
            }
        });
        let is_absolute = file.starts_with('/');
        let below: Vec<String> = if is_absolute { Vec::new() } else { below.collect() };
        below.iter().map(String::as_str).chain([file]).filter_map(in_repository).collect()
    }
}
