//! GitHub: commits with their parents, branches, and check runs that are found before they are created.

mod branches;
mod differences;
mod people;

use std::collections::BTreeMap;
use std::path::Path;

use domain::ids::{RepositoryName, RunId, Sha};
use domain::ports::{
    Advice, Answer, ChangedFile, Check, Checks, Comparison, Fault, Permission, Pull, Source,
};

use super::shared::Shared;
use super::wire::{Guard, Wire};

pub use people::PullComment;

/// GitHub with one repository. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryGitHub {
    wire: Wire,
    state: Shared<State>,
}

#[derive(Debug, Default)]
struct State {
    commits: BTreeMap<Sha, Commit>,
    branches: BTreeMap<String, Sha>,
    checks: Vec<CheckRun>,
    /// What whoever lists the branches is told instead.
    refusal: Option<Advice>,
    /// How many branches a list shows at most.
    most_listed: Option<usize>,
    permissions: BTreeMap<String, Permission>,
    pulls: BTreeMap<u64, Pull>,
    comments: Vec<PullComment>,
}

#[derive(Debug)]
struct Commit {
    parent: Option<Sha>,
    zip: Vec<u8>,
    changes: Vec<ChangedFile>,
}

/// A check run as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// GitHub's id.
    pub id: String,
    /// The commit it stands at.
    pub sha: Sha,
    /// What it shows.
    pub check: Check,
    /// How often it was written.
    pub writes: u32,
}

impl MemoryGitHub {
    /// A repository without commits.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), state: Shared::default() }
    }

    /// A commit on the branch's tip.
    pub fn push(&self, branch: &str, sha: &Sha, zip: Vec<u8>) {
        self.state.with(|state| {
            let parent = state.branches.insert(branch.to_owned(), sha.clone());
            state.commits.insert(sha.clone(), Commit { parent, zip, changes: Vec::new() });
        });
    }

    /// Moves a branch to a commit, as a force push or a merge does.
    pub fn move_branch(&self, branch: &str, sha: &Sha) {
        self.state.with(|state| state.branches.insert(branch.to_owned(), sha.clone()));
    }

    /// Every check run in the order of creation.
    pub fn check_runs(&self) -> Vec<CheckRun> {
        self.state.with(|state| state.checks.clone())
    }
}

impl State {
    fn contains(&self, sha: &Sha, ancestor: &Sha) -> bool {
        let mut at = Some(sha);
        while let Some(sha) = at {
            if sha == ancestor {
                return true;
            }
            at = self.commits.get(sha).and_then(|commit| commit.parent.as_ref());
        }
        false
    }

    fn find(&mut self, sha: &Sha, name: &str, known: Option<&str>) -> Option<&mut CheckRun> {
        self.checks.iter_mut().find(|run| match known {
            Some(id) => run.id == id,
            None => run.sha == *sha && run.check.name == name,
        })
    }
}

impl Source for MemoryGitHub {
    async fn download(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        sha: &Sha,
        file: &Path,
        most: u64,
    ) -> Answer<()> {
        self.wire
            .call("source.download", || {
                let zip = self.state.with(|state| state.commits.get(sha).map(|commit| commit.zip.clone()));
                let zip = zip.ok_or_else(|| Fault::reject(format!("GitHub knows no commit `{sha}`")))?;
                if zip.len() as u64 > most {
                    return Err(Fault::reject("the source is too large"));
                }
                std::fs::write(file, zip).map_err(|error| Fault::retry("the file cannot be written", error))
            })
            .await
    }

    async fn compare(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> Answer<Comparison> {
        let compare = || self.state.with(|state| state.comparison(base, head));
        self.wire.call("source.compare", || Ok(compare())).await
    }

    async fn branch_tip(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        branch: &str,
    ) -> Answer<Option<Sha>> {
        self.wire
            .call("source.branch_tip", || Ok(self.state.with(|state| state.branches.get(branch).cloned())))
            .await
    }
}

impl Checks for MemoryGitHub {
    async fn show(
        &self,
        run: &RunId,
        _installation: u64,
        check: &Check,
        known: Option<&str>,
    ) -> Answer<String> {
        let find = |state: &mut State| {
            let found = state.find(&run.sha, &check.name, known).map(|run| run.id.clone());
            found.filter(|_| self.wire.has(Guard::CheckNames))
        };
        let found = match known {
            Some(id) => Some(id.to_owned()),
            None => self.wire.call("checks.find", || Ok(self.state.with(find))).await?,
        };
        if let Some(id) = found {
            let update = |state: &mut State| {
                let run = state.find(&run.sha, &check.name, Some(&id));
                let run = run.ok_or_else(|| Fault::reject(format!("GitHub knows no check run `{id}`")))?;
                (run.check, run.writes) = (check.clone(), run.writes + 1);
                Ok(())
            };
            self.wire.call("checks.update", || self.state.with(update)).await?;
            return Ok(id);
        }
        let create = |state: &mut State| {
            let id = (state.checks.len() + 1).to_string();
            let (sha, check) = (run.sha.clone(), check.clone());
            state.checks.push(CheckRun { id: id.clone(), sha, check, writes: 1 });
            id
        };
        self.wire.call("checks.create", || Ok(self.state.with(create))).await
    }
}
