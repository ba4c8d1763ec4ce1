//! What is remembered of each repository served: when its branches are to be looked at, and what was seen of them.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{Answer, Written};
use crate::ids::{Line, RepositoryName, RunId, Sha, Subject};
use crate::report::TestReport;
use crate::time::Timestamp;
use crate::tips::Tips;

/// Repositories whose branch tips are looked at from time to time.
///
/// When to look lies apart from what was seen: the one is touched with every run and must stay small, the other grows
/// with the branches.
pub trait Repositories: Send + Sync {
    /// Makes the repository due at that time, unless it is due at some time already.
    fn watch(&self, repository: &RepositoryName, at: Timestamp) -> impl Future<Output = Answer<()>> + Send;
    /// Moves the time to another one; a conflict where nobody watches the repository any more.
    fn postpone(
        &self,
        repository: &RepositoryName,
        until: Timestamp,
    ) -> impl Future<Output = Answer<Written>> + Send;
    /// The repository is due no more; a conflict where it was not.
    fn unwatch(&self, repository: &RepositoryName) -> impl Future<Output = Answer<Written>> + Send;
    /// What was seen last.
    fn tips(&self, repository: &RepositoryName) -> impl Future<Output = Answer<Tips>> + Send;
    /// Writes the next version of it.
    fn write_tips(
        &self,
        repository: &RepositoryName,
        tips: &Tips,
    ) -> impl Future<Output = Answer<Written>> + Send;
}

/// What is newest on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Front {
    /// Grows by one with every write: the condition of each.
    pub version: u64,
    /// The newest run.
    pub run: RunId,
    /// The commit before it, as GitHub told.
    pub before: Option<Sha>,
}

/// The newest run of each branch, tag and pull request.
pub trait Lines: Send + Sync {
    /// What is newest; none before the first run.
    fn front(
        &self,
        repository: &RepositoryName,
        line: &Line,
    ) -> impl Future<Output = Answer<Option<Front>>> + Send;
    /// Writes the next version of it.
    fn write_front(
        &self,
        repository: &RepositoryName,
        line: &Line,
        front: &Front,
    ) -> impl Future<Output = Answer<Written>> + Send;
}

/// A trusted result that any later trusted run with the same key may take for its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Green {
    /// The run that earned it.
    pub run: RunId,
    /// Its sentence.
    pub summary: String,
    /// Its report, without annotations and log.
    pub report: TestReport,
    /// When.
    pub at: Timestamp,
}

/// Trusted green results of tests, by subject and key.
pub trait Greens: Send + Sync {
    /// The results of these keys, in their order.
    fn greens(
        &self,
        repository: &RepositoryName,
        keys: &[(Subject, String)],
    ) -> impl Future<Output = Answer<Vec<Option<Green>>>> + Send;
    /// Records a result; a newer one replaces an older one of the same key.
    fn record_green(
        &self,
        repository: &RepositoryName,
        subject: &Subject,
        key: &str,
        green: &Green,
    ) -> impl Future<Output = Answer<()>> + Send;
}
