//! Who waits for the scan of an image. These items are a way from ECR's event to a task, and expire soon.

use std::time::Duration;

use domain::message::{Scanned, Wake};
use domain::ports::{Answer, Scans, Written};
use domain::time::Timestamp;

use crate::Store;
use crate::item::{Item, Key, body};

/// Longer than anybody waits for a scan: the operator's file allows half a day.
const AWAITED: Duration = Duration::from_hours(24);

impl Scans for Store {
    async fn await_scan(&self, image: &Scanned, waiting: &Wake, now: Timestamp) -> Answer<()> {
        let key = Key::of_scan(image, &format!("{} {}", waiting.run, waiting.task));
        let item = Item::new(&key, waiting)?.not_below("noted_at", now.0).kept(now, AWAITED);
        let what = || format!("it cannot be noted that `{}` waits for a scan", waiting.task);
        // Somebody has noted the same later.
        let (Written::Yes | Written::Conflict) = self.put(item, what).await?.into();
        Ok(())
    }

    async fn awaiting_scan(&self, image: &Scanned) -> Answer<Vec<Wake>> {
        let what = || format!("who waits for the scan of `{}` cannot be read", image.digest);
        self.partition(&Key::of_scan(image, ""), what).await?.iter().map(body).collect()
    }
}
