//! What notify has said.

use domain::ids::RunId;
use domain::ports::{Answer, NoticeBook, Told, Written};
use domain::time::Timestamp;

use crate::Store;
use crate::item::{Item, Key, RUNS_KEPT, body};

impl NoticeBook for Store {
    async fn told(&self, run: &RunId) -> Answer<Told> {
        let item = self.get(&key(run), || format!("what was told of `{run}` cannot be read")).await?;
        Ok(item.as_ref().map(body).transpose()?.unwrap_or_default())
    }

    async fn write_told(&self, run: &RunId, told: &Told) -> Answer<Written> {
        let item =
            Item::new(&key(run), told)?.next("version", told.version).kept(Timestamp::now(), RUNS_KEPT);
        Ok(self.put(item, || format!("what was told of `{run}` cannot be written")).await?.into())
    }
}

fn key(run: &RunId) -> Key {
    Key::in_run(run, "told")
}
