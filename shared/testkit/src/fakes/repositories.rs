//! Which repositories are looked at, and what was seen of their branches.

use domain::ids::RepositoryName;
use domain::ports::{Answer, Repositories, Written};
use domain::time::Timestamp;
use domain::tips::Tips;

use super::store::{MemoryStore, Tables};
use super::wire::Guard;

impl MemoryStore {
    /// When a repository is looked at next, past the wire.
    pub fn watched(&self, repository: &RepositoryName) -> Option<Timestamp> {
        self.tables.with(|tables| tables.watched.get(repository).copied())
    }

    /// What was seen of a repository's branches, past the wire.
    pub fn tips_of(&self, repository: &RepositoryName) -> Tips {
        self.tables.with(|tables| tables.tips.get(repository).cloned().unwrap_or_default())
    }
}

impl Repositories for MemoryStore {
    async fn watch(&self, repository: &RepositoryName, at: Timestamp) -> Answer<()> {
        let write = |tables: &mut Tables| {
            tables.watched.entry(repository.clone()).or_insert(at);
        };
        self.wire
            .call("store.watch", || {
                self.tables.with(write);
                Ok(())
            })
            .await
    }

    async fn postpone(&self, repository: &RepositoryName, until: Timestamp) -> Answer<Written> {
        let write = |tables: &mut Tables| match tables.watched.get_mut(repository) {
            Some(due) => {
                *due = until;
                Written::Yes
            }
            None => Written::Conflict,
        };
        self.wire.call("store.postpone", || Ok(self.tables.with(write))).await
    }

    async fn unwatch(&self, repository: &RepositoryName) -> Answer<Written> {
        let write = |tables: &mut Tables| match tables.watched.remove(repository) {
            Some(_) => Written::Yes,
            None => Written::Conflict,
        };
        self.wire.call("store.unwatch", || Ok(self.tables.with(write))).await
    }

    async fn tips(&self, repository: &RepositoryName) -> Answer<Tips> {
        let read = |tables: &mut Tables| tables.tips.get(repository).cloned().unwrap_or_default();
        self.wire.call("store.tips", || Ok(self.tables.with(read))).await
    }

    async fn write_tips(&self, repository: &RepositoryName, tips: &Tips) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            let known = tables.tips.get(repository).map_or(0, |known| known.version);
            if guarded && known + 1 != tips.version {
                return Written::Conflict;
            }
            tables.tips.insert(repository.clone(), tips.clone());
            Written::Yes
        };
        self.wire.call("store.write_tips", || Ok(self.tables.with(write))).await
    }
}
