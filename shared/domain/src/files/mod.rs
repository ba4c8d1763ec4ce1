//! The two files people write, read strictly and to the end: every problem is told at once, each with its place.
//!
//! Text becomes a tree with places ([`yaml`]), the tree becomes a type ([`reader`], [`record`]). The types are declared once, and
//! their JSON Schemas and references are made of the same declarations ([`schema`], [`reference`](mod@reference)).

use std::fmt;
use std::sync::Arc;

pub mod operator;
pub mod pipeline;
mod reader;
mod record;
pub mod reference;
pub mod schema;
mod shape;
mod suggest;
mod values;
mod yaml;

pub use reader::did_you_mean;
pub use values::{
    Builds, ChannelName, Command, ContainerImage, Dependency, DnsLabel, HealthPath, ImageName, LibraryName,
    MailAddress, Minutes, OrNone, Percent, Retries, SecretReference, ValueName, VariableName, VariableValue,
    Version,
};
pub use yaml::Place;

/// The largest file read, in bytes.
pub const LARGEST_FILE: usize = 256 * 1024;
/// The most problems told of one file.
pub(crate) const MOST_PROBLEMS: usize = 50;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// From 1, where the place is known.
    pub line: Option<u32>,
    /// From 1, in characters, where the place is known.
    pub column: Option<u32>,
    /// What is wrong and what is allowed, in lower case and without a full stop.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "line {line}, column {column}: {}", self.message),
            (Some(line), None) => write!(formatter, "line {line}: {}", self.message),
            _ => formatter.write_str(&self.message),
        }
    }
}

impl std::error::Error for FileError {}

/// Everything that is wrong with a file, in the order of its lines; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileErrors(pub Vec<FileError>);

impl fmt::Display for FileErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&told.join("; "))
    }
}

impl std::error::Error for FileErrors {}

/// What of a file could be read, and everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct Reading<T> {
    /// The file, without what is wrong; none where nothing of it can be used.
    pub(crate) file: Option<T>,
    /// In the order of the lines.
    pub(crate) problems: Vec<FileError>,
    /// Where its entries stand.
    pub(crate) places: Places,
}

impl<T> Reading<T> {
    /// The file, where nothing is wrong with it.
    fn strict(self) -> Result<T, FileErrors> {
        match self.file {
            Some(file) if self.problems.is_empty() => Ok(file),
            _ => Err(FileErrors(self.problems)),
        }
    }
}

/// Reads a file of at most [`LARGEST_FILE`] bytes.
fn read<T: reader::Readable>(source: &[u8]) -> Reading<T> {
    let mut problems = Problems::default();
    let root = text_of(source, &mut problems).and_then(|text| yaml::tree(text, &mut problems));
    let file = root.as_deref().and_then(|root| {
        // What a later version means is not for this one to judge.
        if let Some(later) = values::other_version(root) {
            problems.add(later);
            return None;
        }
        T::read(root, &mut problems)
    });
    Reading { file, problems: problems.in_order(), places: Places(root) }
}

fn text_of<'a>(source: &'a [u8], problems: &mut Problems) -> Option<&'a str> {
    if source.len() > LARGEST_FILE {
        problems.add(FileError::everywhere(format!(
            "the file has more than the {LARGEST_FILE} bytes that are allowed"
        )));
        return None;
    }
    std::str::from_utf8(source)
        .map_err(|error| {
            let (good, _) = source.split_at(error.valid_up_to());
            let good = String::from_utf8_lossy(good);
            let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
            let line = good.rsplit('\n').next().unwrap_or_default();
            let place =
                Place { line: number(good.matches('\n').count()), column: number(line.chars().count()) };
            problems.at(place, "this byte is not UTF-8; save the file in that encoding");
        })
        .ok()
}

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<FileError>,
    untold: usize,
}

impl Problems {
    /// Far more than are told, so that the first in the file are among them, and few enough to hold.
    const MOST_HELD: usize = 20 * MOST_PROBLEMS;

    fn add(&mut self, problem: FileError) {
        if self.found.len() < Self::MOST_HELD {
            self.found.push(problem);
        } else {
            self.untold += 1;
        }
    }

    fn at(&mut self, place: Place, message: impl Into<String>) {
        self.add(FileError::at(place, message));
    }

    fn count(&self) -> usize {
        self.found.len() + self.untold
    }

    /// Adds a hint to the one problem that was found at this place since then.
    fn hint(&mut self, place: Place, before: usize, hint: &str) {
        let line = Some(place.line);
        if let (true, Some(last)) = (self.count() == before + 1, self.found.last_mut())
            && (last.line, last.column) == (line, Some(place.column))
        {
            last.message.push_str(hint);
        }
    }

    /// Each problem once, even where an alias repeats it.
    pub(crate) fn in_order(mut self) -> Vec<FileError> {
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        self.found.dedup();
        let more = self.found.len().saturating_sub(MOST_PROBLEMS) + self.untold;
        self.found.truncate(MOST_PROBLEMS);
        if more > 0 {
            self.found.push(FileError::everywhere(format!("and {more} more problems")));
        }
        self.found
    }
}

/// Where the entries of a file stand.
#[derive(Debug, Default)]
pub(crate) struct Places(Option<Arc<yaml::Node>>);

/// One step of the way to an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// Into a mapping.
    Key(&'a str),
    /// To the item of a list that is this text.
    Item(&'a str),
}

impl Places {
    /// Where the entry stands, or the innermost one on the way to it that the file has.
    pub(crate) fn of(&self, way: &[Step<'_>]) -> Option<Place> {
        let mut node = self.0.as_deref()?;
        let mut place = None;
        for step in way {
            let next = match (step, &node.value) {
                (Step::Key(key), yaml::Value::Map(entries)) => {
                    entries.iter().find(|entry| entry.key == **key).map(|entry| (entry.place, &*entry.value))
                }
                (Step::Item(text), yaml::Value::List(items)) => items
                    .iter()
                    .find(|item| matches!(&item.value, yaml::Value::Scalar(word) if word.text == **text))
                    .map(|item| (item.place, &**item)),
                _ => None,
            };
            let Some((found, value)) = next else { return place };
            // A word or number is shown itself; what is larger is shown by its key.
            let is_word = matches!(value.value, yaml::Value::Scalar(_)) && !value.is_null();
            place = Some(if is_word { value.place } else { found });
            node = value;
        }
        place
    }
}

impl Places {
    /// The keys of a top-level mapping, also of entries that could not be read.
    pub(crate) fn keys(&self, field: &str) -> Vec<&str> {
        let entries = self.0.as_deref().and_then(yaml::Node::entries).unwrap_or_default();
        let entry = entries.iter().find(|entry| entry.key == field);
        let keys = entry.and_then(|entry| entry.value.entries()).unwrap_or_default();
        keys.iter().map(|entry| entry.key.as_str()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
