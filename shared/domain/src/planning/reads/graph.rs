//! Who depends on whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::RepositoryPath;
use crate::spec::Reads;

/// The most paths, and folders, that one part of a plan names; beyond that whole folders count. Each task carries them.
const MOST_PATHS: usize = 200;
/// The most names and paths that are followed from one; beyond that everything counts.
const MOST_REACHED: usize = 5000;

/// Names and paths, and which of them depend on which. Circles do no harm.
#[derive(Debug, Default)]
pub(super) struct Graph {
    vertices: Vec<Vertex>,
    names: BTreeMap<String, usize>,
    paths: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
struct Vertex {
    own: Reads,
    to: Vec<usize>,
}

impl Graph {
    /// Adds a name, unless it is there.
    pub(super) fn name(&mut self, name: &str, own: Reads) {
        if !self.names.contains_key(name) {
            let vertex = self.add(own);
            self.names.insert(name.to_owned(), vertex);
        }
    }

    /// What the name stands for.
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// A path in its normal form.
    pub(super) fn path(&mut self, path: String) -> usize {
        if let Some(vertex) = self.paths.get(&path) {
            return *vertex;
        }
        let vertex = self.add(Reads { paths: vec![path.clone()], files_in: Vec::new() });
        self.paths.insert(path, vertex);
        vertex
    }

    /// Several paths in their normal form, as one.
    pub(super) fn paths(&mut self, paths: Vec<String>) -> usize {
        self.add(Reads { paths, files_in: Vec::new() })
    }

    /// The files directly in a folder.
    pub(super) fn files_in(&mut self, folder: &str) -> usize {
        self.add(Reads { paths: Vec::new(), files_in: vec![folder.to_owned()] })
    }

    /// Lets a name depend on these.
    pub(super) fn connect(&mut self, name: &str, to: Vec<usize>) {
        if let Some(vertex) = self.of(name) {
            self.vertices[vertex].to.extend(to);
        }
    }

    fn add(&mut self, own: Reads) -> usize {
        self.vertices.push(Vertex { own, to: Vec::new() });
        self.vertices.len() - 1
    }

    /// All that is read by whoever depends on these, with the paths that everybody reads and the requirement files.
    pub(super) fn reads(
        &self,
        from: impl IntoIterator<Item = usize>,
        global: &[String],
        requirements: &[RepositoryPath],
    ) -> Reads {
        let Some(reached) = self.reached(from) else {
            return Reads { paths: vec![".".to_owned()], files_in: Vec::new() };
        };
        let own = || reached.iter().map(|vertex| &self.vertices[*vertex].own);
        let mut paths: BTreeSet<String> = own().flat_map(|own| own.paths.iter().cloned()).collect();
        paths.extend(global.iter().cloned());
        let mut files_in: BTreeSet<String> = own().flat_map(|own| own.files_in.iter().cloned()).collect();
        let read =
            Reads { paths: paths.iter().cloned().collect(), files_in: files_in.iter().cloned().collect() };
        let others = requirements.iter().map(RepositoryPath::as_str).filter(|path| !read.covers(path));
        paths.extend(others.map(ToOwned::to_owned));
        if files_in.len() > MOST_PATHS {
            paths.insert(".".to_owned());
        }
        let paths = few(paths);
        files_in.retain(|folder| !paths.contains(folder) && !is_below(folder, &paths));
        Reads { paths: paths.into_iter().collect(), files_in: files_in.into_iter().collect() }
    }

    /// These and all that they depend on; none where there are too many to follow.
    fn reached(&self, from: impl IntoIterator<Item = usize>) -> Option<BTreeSet<usize>> {
        let mut reached: BTreeSet<usize> = from.into_iter().collect();
        let mut waiting: Vec<usize> = reached.iter().copied().collect();
        while let Some(vertex) = waiting.pop() {
            for next in &self.vertices[vertex].to {
                if reached.insert(*next) {
                    waiting.push(*next);
                }
            }
            if reached.len() > MOST_REACHED {
                return None;
            }
        }
        Some(reached)
    }
}

/// The paths without those that lie in others; where they are too many, the deepest ones give way to their folders.
fn few(mut paths: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let outermost: BTreeSet<String> =
            paths.iter().filter(|path| !is_below(path, &paths)).cloned().collect();
        if outermost.len() <= MOST_PATHS {
            return outermost;
        }
        let depth = |path: &String| path.matches('/').count();
        let deepest = outermost.iter().map(depth).max().unwrap_or_default();
        let folder = |path: String| match path.rsplit_once('/') {
            Some((folder, _)) if depth(&path) == deepest => folder.to_owned(),
            None if deepest == 0 => ".".to_owned(),
            Some(_) | None => path,
        };
        paths = outermost.into_iter().map(folder).collect();
    }
}

/// Whether the path lies in another one of these.
fn is_below(path: &str, paths: &BTreeSet<String>) -> bool {
    path != "."
        && (paths.contains(".") || path.match_indices('/').any(|(end, _)| paths.contains(&path[..end])))
}
