//! The queues between the functions.

use std::future::Future;
use std::time::Duration;

use super::Answer;
use crate::message::Outgoing;
use crate::text;

/// The most characters of the reason that goes with a dead letter: a few sentences, far below what a message holds.
const LONGEST_REASON: usize = 1000;

/// Sends messages to Slipway's queues.
pub trait Queue: Send + Sync {
    /// Sends all of them, each to its queue; repeats what a batch left out.
    fn send(&self, messages: &[Outgoing]) -> impl Future<Output = Answer<()>> + Send;
}

/// What becomes of a received message that is not done with: it goes back to its queue for a shorter or longer time
/// than the queue's own, or to the dead letters of the function that received it.
pub trait Redelivery: Send + Sync {
    /// Makes the message visible again after `delay` (at most 12 hours).
    fn delay(&self, receipt: &str, delay: Duration) -> impl Future<Output = Answer<()>> + Send;

    /// Puts a message with that body into the function's own dead-letter queue; the reason lies beside it as
    /// [`printable_reason`] makes it. It has no key: done twice, the body lies there twice.
    fn set_aside(&self, body: &str, reason: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// The reason in one line of at most 1000 printable characters, and never empty, which SQS would refuse.
pub fn printable_reason(reason: &str) -> String {
    let words = text::clean(reason).split_whitespace().collect::<Vec<_>>().join(" ");
    // SQS takes what XML takes, and these two are no characters there.
    let words = words.replace(['\u{fffe}', '\u{ffff}'], "");
    if words.is_empty() { "no reason was given".to_owned() } else { text::cut(&words, LONGEST_REASON) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_printable_line() {
        for (given, expected) in [
            ("the body is no JSON", "the body is no JSON"),
            ("two\nlines\tand \u{1b}[31mred\u{1b}[0m\u{0}\u{ffff}", "two lines and red"),
            (" \n", "no reason was given"),
        ] {
            assert_eq!(printable_reason(given), expected, "{given:?}");
        }
        let long = printable_reason(&"ä".repeat(5000));
        assert_eq!(long.chars().count(), LONGEST_REASON);
        assert!(long.ends_with('…'));
    }
}
