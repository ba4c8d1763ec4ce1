//! The controllers: each looks at everything of its kind after every change, and acts on what differs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

mod collection;
mod deployment;
pub mod events;
pub mod pods;
mod replica_set;
mod rollout;
mod scaling;

use crate::objects::lifecycle::Objects;

/// Changes come in bursts: a short pause turns each burst into one look.
const BURST: Duration = Duration::from_millis(2);
/// Deadlines and minimum ready times are looked at this often when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// Runs all controllers until the end of the cluster.
pub async fn run(objects: Arc<Objects>, shutdown: CancellationToken) {
    let mut news = objects.store.subscribe();
    while !shutdown.is_cancelled() {
        news.mark_unchanged();
        deployment::sync_all(&objects);
        replica_set::sync_all(&objects);
        collection::sync_all(&objects);
        crate::services::endpoints::sync_all(&objects);
        let change = async {
            // An error would mean that the store is gone, which outlives this loop.
            let _changed = timeout(TICK, news.changed()).await;
            sleep(BURST).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = change => {}
        }
    }
}
