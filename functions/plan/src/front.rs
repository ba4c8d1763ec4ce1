//! The newest commit of a line: the run before it is cancelled where nobody else waits for it.
//!
//! The older run is released first, then the front is written: a crash in between releases it once more, which changes
//! nothing.

use domain::ids::{Line, RepositoryName, RunId, Sha};
use domain::message::{Gone, Message, Outgoing, PlanRequest};
use domain::ports::{Answer, Artifacts, DeliveryState, Fault, Front, Queue, Written};
use domain::run::{Run, Stop};
use domain::time::Timestamp;

use crate::{Hub, Memory, Planner};

/// How often others may write the same front or head before the message comes again.
const MOST_RACES: u32 = 8;

/// Where a commit stands on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the newest.
    Newest,
    /// A newer one is known.
    Overtaken,
}

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Makes the request's commit the front of its line, unless a newer one is known; where it `cancels`, the run before it
    /// is released.
    pub(crate) async fn advance(
        &self,
        line: &Line,
        request: &PlanRequest,
        head: &Run,
        cancels: bool,
        now: Timestamp,
    ) -> Answer<Place> {
        let repository = &request.repository;
        for _ in 0..MOST_RACES {
            let known = self.store.front(repository, line).await?;
            let version = match &known {
                Some(front) if front.run == head.id => return Ok(Place::Newest),
                Some(front) if !self.is_newer(line, request, front).await? => return Ok(Place::Overtaken),
                Some(front) => {
                    if cancels {
                        let why = format!("a newer commit, {}, was pushed", head.id.sha.short());
                        self.release(&front.run, line, &stop(why, now), now).await?;
                    }
                    front.version + 1
                }
                None => 1,
            };
            let front = Front { version, run: head.id.clone(), before: request.before.clone() };
            if self.store.write_front(repository, line, &front).await? == Written::Yes {
                return Ok(Place::Newest);
            }
        }
        Err(Fault::retry("others write the newest run of the same line", "version conflict"))
    }

    /// Events come in any order. Each names the commit before it; where that does not tell, GitHub does.
    async fn is_newer(&self, line: &Line, request: &PlanRequest, front: &Front) -> Answer<bool> {
        let newest = &front.run.sha;
        if *newest == request.sha || request.before.as_ref() == Some(newest) {
            return Ok(true);
        }
        if front.before.as_ref() == Some(&request.sha) {
            return Ok(false);
        }
        let tip = self.tip(line, &request.repository, request.installation).await?;
        // Where neither is the tip, the commit that is has its own event and overtakes both.
        Ok(tip.as_ref() != Some(newest))
    }

    async fn tip(&self, line: &Line, repository: &RepositoryName, installation: u64) -> Answer<Option<Sha>> {
        match line {
            Line::Branch(branch) => self.source.branch_tip(repository, installation, branch.as_str()).await,
            Line::Pull(number) => {
                Ok(self.source.pull(repository, installation, *number).await?.map(|pull| pull.head))
            }
            // A tag that moves is rare and told by its own event.
            Line::Tag(_) => Ok(None),
        }
    }

    /// Takes the line's claim from a run; one that nobody claims any more is cancelled and each of its tasks woken.
    pub(crate) async fn release(&self, run: &RunId, line: &Line, stop: &Stop, now: Timestamp) -> Answer<()> {
        for _ in 0..MOST_RACES {
            let Some(head) = self.store.run(run).await? else { return Ok(()) };
            let Some(released) = head.released(line, stop, now) else {
                // An earlier delivery of the message may have died before it woke anybody.
                return if head.stop.is_some() { self.wake_stopped(&head).await } else { Ok(()) };
            };
            if self.store.write_run(&released).await? == Written::Yes {
                tracing::info!(run = %run, %line, cancelled = released.stop.is_some(), "released");
                return if released.stop.is_some() { self.wake_stopped(&released).await } else { Ok(()) };
            }
        }
        Err(Fault::retry("others write the run that is to be released", "version conflict"))
    }

    /// Wakes whoever has to end: the tasks, or plan itself where there are none yet.
    pub(crate) async fn wake_stopped(&self, head: &Run) -> Answer<()> {
        if head.is_finished() {
            return Ok(());
        }
        if head.is_being_planned() {
            let message = Message::Plan(head.request());
            self.queue.send(&[Outgoing::now(message)]).await?;
        }
        lambda::wake_to_end(&self.store, &self.queue, head).await
    }

    /// A branch, tag or pull request is there no more: its newest run loses that claim.
    pub(crate) async fn gone(&self, gone: &Gone, now: Timestamp) -> Answer<()> {
        if let Some(reason) = self.not_served(&gone.repository, gone.installation).await? {
            return self.store.note(&gone.delivery, &DeliveryState::Ignored(reason)).await;
        }
        let said = match self.store.front(&gone.repository, &gone.line).await? {
            Some(front) => {
                self.release(&front.run, &gone.line, &stop(gone.why.clone(), now), now).await?;
                DeliveryState::Planned(front.run)
            }
            None => DeliveryState::Ignored(format!("no run of `{}` is known", gone.line)),
        };
        self.store.note(&gone.delivery, &said).await
    }
}

/// The wish of plan itself.
pub(crate) fn stop(why: String, now: Timestamp) -> Stop {
    Stop { why, by: "plan".to_owned(), at: now }
}
