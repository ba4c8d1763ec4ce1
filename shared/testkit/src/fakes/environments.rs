//! Fence, lock and releases of environments.

use domain::ids::{EnvironmentName, RepositoryName, RunId, ServiceName};
use domain::ports::{Answer, Environments, Fence, Locking, Release, Written};
use domain::run::Ticket;

use super::store::{Lock, MemoryStore, Place, Tables};
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
    ) -> Answer<Locking> {
        let place = place(repository, environment);
        let guarded = self.wire.has(Guard::Locks);
        let take = |tables: &mut Tables| {
            if guarded { tables.locks.entry(place).or_default().take(run, ticket) } else { Locking::Held }
        };
        self.wire.call("store.lock", || Ok(self.tables.with(take))).await
    }

    async fn unlock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> Answer<()> {
        let place = place(repository, environment);
        let own = |lock: &&mut Lock| {
            lock.holder.as_ref() == Some(run) && lock.taken.is_none_or(|taken| taken.round <= ticket.round)
        };
        let free = |tables: &mut Tables| {
            if let Some(lock) = tables.locks.get_mut(&place).filter(own) {
                lock.holder = None;
            }
        };
        self.wire
            .call("store.unlock", || {
                self.tables.with(free);
                Ok(())
            })
            .await
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

impl Lock {
    fn take(&mut self, run: &RunId, ticket: Ticket) -> Locking {
        match (&self.holder, self.taken) {
            (Some(holder), Some(taken)) if holder == run && taken.round <= ticket.round => {
                self.taken = Some(ticket);
                Locking::Held
            }
            (Some(holder), Some(taken)) if holder == run => Locking::Overtaken { by: taken.number },
            (_, Some(taken)) if taken.number > ticket.number => Locking::Overtaken { by: taken.number },
            (Some(other), _) => Locking::HeldBy(other.clone()),
            (None, Some(taken)) if taken >= ticket => Locking::Overtaken { by: taken.number },
            (None, _) => {
                (self.holder, self.taken) = (Some(run.clone()), Some(ticket));
                Locking::Held
            }
        }
    }
}

fn place(repository: &RepositoryName, environment: &EnvironmentName) -> Place {
    (repository.clone(), environment.clone())
}
