//! Fence, lock and releases of environments.

use domain::ids::{EnvironmentName, RepositoryName, RunId, ServiceName};
use domain::policy::Waiting;
use domain::ports::{Answer, Environments, Fence, Locking, Release, Written};
use domain::run::Ticket;

use super::store::{MemoryStore, Place, Tables};
use super::wire::Guard;

const CURRENT: &str = "current";
const VERIFIED: &str = "verified";

impl MemoryStore {
    /// The (current, last verified) release of a service, past the wire.
    pub fn releases_of(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> (Option<Release>, Option<Release>) {
        self.tables.with(|tables| tables.releases_of(&place(repository, environment), service))
    }
}

impl Tables {
    fn releases_of(&self, place: &Place, service: &ServiceName) -> (Option<Release>, Option<Release>) {
        let release = |kind| self.releases.get(&(place.clone(), service.clone(), kind)).cloned();
        (release(CURRENT), release(VERIFIED))
    }
}

impl Environments for MemoryStore {
    async fn fence(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
    ) -> Answer<Option<Fence>> {
        let place = place(repository, environment);
        self.wire
            .call("store.fence", || Ok(self.tables.with(|tables| tables.fences.get(&place).cloned())))
            .await
    }

    async fn draw(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        fence: &Fence,
    ) -> Answer<Written> {
        let place = place(repository, environment);
        let write = |tables: &mut Tables| {
            if tables.fences.get(&place).map_or(0, |last| last.number) + 1 != fence.number {
                return Written::Conflict;
            }
            tables.fences.insert(place, fence.clone());
            Written::Yes
        };
        self.wire.call("store.draw", || Ok(self.tables.with(write))).await
    }

    async fn lock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
        waiting: Waiting,
    ) -> Answer<Locking> {
        let place = place(repository, environment);
        let guarded = self.wire.has(Guard::Locks);
        let take = |tables: &mut Tables| {
            let lock = tables.locks.entry(place).or_default();
            if guarded { lock.ask(run, ticket, waiting) } else { Locking::Held }
        };
        self.wire.call("store.lock", || Ok(self.tables.with(take))).await
    }

    async fn unlock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> Answer<Vec<RunId>> {
        let place = place(repository, environment);
        let free = |tables: &mut Tables| {
            tables.locks.get_mut(&place).map(|lock| lock.free(run, ticket)).unwrap_or_default()
        };
        self.wire.call("store.unlock", || Ok(self.tables.with(free))).await
    }

    async fn set_current(&self, environment: &EnvironmentName, release: &Release) -> Answer<Written> {
        self.set(environment, release, CURRENT, "store.set_current").await
    }

    async fn set_verified(&self, environment: &EnvironmentName, release: &Release) -> Answer<()> {
        let (Written::Yes | Written::Conflict) =
            self.set(environment, release, VERIFIED, "store.set_verified").await?;
        Ok(())
    }

    async fn releases(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> Answer<(Option<Release>, Option<Release>)> {
        let place = place(repository, environment);
        let read = |tables: &mut Tables| tables.releases_of(&place, service);
        self.wire.call("store.releases", || Ok(self.tables.with(read))).await
    }
}

impl MemoryStore {
    async fn set(
        &self,
        environment: &EnvironmentName,
        release: &Release,
        kind: &'static str,
        call: &'static str,
    ) -> Answer<Written> {
        let key = (place(&release.run.repository, environment), release.service.clone(), kind);
        let write = |tables: &mut Tables| {
            if tables.releases.get(&key).is_some_and(|known| known.place() > release.place()) {
                return Written::Conflict;
            }
            tables.releases.insert(key, release.clone());
            Written::Yes
        };
        self.wire.call(call, || Ok(self.tables.with(write))).await
    }
}

fn place(repository: &RepositoryName, environment: &EnvironmentName) -> Place {
    (repository.clone(), environment.clone())
}
