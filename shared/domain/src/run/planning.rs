//! A head while plan is at work on it.

use super::{Run, RunState};
use crate::message::PlanRequest;
use crate::next::MOST_FAILURES;
use crate::time::Timestamp;

impl Run {
    /// The request that began it, for plan to take up again.
    pub fn request(&self) -> PlanRequest {
        PlanRequest {
            delivery: self.origin.delivery.clone(),
            repository: self.id.repository.clone(),
            installation: self.installation,
            sha: self.id.sha.clone(),
            before: self.origin.before.clone(),
            branch: self.origin.branch.clone(),
            fork: self.origin.fork.clone(),
            pull_request: self.origin.pull_request,
            sender: self.origin.sender.clone(),
            title: self.origin.title.clone(),
            tag: self.origin.tag,
            forced: self.origin.forced,
            base: self.origin.base.clone(),
            draft: self.origin.draft,
            skip: self.origin.skip.clone(),
            admitted: self.admitted.clone(),
        }
    }

    /// Whether plan has not yet opened the first phase, or ended the run.
    pub fn is_being_planned(&self) -> bool {
        self.state == RunState::Planning || self.opening.as_ref().is_some_and(|opening| opening.by.is_none())
    }

    /// The head after planning failed once more: given up after so many times, so that sweep leaves it to a person.
    #[must_use]
    pub fn planning_failed(&self, reason: &str) -> Self {
        let failures = self.failures + 1;
        if failures < MOST_FAILURES {
            return Self { failures, version: self.version + 1, ..self.clone() };
        }
        Self { failures, stuck: Some(reason.to_owned()), ..self.at_rest() }
    }

    /// The head whose planning waits for another side that does not answer; sweep asks again at that time.
    #[must_use]
    pub fn put_off(&self, until: Timestamp) -> Self {
        Self { outages: self.outages + 1, version: self.version + 1, due: Some(until), ..self.clone() }
    }

    /// The head whose planning is tried again, because a person has sent its message again.
    #[must_use]
    pub fn planning_revived(&self, now: Timestamp) -> Self {
        Self { stuck: None, failures: 0, ..self.clone() }.written(now)
    }
}
