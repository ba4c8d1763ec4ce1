//! The newest run of each line, and the green results.

use domain::ids::{Line, RepositoryName, RunId, Subject};
use domain::ports::{Answer, Delivery, Front, Green, Greens, Lines, Written};

use super::store::{MemoryStore, Tables};
use super::wire::Guard;

impl MemoryStore {
    /// A run's tasks were never written, past the wire.
    pub fn forget_tasks(&self, run: &RunId) {
        self.tables.with(|tables| tables.tasks.remove(run));
    }

    /// What a test wants to be recorded of a delivery, past the wire.
    pub fn keep_delivery(&self, delivery: Delivery) {
        self.tables.with(|tables| tables.deliveries.insert(delivery.id.clone(), delivery));
    }

    /// The newest run of a line, past the wire.
    pub fn front_of(&self, repository: &RepositoryName, line: &Line) -> Option<Front> {
        self.tables.with(|tables| tables.fronts.get(&(repository.clone(), line.clone())).cloned())
    }

    /// Every green result by subject and key, past the wire.
    pub fn all_greens(&self) -> Vec<(Subject, String, Green)> {
        let of = |((_, subject, key), green): (&(RepositoryName, Subject, String), &Green)| {
            (subject.clone(), key.clone(), green.clone())
        };
        self.tables.with(|tables| tables.greens.iter().map(of).collect())
    }
}

impl Lines for MemoryStore {
    async fn front(&self, repository: &RepositoryName, line: &Line) -> Answer<Option<Front>> {
        let place = (repository.clone(), line.clone());
        let read = |tables: &mut Tables| tables.fronts.get(&place).cloned();
        self.wire.call("store.front", || Ok(self.tables.with(read))).await
    }

    async fn write_front(&self, repository: &RepositoryName, line: &Line, front: &Front) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let place = (repository.clone(), line.clone());
        let write = |tables: &mut Tables| {
            let known = tables.fronts.get(&place).map_or(0, |known| known.version);
            if guarded && known + 1 != front.version {
                return Written::Conflict;
            }
            tables.fronts.insert(place.clone(), front.clone());
            Written::Yes
        };
        self.wire.call("store.write_front", || Ok(self.tables.with(write))).await
    }
}

impl Greens for MemoryStore {
    async fn greens(
        &self,
        repository: &RepositoryName,
        keys: &[(Subject, String)],
    ) -> Answer<Vec<Option<Green>>> {
        let read = |tables: &mut Tables| {
            let of = |(subject, key): &(Subject, String)| {
                tables.greens.get(&(repository.clone(), subject.clone(), key.clone())).cloned()
            };
            keys.iter().map(of).collect()
        };
        self.wire.call("store.greens", || Ok(self.tables.with(read))).await
    }

    async fn record_green(
        &self,
        repository: &RepositoryName,
        subject: &Subject,
        key: &str,
        green: &Green,
    ) -> Answer<()> {
        let place = (repository.clone(), subject.clone(), key.to_owned());
        let write = |tables: &mut Tables| {
            let known = tables.greens.get(&place);
            if known.is_none_or(|known| known.at <= green.at) {
                tables.greens.insert(place.clone(), green.clone());
            }
        };
        self.wire
            .call("store.record_green", || {
                self.tables.with(write);
                Ok(())
            })
            .await
    }
}
