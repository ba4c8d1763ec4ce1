//! The files of a commit, and what the convention asks about them.

use std::collections::BTreeSet;

use crate::ids::RepositoryPath;

/// How much longer or shorter what was meant may be, in characters.
const MOST_SLIPS: usize = 4;
/// The most characters of an environment's name.
const LONGEST_ENVIRONMENT: usize = 32;
/// How many paths are compared with a misspelt one.
const MOST_RELATIVES: usize = 1000;

/// The paths of all files of a commit, relative to the repository's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeSet<String>,
}

impl<T: Into<String>> FromIterator<T> for Tree {
    fn from_iter<I: IntoIterator<Item = T>>(paths: I) -> Self {
        Self { files: paths.into_iter().map(Into::into).collect() }
    }
}

impl Tree {
    /// Whether the commit has this file.
    pub fn has_file(&self, path: &str) -> bool {
        self.files.contains(plain(path))
    }

    /// Whether the commit has a file below this folder.
    pub fn has_folder(&self, path: &str) -> bool {
        let path = plain(path);
        path == "." || self.below(&format!("{path}/")).next().is_some()
    }

    /// Whether the commit has this file or folder.
    pub fn has_path(&self, path: &str) -> bool {
        self.has_file(path) || self.has_folder(path)
    }

    /// The names of the files directly in a folder, sorted.
    pub(super) fn files_in(&self, folder: &str) -> Vec<String> {
        let names = self.below_names(folder);
        names.into_iter().filter(|name| !name.contains('/')).collect()
    }

    /// The paths of the folders directly in a folder, sorted; `.` is the root.
    pub(super) fn folders_in(&self, folder: &str) -> Vec<String> {
        let prefix = if folder == "." { String::new() } else { format!("{folder}/") };
        let inner = self.below(&prefix).filter_map(|path| {
            let (name, _) = path[prefix.len()..].split_once('/')?;
            Some(format!("{prefix}{name}"))
        });
        inner.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The names of a folder's subfolders that hold the file directly, sorted.
    pub(super) fn folders_with(&self, file: &str, folder: &str) -> Vec<String> {
        let names = self.below_names(folder);
        let found = names.iter().filter_map(|name| name.split_once('/').filter(|(_, rest)| *rest == file));
        found.map(|(name, _)| name.to_owned()).collect()
    }

    /// The requirement files that exist at the root and in the folders, in the order in which pip gets them.
    pub(super) fn requirements(&self, folders: &[&str]) -> Vec<RepositoryPath> {
        let roots = ["requirements.txt".to_owned(), "requirements-dev.txt".to_owned()];
        let inside = folders.iter().flat_map(|folder| {
            let folder = plain(folder);
            [format!("{folder}/requirements.txt"), format!("{folder}/requirements-dev.txt")]
        });
        let mut found: Vec<RepositoryPath> = Vec::new();
        for path in roots.into_iter().chain(inside).filter(|path| self.has_file(path)) {
            found.extend(path.parse().ok().filter(|path| !found.contains(path)));
        }
        found
    }

    /// The paths that a misspelt one may mean: files of the same name in other folders, and what lies beside it.
    pub(super) fn relatives(&self, path: &str) -> Vec<String> {
        let path = plain(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let beside = self.below(&prefix).map(|file| {
            let rest = file[prefix.len()..].split('/').next().unwrap_or_default();
            format!("{prefix}{rest}")
        });
        let namesakes = self.files.iter().filter(|file| {
            file.rsplit('/').next() == Some(name) && file.len().abs_diff(path.len()) < MOST_SLIPS
        });
        let mut relatives: Vec<String> = beside.chain(namesakes.cloned()).collect();
        relatives.sort();
        relatives.dedup();
        relatives.truncate(MOST_RELATIVES);
        relatives
    }

    /// What follows the prefix in the paths of files, up to the next character that no environment's name has, and every
    /// beginning of it.
    pub(super) fn words_after(&self, prefix: &str) -> BTreeSet<String> {
        let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let mut words = BTreeSet::new();
        for path in self.below(prefix) {
            let rest = &path[prefix.len()..];
            let length = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
            words.extend((1..=length.min(LONGEST_ENVIRONMENT)).map(|end| rest[..end].to_owned()));
        }
        words
    }

    fn below_names(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        self.below(&prefix).map(|path| path[prefix.len()..].to_owned()).collect()
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a String> {
        self.files.range(prefix.to_owned()..).take_while(move |path| path.starts_with(prefix))
    }
}

/// The path as the commit has it, whatever people write for it: without `.`, `/` behind, or two of them; `.` is the
/// root.
pub(super) fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The path without what people add to it: `./` before, `/` behind.
pub(super) fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}
