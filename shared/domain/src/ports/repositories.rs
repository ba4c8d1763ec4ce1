//! What is remembered of each repository served: when its branches are to be looked at, and what was seen of them.

use std::future::Future;

use super::{Answer, Written};
use crate::ids::RepositoryName;
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
