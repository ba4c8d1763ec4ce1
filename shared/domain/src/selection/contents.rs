//! What a commit holds, each file known by a hash of its content.

use std::collections::BTreeMap;
use std::ops::Bound;

use sha2::{Digest as _, Sha256};

use crate::spec::Reads;

/// The files of a commit by their paths, each with the hash of its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<String, [u8; 32]>);

impl FromIterator<(String, [u8; 32])> for Contents {
    fn from_iter<I: IntoIterator<Item = (String, [u8; 32])>>(files: I) -> Self {
        Self(files.into_iter().collect())
    }
}

impl Contents {
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash of a file's content.
    pub fn get(&self, path: &str) -> Option<&[u8; 32]> {
        self.0.get(path)
    }

    /// The files that are read, sorted by path.
    pub(super) fn read(&self, reads: &Reads) -> BTreeMap<&str, &[u8; 32]> {
        let mut read = BTreeMap::new();
        for own in &reads.paths {
            if own == "." {
                return self.0.iter().map(|(path, hash)| (path.as_str(), hash)).collect();
            }
            read.extend(self.0.get_key_value(own).map(|(path, hash)| (path.as_str(), hash)));
            let prefix = format!("{own}/");
            let below = self.0.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
            let below = below.take_while(|(path, _)| path.starts_with(&prefix));
            read.extend(below.map(|(path, hash)| (path.as_str(), hash)));
        }
        for folder in &reads.files_in {
            let directly = self.directly_in(folder).filter(|(path, _)| reads.covers(path));
            read.extend(directly.map(|(path, hash)| (path.as_str(), hash)));
        }
        read
    }

    /// The files of a folder itself; its subfolders are leapt over, as they may hold nearly everything.
    fn directly_in(&self, folder: &str) -> impl Iterator<Item = (&String, &[u8; 32])> {
        let prefix = if folder == "." { String::new() } else { format!("{folder}/") };
        let mut next = prefix.clone();
        std::iter::from_fn(move || {
            loop {
                let (path, hash) =
                    self.0.range::<str, _>((Bound::Included(next.as_str()), Bound::Unbounded)).next()?;
                let name = path.strip_prefix(&prefix)?;
                if let Some((subfolder, _)) = name.split_once('/') {
                    // `0` comes next after `/`.
                    next = format!("{prefix}{subfolder}0");
                } else {
                    next = format!("{path}\0");
                    return Some((path, hash));
                }
            }
        })
    }
}

/// What an entry of a commit is; with the same bytes each is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A file that can be run.
    Executable,
    /// A symbolic link; its content is where it leads.
    Link,
}

/// Hashes the content of one entry, piece by piece.
#[derive(Debug, Clone)]
pub struct ContentHash(Sha256);

impl ContentHash {
    /// An entry whose content is to follow.
    pub fn new(kind: EntryKind) -> Self {
        let kind = match kind {
            EntryKind::File => b'f',
            EntryKind::Executable => b'x',
            EntryKind::Link => b'l',
        };
        Self(Sha256::new_with_prefix([kind]))
    }

    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The hash of a content that is at hand.
    pub fn of(kind: EntryKind, content: &[u8]) -> [u8; 32] {
        let mut hash = Self::new(kind);
        hash.update(content);
        hash.finish()
    }
}
