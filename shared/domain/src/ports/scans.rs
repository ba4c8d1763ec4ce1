//! Who waits for the registry's scan of an image, so that the scan's event finds its task.

use std::future::Future;

use super::Answer;
use crate::message::{Scanned, Wake};
use crate::time::Timestamp;

/// Tasks that wait for scans. What is noted here expires by itself, and is nothing but a way from an event to a task.
pub trait Scans: Send + Sync {
    /// Notes that a task waits for the scan of an image; again, it changes nothing.
    fn await_scan(
        &self,
        image: &Scanned,
        waiting: &Wake,
        now: Timestamp,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// Every task that was noted for the image, in the order of their ids, whether it still waits or not.
    fn awaiting_scan(&self, image: &Scanned) -> impl Future<Output = Answer<Vec<Wake>>> + Send;
}
