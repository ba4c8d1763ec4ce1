//! The newest run of each branch, tag and pull request, and the trusted results that later runs may take for their own.

use std::time::Duration;

use domain::ids::{Line, RepositoryName, Subject};
use domain::ports::{Answer, Front, Green, Greens, Lines, Written};
use domain::time::Timestamp;

use crate::Store;
use crate::item::{Item, Key, RUNS_KEPT, body};

/// How long a green result is taken for another run: what it did not pin (packages, the image behind a tag) ages.
const GREENS_KEPT: Duration = Duration::from_hours(30 * 24);

/// The most keys of one `BatchGetItem`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
const BATCH: usize = 100;

impl Lines for Store {
    async fn front(&self, repository: &RepositoryName, line: &Line) -> Answer<Option<Front>> {
        let what = || format!("the newest run of `{line}` cannot be read");
        self.get(&front_key(repository, line), what).await?.as_ref().map(body).transpose()
    }

    async fn write_front(&self, repository: &RepositoryName, line: &Line, front: &Front) -> Answer<Written> {
        let item = Item::new(&front_key(repository, line), front)?
            .next("version", front.version)
            .kept(Timestamp::now(), RUNS_KEPT);
        let what = || format!("the newest run of `{line}` cannot be written");
        Ok(self.put(item, what).await?.into())
    }
}

impl Greens for Store {
    async fn greens(
        &self,
        repository: &RepositoryName,
        keys: &[(Subject, String)],
    ) -> Answer<Vec<Option<Green>>> {
        let mut greens = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let wanted: Vec<Key> =
                batch.iter().map(|(subject, key)| green_key(repository, subject, key)).collect();
            let what = || format!("green results of `{repository}` cannot be read");
            for item in self.get_all(&wanted, what).await? {
                greens.push(item.as_ref().map(body).transpose()?);
            }
        }
        Ok(greens)
    }

    async fn record_green(
        &self,
        repository: &RepositoryName,
        subject: &Subject,
        key: &str,
        green: &Green,
    ) -> Answer<()> {
        let item = Item::new(&green_key(repository, subject, key), green)?
            .not_below("at", green.at.0)
            .kept(green.at, GREENS_KEPT);
        // In conflict with a newer result that one stays.
        self.put(item, || format!("the green result of `{subject}` cannot be written")).await?;
        Ok(())
    }
}

fn front_key(repository: &RepositoryName, line: &Line) -> Key {
    Key::in_repository(repository, &format!("front#{line}"))
}

fn green_key(repository: &RepositoryName, subject: &Subject, key: &str) -> Key {
    Key::in_repository(repository, &format!("green#{subject}#{key}"))
}
