//! The list of branches, and what commits say of themselves.

use domain::ids::{RepositoryName, Sha};
use domain::ports::{Advice, Answer, Branches, CommitWords, Fault};
use domain::tips::Seen;

use super::{MemoryGitHub, State};

impl MemoryGitHub {
    /// From now on GitHub refuses to list branches, with this advice to the caller; with none it lists them again.
    pub fn refuse_branches(&self, advice: Option<Advice>) {
        self.state.with(|state| state.refusal = advice);
    }

    /// From now on GitHub's list of branches ends after so many.
    pub fn list_at_most(&self, branches: usize) {
        self.state.with(|state| state.most_listed = Some(branches));
    }

    /// Deletes a branch; its commits stay.
    pub fn delete_branch(&self, branch: &str) {
        self.state.with(|state| state.branches.remove(branch));
    }
}

impl Branches for MemoryGitHub {
    async fn branches(
        &self,
        repository: &RepositoryName,
        _installation: u64,
        marks: &[String],
    ) -> Answer<Option<Seen>> {
        let list = |state: &mut State| {
            if let Some(advice) = state.refusal {
                let fault = Fault::reject(format!("GitHub lists no branches of `{repository}`"));
                return Err(Fault { advice, ..fault });
            }
            let most = state.most_listed.unwrap_or(usize::MAX);
            let listed: Vec<_> = state.branches.iter().take(most).collect();
            let mark = format!("{listed:?}");
            if marks == [mark.as_str()] {
                return Ok(None);
            }
            let cut = listed.len() < state.branches.len();
            let named = |(name, tip): (&String, &Sha)| (name.parse().expect("a branch"), tip.clone());
            Ok(Some(Seen { branches: listed.into_iter().map(named).collect(), marks: vec![mark], cut }))
        };
        self.wire.call("branches.list", || self.state.with(list)).await
    }

    async fn commit_words(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        sha: &Sha,
    ) -> Answer<Option<CommitWords>> {
        let read = |state: &mut State| {
            state.commits.contains_key(sha).then(|| CommitWords {
                author: "ada".to_owned(),
                message: format!("Change {}\n\nThe body.", sha.short()),
            })
        };
        self.wire.call("branches.commit", || Ok(self.state.with(read))).await
    }
}
