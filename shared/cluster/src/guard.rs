//! The look back before a change goes out: whether it is still wanted.

use std::time::Instant;

use domain::ports::{Answer, STANDING_HOLDS, Standing};
use tokio::sync::Mutex;

/// One change's standing, and when it was last asked for.
pub(crate) struct Guard<'a, S> {
    standing: &'a S,
    asked: Mutex<Option<Instant>>,
}

impl<'a, S: Standing> Guard<'a, S> {
    /// Nobody has asked yet.
    pub(crate) fn new(standing: &'a S) -> Self {
        Self { standing, asked: Mutex::new(None) }
    }

    /// Whether the change is still wanted, by an answer that is young enough. Those at work in parallel ask once.
    pub(crate) async fn holds(&self) -> Answer<bool> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < STANDING_HOLDS) {
            return Ok(true);
        }
        // The answer is as old as the question.
        let now = Instant::now();
        let holds = self.standing.holds().await?;
        *asked = holds.then_some(now);
        Ok(holds)
    }
}
