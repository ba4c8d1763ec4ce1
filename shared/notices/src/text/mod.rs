//! Every text that people read, as pure functions of a run and its tasks.
//!
//! The same state always gives the same text, so that notify can tell by its hash whether anything is new.

mod answers;
mod board;
mod checks;
mod findings;
mod mail;
mod markdown;
mod slack;
mod words;

pub use answers::refusal;
pub use checks::{ROLL_UP, checks};
pub use mail::mail;
pub use slack::{SlackThread, slack};
