//! Fence, lock and releases of environments; none of them expires.

use domain::ids::{EnvironmentName, RepositoryName, RunId, ServiceName};
use domain::policy::Waiting;
use domain::ports::{Answer, Environments, Fence, Locking, Release, Written};
use domain::run::Ticket;

use crate::Store;
use crate::item::{Item, Key, body};

impl Environments for Store {
    async fn fence(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
    ) -> Answer<Option<Fence>> {
        let key = Key::in_environment(repository, environment, "fence");
        let item = self.get(&key, || format!("the fence of `{environment}` cannot be read")).await?;
        item.as_ref().map(body).transpose()
    }

    async fn draw(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        fence: &Fence,
    ) -> Answer<Written> {
        let key = Key::in_environment(repository, environment, "fence");
        let item = Item::new(&key, fence)?.next("number", fence.number);
        Ok(self.put(item, || format!("no number can be drawn in `{environment}`")).await?.into())
    }

    async fn lock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
        waiting: Waiting,
    ) -> Answer<Locking> {
        self.lock_under(&Key::in_environment(repository, environment, "lock"), run, ticket, waiting)
            .await
            .map_err(|fault| fault.within(&format!("the lock of `{environment}` cannot be taken")))
    }

    async fn unlock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> Answer<Vec<RunId>> {
        self.unlock_under(&Key::in_environment(repository, environment, "lock"), run, ticket)
            .await
            .map_err(|fault| fault.within(&format!("the lock of `{environment}` cannot be freed")))
    }

    async fn set_current(&self, environment: &EnvironmentName, release: &Release) -> Answer<Written> {
        self.set_release(environment, release, "current").await
    }

    async fn set_verified(&self, environment: &EnvironmentName, release: &Release) -> Answer<()> {
        // In conflict with a higher place the older release is simply not recorded.
        let (Written::Yes | Written::Conflict) = self.set_release(environment, release, "verified").await?;
        Ok(())
    }

    async fn releases(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> Answer<(Option<Release>, Option<Release>)> {
        let what = || format!("the releases of `{service}` in `{environment}` cannot be read");
        let key = |kind| Key::in_environment(repository, environment, format!("{kind}#{service}"));
        let found = self.get_all(&[key("current"), key("verified")], what).await?;
        let mut releases = found.iter().map(|item| item.as_ref().map(body::<Release>).transpose());
        Ok((releases.next().transpose()?.flatten(), releases.next().transpose()?.flatten()))
    }
}

impl Store {
    async fn set_release(
        &self,
        environment: &EnvironmentName,
        release: &Release,
        kind: &str,
    ) -> Answer<Written> {
        let service = &release.service;
        let key = Key::in_environment(&release.run.repository, environment, format!("{kind}#{service}"));
        let item = Item::new(&key, release)?.not_below("place", place(release));
        let what = || format!("the {kind} release of `{service}` in `{environment}` cannot be written");
        Ok(self.put(item, what).await?.into())
    }
}

/// Number and turn as one number: a deploy is attempted less often than 2^18 times.
fn place(release: &Release) -> u64 {
    (release.fence << 20) | u64::from(release.turn)
}
