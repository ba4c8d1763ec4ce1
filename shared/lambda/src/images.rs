//! What reaches publish beside its tasks: verified releases, and the ends of scans.

use domain::message::{Ask, Wake};
use domain::ports::{Advice, Answer};

use crate::{Disposition, StageWork};

/// The tasks that a message is about: those it names, or those that wait for the scan that it tells of.
///
/// # Errors
/// When it cannot be read who waits.
pub(crate) async fn wakes_of(work: &impl StageWork, ask: &Ask) -> Answer<Vec<Wake>> {
    match ask {
        Ask::Scanned(scanned) => work.awaiting(scanned).await,
        ask => Ok(ask.wakes()),
    }
}

/// What the registry refuses for good is set aside for a person: no task hangs on it that could be stuck.
pub(crate) fn published(done: Answer<()>) -> Disposition {
    match done {
        Ok(()) => Disposition::Acknowledge,
        Err(fault) if fault.advice == Advice::Reject => Disposition::Refuse { reason: fault.chain() },
        Err(fault) => fault.into(),
    }
}
