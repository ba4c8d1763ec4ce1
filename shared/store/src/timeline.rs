//! The timeline of a run: one item for each entry, written once.

use domain::ids::RunId;
use domain::ports::{Answer, Timeline};
use domain::time::Timestamp;
use domain::timeline::Entry;

use crate::Store;
use crate::item::{Item, Key, RUNS_KEPT, body};

const PREFIX: &str = "timeline#";

impl Timeline for Store {
    async fn record(&self, run: &RunId, entry: &Entry) -> Answer<()> {
        // In conflict with itself the entry is there already.
        self.put(entry_item(run, entry)?, || format!("the timeline of `{run}` cannot be written")).await?;
        Ok(())
    }

    async fn entry(&self, run: &RunId, key: &str) -> Answer<Option<Entry>> {
        let what = || format!("the timeline of `{run}` cannot be read");
        self.get(&key_of(run, key), what).await?.as_ref().map(body).transpose()
    }

    async fn timeline(&self, run: &RunId) -> Answer<Vec<Entry>> {
        let what = || format!("the timeline of `{run}` cannot be read");
        let mut entries: Vec<Entry> = self.below(run, PREFIX, what).await?;
        entries.sort_by_key(|entry| entry.at);
        Ok(entries)
    }
}

/// An entry to be written only where there is none of its key.
pub(crate) fn entry_item(run: &RunId, entry: &Entry) -> Answer<Item> {
    Ok(Item::new(&key_of(run, &entry.key), entry)?.kept(Timestamp::now(), RUNS_KEPT))
}

fn key_of(run: &RunId, key: &str) -> Key {
    Key::in_run(run, format!("{PREFIX}{key}"))
}
