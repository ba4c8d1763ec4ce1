//! The queues between the functions.

use std::future::Future;
use std::time::Duration;

use super::Answer;
use crate::message::Outgoing;

/// Sends messages to Slipway's queues.
pub trait Queue: Send + Sync {
    /// Sends all of them, each to its queue; repeats what a batch left out.
    fn send(&self, messages: &[Outgoing]) -> impl Future<Output = Answer<()>> + Send;
}

/// Gives a received message back to its queue for a shorter or longer time than the queue's own.
pub trait Redelivery: Send + Sync {
    /// Makes the message visible again after `delay` (at most 12 hours).
    fn delay(&self, receipt: &str, delay: Duration) -> impl Future<Output = Answer<()>> + Send;
}
