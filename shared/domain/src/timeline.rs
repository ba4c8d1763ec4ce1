//! What people asked of a run and what the machinery could not do by itself: an append-only record.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line of a run's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is known by, so that it is written once.
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// Who asked: SQS's `SenderId`, or the function that acted by itself.
    pub by: String,
    /// One sentence.
    pub what: String,
}
