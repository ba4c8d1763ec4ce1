//! What is asked of GitHub: sources and check runs.

use std::future::Future;
use std::path::Path;

use super::Answer;
use crate::ids::{BranchName, RepositoryName, RunId, Sha};
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

/// What a commit changes since it left another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// How the two stand to each other.
    pub comparison: Comparison,
    /// The newest commit that both contain.
    pub merge_base: Sha,
    /// The files that differ from it.
    pub files: Vec<ChangedFile>,
    /// Whether there are more: GitHub shows at most 300
    /// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
    pub truncated: bool,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path, relative to the repository's root. From outside: it is compared with, never opened.
    pub path: String,
    /// Its path before, where it was renamed.
    pub previous: Option<String>,
    /// The unified diff's hunks; none where GitHub leaves them out (a binary or a very large file).
    pub patch: Option<String>,
}

/// Differences between commits.
pub trait Differences: Send + Sync {
    /// What `head` changes since it left `base`: the files of all its commits since the merge base. None where the two
    /// have no common ancestor or GitHub no longer knows one of them.
    fn changes(
        &self,
        repository: &RepositoryName,
        installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> impl Future<Output = Answer<Option<Changes>>> + Send;
}

/// What a person may do with a repository at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Push, and whatever goes beyond.
    Write,
}

/// A pull request as it is at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The newest commit offered.
    pub head: Sha,
    /// The branch offered.
    pub branch: String,
    /// The repository that the commit lies in; none when it was deleted.
    pub head_repository: Option<RepositoryName>,
    /// The branch to merge into, and its tip.
    pub base: (BranchName, Sha),
    /// Whether it is open.
    pub open: bool,
    /// Whether it is a draft.
    pub draft: bool,
    /// The login of who opened it.
    pub author: String,
    /// Its title, one line.
    pub title: String,
}

/// How a comment is answered with a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Taken (`+1`).
    Taken,
    /// Refused (`confused`).
    Refused,
}

/// What people's wishes need of GitHub.
pub trait People: Send + Sync {
    /// What the person may do with the repository now.
    fn permission(
        &self,
        repository: &RepositoryName,
        installation: u64,
        login: &str,
    ) -> impl Future<Output = Answer<Permission>> + Send;
    /// The pull request; none where there is none of that number.
    fn pull(
        &self,
        repository: &RepositoryName,
        installation: u64,
        number: u64,
    ) -> impl Future<Output = Answer<Option<Pull>>> + Send;
    /// The open pull requests that offer a branch of the repository itself; a hundred at most.
    fn pulls_of(
        &self,
        repository: &RepositoryName,
        installation: u64,
        branch: &str,
    ) -> impl Future<Output = Answer<Vec<Pull>>> + Send;
    /// Puts a sign under a comment of an issue or pull request; a comment that is gone is no fault.
    fn react(
        &self,
        repository: &RepositoryName,
        installation: u64,
        comment: u64,
        reaction: Reaction,
    ) -> impl Future<Output = Answer<()>> + Send;
}

/// Comments on pull requests, each known by a mark that no reader sees.
pub trait Comments: Send + Sync {
    /// Shows a comment on the pull request: updates the one `known` by its id, or the App's own one that holds the mark,
    /// or creates it. `text` is Markdown; the mark, `[a-z0-9-]` only, goes before it as an HTML comment. Answers its id.
    fn comment(
        &self,
        repository: &RepositoryName,
        installation: u64,
        pull: u64,
        mark: &str,
        text: &str,
        known: Option<&str>,
    ) -> impl Future<Output = Answer<String>> + Send;
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
    /// Where the title leads; none leads to the check itself.
    pub details: Option<String>,
    /// At most three, and only once it is completed: GitHub shows none before.
    pub buttons: Vec<Button>,
}

/// A button under a completed check run
/// (<https://docs.github.com/en/rest/checks/runs#create-a-check-run>, `actions`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Button {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// What comes back when it is pressed, at most 20 characters.
    pub identifier: String,
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
