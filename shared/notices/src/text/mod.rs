//! Every text that people read, as pure functions of a run and its tasks.
//!
//! The same state always gives the same text, so that notify can tell by its hash whether anything is new.

mod board;
mod buttons;
mod checks;
mod comment;
mod decisions;
mod delivery;
mod findings;
mod mail;
mod markdown;
mod report;
mod slack;
mod words;

pub use buttons::{RETEST, TEST, TEST_ALL};
pub use checks::{ROLL_UP, checks};
pub use comment::comment;
pub use mail::mail;
pub use slack::{SlackThread, slack};
