//! Time as a test tells it.

use std::time::Duration;

use domain::time::Timestamp;

use super::shared::Shared;

/// A clock that stands until it is moved.
#[derive(Debug, Clone)]
pub struct Clock(Shared<Timestamp>);

impl Clock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Shared::new(start))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        self.0.with(|now| *now)
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.with(|now| *now = now.after(by));
    }

    /// Moves it on to `time`; never back.
    pub fn advance_to(&self, time: Timestamp) {
        self.0.with(|now| *now = time.max(*now));
    }
}
