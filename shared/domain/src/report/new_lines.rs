//! The lines that a change adds, read from the patches of its files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::place;

/// More files than GitHub lists of a change.
const MOST_FILES: usize = 3_000;

/// The most ranges kept of one file, and of all of them.
const MOST_RANGES_OF_FILE: usize = 1_000;
const MOST_RANGES: usize = 20_000;

/// The largest patch read of a file, in bytes.
const LARGEST_PATCH: usize = 1024 * 1024;

/// First and last line of what is added in one piece.
pub(super) type Range = (u32, u32);

/// The lines that a change adds, by file.
///
/// Stored as JSON: `{"backend/a.py": [[10, 14], [20, 20]]}`, first and last line of each range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Vec<Range>>", into = "BTreeMap<String, Vec<Range>>")]
pub struct NewLines {
    files: BTreeMap<String, Vec<Range>>,
    ranges: usize,
}

impl NewLines {
    /// Takes a file of the change with its patch, the hunks of a unified diff, without the lines that name the file.
    ///
    /// A file is left out when its patch has another form, adds no line, or is beyond what is kept of a change (3 000
    /// files, 1 MiB and 1 000 ranges a file, 20 000 ranges in all): nothing is said about its new lines then. A second
    /// patch of a file takes the first one's place.
    pub fn add(&mut self, path: &str, diff: &str) {
        self.remove(path);
        if diff.len() <= LARGEST_PATCH
            && let Some(ranges) = added(diff)
        {
            self.insert(path, ranges);
        }
    }

    /// Whether nothing is known of any file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files it knows.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The file as the change calls it, with its ranges in order.
    pub(super) fn of(&self, path: &str) -> Option<(&str, &[Range])> {
        self.files.get_key_value(path).map(|(path, ranges)| (path.as_str(), ranges.as_slice()))
    }

    fn remove(&mut self, path: &str) {
        if let Some(ranges) = self.files.remove(path) {
            self.ranges -= ranges.len();
        }
    }

    fn insert(&mut self, path: &str, ranges: Vec<Range>) {
        let is_in_order = ranges.iter().all(|(first, last)| *first > 0 && first <= last)
            && ranges.windows(2).all(|pair| matches!(pair, [before, after] if before.1 < after.0));
        let fits = self.files.len() < MOST_FILES
            && (1..=MOST_RANGES_OF_FILE).contains(&ranges.len())
            && self.ranges + ranges.len() <= MOST_RANGES;
        // Reports name files as annotations do; a path of another form could never be found again.
        if fits && is_in_order && place::in_repository(path).as_deref() == Some(path) {
            self.ranges += ranges.len();
            self.files.insert(path.to_owned(), ranges);
        }
    }
}

impl From<BTreeMap<String, Vec<Range>>> for NewLines {
    fn from(files: BTreeMap<String, Vec<Range>>) -> Self {
        let mut lines = Self::default();
        for (path, ranges) in files {
            lines.insert(&path, ranges);
        }
        lines
    }
}

impl From<NewLines> for BTreeMap<String, Vec<Range>> {
    fn from(lines: NewLines) -> Self {
        lines.files
    }
}

/// The ranges that the hunks of a patch add; none where it is no patch, or one that was cut.
fn added(patch: &str) -> Option<Vec<Range>> {
    let mut ranges: Vec<Range> = Vec::new();
    let mut lines = patch.split_terminator('\n').peekable();
    while let Some(header) = lines.next() {
        let Hunk { mut line, mut before, mut after } = hunk(header)?;
        while before > 0 || after > 0 {
            match lines.next()?.as_bytes().first() {
                Some(b'+') => {
                    after = after.checked_sub(1)?;
                    match ranges.last_mut() {
                        Some((_, last)) if last.checked_add(1) == Some(line) => *last = line,
                        _ => ranges.push((line, line)),
                    }
                    line = line.checked_add(1)?;
                }
                Some(b'-') => before = before.checked_sub(1)?,
                // An empty line of the file may have lost the space before it.
                Some(b' ' | b'\r') | None => {
                    before = before.checked_sub(1)?;
                    after = after.checked_sub(1)?;
                    line = line.checked_add(1)?;
                }
                Some(b'\\') => {}
                Some(_) => return None,
            }
        }
        while lines.next_if(|line| line.starts_with('\\') || line.is_empty()).is_some() {}
        if ranges.len() > MOST_RANGES_OF_FILE {
            return None;
        }
    }
    Some(ranges)
}

/// A hunk: the new file's next line, and how many lines of the old and the new file it has.
struct Hunk {
    line: u32,
    before: u32,
    after: u32,
}

/// The hunk that a header `@@ -1,5 +1,6 @@ …` begins.
fn hunk(header: &str) -> Option<Hunk> {
    let (ranges, _) = header.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let numbers = |range: &str| -> Option<(u32, u32)> {
        let (first, count) = range.split_once(',').unwrap_or((range, "1"));
        Some((first.parse().ok()?, count.parse().ok()?))
    };
    let ((_, before), (line, after)) = (numbers(old)?, numbers(new)?);
    Some(Hunk { line, before, after })
}

#[cfg(test)]
mod tests;
