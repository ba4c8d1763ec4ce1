//! The controllers: each looks at what changed and what that concerns, and acts on what differs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

mod adoption;
mod collection;
mod daemon_set;
mod deployment;
pub mod events;
mod job;
mod making;
pub mod pods;
mod replica_set;
mod revisions;
mod rollout;
mod round;
mod scaling;
mod stateful_set;

use crate::api::failure::Failure;
use crate::objects::lifecycle::Objects;
use crate::objects::store::Key;
use crate::services::endpoints;
use round::Round;

/// Changes come in bursts: a short pause turns each burst into one look.
const BURST: Duration = Duration::from_millis(2);
/// Deadlines, minimum ready times and what failed before are looked at this often.
const TICK: Duration = Duration::from_secs(1);

/// Runs all controllers until the end of the cluster. `back_off` is a Job's first pause after a pod that failed.
pub async fn run(objects: Arc<Objects>, back_off: Duration, shutdown: CancellationToken) {
    let mut news = objects.store.subscribe();
    let mut tick = Instant::now() + TICK;
    let (mut seen, mut failed) = (0, Round::default());
    while !shutdown.is_cancelled() {
        news.mark_unchanged();
        let mut round = if let Some(changes) = objects.store.changes_after(seen) {
            seen = changes.last().map_or(seen, |change| change.revision);
            Round::of(&objects, &changes)
        } else {
            // More happened than the history holds.
            seen = *news.borrow();
            Round::everything(&objects)
        };
        if tick <= Instant::now() {
            tick = Instant::now() + TICK;
            round.add(Round::of_time(&objects));
            round.add(std::mem::take(&mut failed));
        }
        failed.add(sync(&objects, round, back_off));
        let change = async {
            tokio::select! {
                // An error would mean that the store is gone, which outlives this loop.
                _changed = news.changed() => {}
                () = sleep_until(tick) => {}
            }
            sleep(BURST).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = change => {}
        }
    }
}

/// Looks at everything of a round; what failed is answered.
fn sync(objects: &Objects, round: Round, back_off: Duration) -> Round {
    let mut failed = Round::default();
    for key in round.orphans {
        if let Err(failure) = adoption::adopt(objects, &key) {
            tracing::debug!(%failure, kind = key.plural, name = key.name, "not adopted");
            failed.orphans.insert(key);
        }
    }
    for key in round.look {
        if let Err(failure) = look(objects, &key, back_off) {
            tracing::debug!(%failure, kind = key.plural, name = key.name, "not synced");
            failed.look.insert(key);
        }
    }
    for key in round.collect {
        if let Err(failure) = collection::sync(objects, &key) {
            tracing::debug!(%failure, kind = key.plural, name = key.name, "not collected");
            failed.collect.insert(key);
        }
    }
    failed
}

fn look(objects: &Objects, key: &Key, back_off: Duration) -> Result<(), Failure> {
    let Some(object) = objects.store.get(key) else {
        return if key.plural == "jobs" { job::release(objects, key) } else { Ok(()) };
    };
    match key.plural {
        "statefulsets" => stateful_set::sync(objects, &object),
        "daemonsets" => daemon_set::sync(objects, &object),
        "jobs" => job::sync(objects, &object, back_off),
        "deployments" => deployment::sync(objects, object),
        "replicasets" => replica_set::sync(objects, &object),
        "services" => endpoints::sync(objects, &object),
        _ => Ok(()),
    }
}
