//! Who waits for a scan.

use domain::message::{Scanned, Wake};
use domain::ports::{Answer, Scans};
use domain::time::Timestamp;

use super::store::MemoryStore;

impl Scans for MemoryStore {
    async fn await_scan(&self, image: &Scanned, waiting: &Wake, _now: Timestamp) -> Answer<()> {
        let place = (image.repository.clone(), image.digest.clone());
        self.wire
            .call("store.await_scan", || {
                self.tables.with(|tables| {
                    let of_image = tables.awaited.entry(place).or_default();
                    of_image.insert((waiting.run.clone(), waiting.task.clone()));
                });
                Ok(())
            })
            .await
    }

    async fn awaiting_scan(&self, image: &Scanned) -> Answer<Vec<Wake>> {
        let place = (image.repository.clone(), image.digest.clone());
        self.wire
            .call("store.awaiting_scan", || {
                let waiting =
                    self.tables.with(|tables| tables.awaited.get(&place).cloned().unwrap_or_default());
                Ok(waiting.into_iter().map(|(run, task)| Wake { run, task, timer: None }).collect())
            })
            .await
    }
}
