//! What is asked of GitHub: sources and check runs.

use std::future::Future;
use std::path::Path;

use super::Answer;
use crate::ids::{RepositoryName, RunId, Sha};
use crate::tips::Seen;

/// How two commits stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The second contains the first.
    Ahead,
    /// The first contains the second.
    Behind,
    /// The same commit.
    Identical,
    /// Neither contains the other.
    Diverged,
}

/// Who made a commit, and what he says of it; both as GitHub tells, from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitWords {
    /// The author's login; his name where GitHub knows no account of his.
    pub author: String,
    /// The commit's whole message.
    pub message: String,
}

/// What a tip check asks of GitHub.
pub trait Branches: Send + Sync {
    /// Every branch with its newest commit; none where nothing has changed since GitHub gave these marks.
    fn branches(
        &self,
        repository: &RepositoryName,
        installation: u64,
        marks: &[String],
    ) -> impl Future<Output = Answer<Option<Seen>>> + Send;
    /// Who made the commit; none where GitHub has no such commit.
    fn commit_words(
        &self,
        repository: &RepositoryName,
        installation: u64,
        sha: &Sha,
    ) -> impl Future<Output = Answer<Option<CommitWords>>> + Send;
}

/// What plan asks of GitHub.
pub trait Source: Send + Sync {
    /// Writes GitHub's zip of the commit into a file; refuses more than `most` bytes.
    fn download(
        &self,
        repository: &RepositoryName,
        installation: u64,
        sha: &Sha,
        file: &Path,
        most: u64,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// How `head` stands to `base`.
    fn compare(
        &self,
        repository: &RepositoryName,
        installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> impl Future<Output = Answer<Comparison>> + Send;
    /// The branch's newest commit; none where there is no such branch.
    fn branch_tip(
        &self,
        repository: &RepositoryName,
        installation: u64,
        branch: &str,
    ) -> impl Future<Output = Answer<Option<Sha>>> + Send;
}

/// A check run to be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// Its name, the key on the commit.
    pub name: String,
    /// Its state.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Markdown; may be empty.
    pub text: String,
    /// Findings on lines.
    pub annotations: Vec<crate::report::Annotation>,
}

/// GitHub's states and conclusions, as far as Slipway uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Waiting.
    Queued,
    /// At work.
    InProgress,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// A person must act.
    ActionRequired,
    /// Overtaken.
    Cancelled,
}

/// What notify asks of GitHub.
pub trait Checks: Send + Sync {
    /// Shows the check: finds the commit's check run of that name (by `known` id where given) and updates it, or creates it. Answers its id.
    fn show(
        &self,
        run: &RunId,
        installation: u64,
        check: &Check,
        known: Option<&str>,
    ) -> impl Future<Output = Answer<String>> + Send;
}
