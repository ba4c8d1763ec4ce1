//! What becomes of a plan that cannot be made now: it waits while another side does not answer, and is given up where the
//! same would be refused again.

use std::time::Duration;

use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Advice, Answer, Fault, Queue, Runs, Written};
use domain::run::Run;
use domain::time::Timestamp;
use lambda::Disposition;

use crate::Planner;

/// So many times in a row the message itself comes again within seconds; then sweep asks.
const QUICK: u32 = 3;

/// The first and the longest wait until sweep asks again, where the other side names none.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// After that time of waiting a person has to look.
const PATIENCE: Duration = Duration::from_hours(24);

impl<S, Q, A, G> Planner<S, Q, A, G>
where
    S: Runs,
    Q: Queue,
{
    /// Counts the failure in the run's head. What another side did not answer waits, for a day at most; what it refused is
    /// given up after a few times: the message goes to the dead letters with its reason, people are told, and sweep does
    /// not ask again; whoever redrives the message begins to count anew.
    pub(crate) async fn failed(&self, request: &PlanRequest, fault: Fault, now: Timestamp) -> Disposition {
        match self.count(request, &fault, now).await {
            Ok(disposition) => disposition.unwrap_or_else(|| fault.into()),
            Err(second) => {
                tracing::warn!(fault = second.chain(), "the failure of a plan is not counted");
                fault.into()
            }
        }
    }

    /// None where the message simply comes again.
    async fn count(
        &self,
        request: &PlanRequest,
        fault: &Fault,
        now: Timestamp,
    ) -> Answer<Option<Disposition>> {
        let (id, reason) = (Run::new(request, now).id, fault.chain());
        let Some(head) = self.store.run(&id).await?.filter(Run::is_being_planned) else { return Ok(None) };
        let given_up = || Disposition::Refuse {
            reason: format!(
                "commit `{}` of `{}` cannot be planned: {reason}; remove the cause and redrive the message",
                request.sha, request.repository
            ),
        };
        if head.stuck.is_some() {
            return Ok(Some(given_up()));
        }
        let counted = match fault.advice {
            Advice::Retry(wait) if now.since(head.created) < PATIENCE => {
                let outages = head.outages + 1;
                if outages <= QUICK && wait.is_none_or(|wait| wait <= FIRST_WAIT) {
                    head.put_off(now.after(FIRST_WAIT))
                } else {
                    let wait = wait.unwrap_or_else(|| waiting(outages));
                    tracing::warn!(run = %id, reason, wait_seconds = wait.as_secs(), "planning is put off");
                    let parked = head.put_off(now.after(wait));
                    // Somebody else has written the head: it is at work on it.
                    let (Written::Yes | Written::Conflict) = self.store.write_run(&parked).await?;
                    return Ok(Some(Disposition::Acknowledge));
                }
            }
            Advice::Retry(_) | Advice::Reject => head.planning_failed(&reason),
        };
        if self.store.write_run(&counted).await? == Written::Conflict || counted.stuck.is_none() {
            return Ok(None);
        }
        self.queue.send(&[Outgoing::now(Message::Notify { run: id })]).await?;
        Ok(Some(given_up()))
    }
}

/// Doubles with each time.
fn waiting(outages: u32) -> Duration {
    (FIRST_WAIT * (1 << outages.saturating_sub(QUICK).min(5))).min(LONGEST_WAIT)
}
