//! What commits change, as tests say.

use std::collections::BTreeMap;

use domain::ids::{RepositoryName, Sha};
use domain::ports::{Answer, ChangedFile, Changes, Comparison, Differences};

use super::{MemoryGitHub, State};

/// GitHub shows no more files of a comparison.
const MOST_FILES: usize = 300;

impl MemoryGitHub {
    /// What a commit changes against its parent; nothing as long as no test says it.
    pub fn changes_files(&self, sha: &Sha, files: Vec<ChangedFile>) {
        self.state.with(|state| {
            let commit = state.commits.get_mut(sha).expect("the commit was pushed before");
            commit.changes = files;
        });
    }

    /// The same for files that are there before and after, by their paths.
    pub fn changes_paths(&self, sha: &Sha, paths: &[&str]) {
        let file = |path: &&str| ChangedFile { path: (*path).to_owned(), previous: None, patch: None };
        self.changes_files(sha, paths.iter().map(file).collect());
    }
}

impl State {
    /// How the second commit stands to the first.
    pub(super) fn comparison(&self, base: &Sha, head: &Sha) -> Comparison {
        match (base == head, self.contains(head, base), self.contains(base, head)) {
            (true, _, _) => Comparison::Identical,
            (_, true, _) => Comparison::Ahead,
            (_, _, true) => Comparison::Behind,
            _ => Comparison::Diverged,
        }
    }

    fn changes(&self, base: &Sha, head: &Sha) -> Option<Changes> {
        if !self.commits.contains_key(base) || !self.commits.contains_key(head) {
            return None;
        }
        let mut files = BTreeMap::new();
        let mut at = head;
        // From the newest on: what a later commit says of a file stands.
        while !self.contains(base, at) {
            let commit = self.commits.get(at)?;
            for file in &commit.changes {
                files.entry(file.path.clone()).or_insert_with(|| file.clone());
            }
            at = commit.parent.as_ref()?;
        }
        Some(Changes {
            comparison: self.comparison(base, head),
            merge_base: at.clone(),
            truncated: files.len() >= MOST_FILES,
            files: files.into_values().take(MOST_FILES).collect(),
        })
    }
}

impl Differences for MemoryGitHub {
    async fn changes(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> Answer<Option<Changes>> {
        self.wire.call("differences.changes", || Ok(self.state.with(|state| state.changes(base, head)))).await
    }
}
