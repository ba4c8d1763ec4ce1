//! The tip check: a push whose webhook got lost is planned all the same.
//!
//! Plan requests first, then the record of what was seen: a crash in between asks again for what is planned already.
//! What GitHub refuses is no reason to give the message back: the next look is put off, or there is none.

use std::time::Duration;

use domain::files::operator::{OperatorFile, Repository};
use domain::ids::{BranchName, RepositoryName, RunId, Trust};
use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Advice, Answer, Artifacts, Deliveries, Delivery, DeliveryState, Fault, Queue, Written};
use domain::time::Timestamp;
use domain::tips::{GRACE, MOST_PLANNED, Moved, Seen, Tips};

use crate::{Hub, Memory, Planner};

/// When to look again where GitHub does not answer and does not say when it will.
const ASK_AGAIN: Duration = Duration::from_mins(2);

/// What the run of a tip check says of itself.
const NOTE: &str = "Found by the tip check: no webhook was received for it.";

/// The sentence for people about a request that no webhook brought.
pub(crate) fn note(request: &PlanRequest) -> Option<String> {
    request.delivery.is_of_tip().then(|| NOTE.to_owned())
}

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Looks at the branches of a repository and asks for a plan of every tip that has moved and that no run knows.
    pub(crate) async fn check_tips(&self, name: &RepositoryName, now: Timestamp) -> Answer<()> {
        let operator = self.operator_file().await?;
        let known = self.store.tips(name).await?;
        let Some(served) = operator.repositories.iter().find(|served| served.name == *name) else {
            return self.look_no_more(name, &known, "the operator's file does not name it").await;
        };
        let seen = match self.look(served, &operator, &known).await {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                tracing::info!(repository = %name, "tip check: no branch has moved");
                return Ok(());
            }
            Err(fault) => return self.give_up(name, &known, &fault, now).await,
        };
        let mut unplanned = Vec::new();
        for moved in known.moved(&seen.branches) {
            if self.is_unplanned(served, &operator, &moved).await? {
                unplanned.push(moved);
            }
        }
        say(name, &known, &seen, &unplanned);
        let (taken, left) = unplanned.split_at(unplanned.len().min(MOST_PLANNED));
        let requests = match self.requests(served, taken).await {
            Ok(requests) => requests,
            Err(fault) => return self.give_up(name, &known, &fault, now).await,
        };
        self.ask_for(&requests, now).await?;
        if !left.is_empty() {
            self.look_again(name, now.after(ASK_AGAIN)).await?;
        }
        let next = known.after(seen, left);
        if known != (Tips { version: known.version, ..next.clone() }) {
            // A conflict means that another look was recorded; it has asked for the same.
            let (Written::Yes | Written::Conflict) = self.store.write_tips(name, &next).await?;
        }
        Ok(())
    }

    /// The branches as they are; none where nothing has changed.
    async fn look(&self, served: &Repository, operator: &OperatorFile, known: &Tips) -> Answer<Option<Seen>> {
        let (name, installation) = (&served.name, served.installation);
        let mut seen = match (self.source.branches(name, installation, &known.marks).await?, &known.branches)
        {
            (Some(seen), _) => seen,
            (None, Some(branches)) if known.cut => {
                Seen { branches: branches.clone(), marks: known.marks.clone(), cut: true }
            }
            (None, _) => return Ok(None),
        };
        if seen.cut {
            // The alphabet cuts the list; what is delivered must not depend on it.
            for branch in delivered(served, operator) {
                match self.source.branch_tip(name, installation, branch.as_str()).await? {
                    Some(tip) => seen.branches.insert(branch.clone(), tip),
                    None => seen.branches.remove(branch),
                };
            }
        }
        Ok(Some(seen))
    }

    /// Whether a webhook would still have something to do: there is no run of the commit, or one of another branch that
    /// is delivered nowhere while this branch is.
    async fn is_unplanned(
        &self,
        served: &Repository,
        operator: &OperatorFile,
        moved: &Moved,
    ) -> Answer<bool> {
        let (repository, sha) = (served.name.clone(), moved.tip.clone());
        let head = self.store.run(&RunId { repository, sha, trust: Trust::Trusted }).await?;
        Ok(head.is_none_or(|head| {
            head.delivery.is_none()
                && head.origin.branch != moved.branch.as_str()
                && operator.delivery_for(&served.name, &moved.branch).is_some()
        }))
    }

    async fn requests(&self, served: &Repository, unplanned: &[Moved]) -> Answer<Vec<PlanRequest>> {
        let mut requests = Vec::with_capacity(unplanned.len());
        for moved in unplanned {
            let words = self.source.commit_words(&served.name, served.installation, &moved.tip).await;
            let words = match words {
                // Who made the commit is told where it can be; the commit is planned in any case.
                Err(Fault { advice: Advice::Reject, .. }) => None,
                words => words?,
            };
            requests.push(moved.request(&served.name, served.installation, words.as_ref()));
        }
        Ok(requests)
    }

    /// Records each request like a webhook's delivery, and sends it a little later than a webhook would come.
    async fn ask_for(&self, requests: &[PlanRequest], now: Timestamp) -> Answer<()> {
        for request in requests {
            tracing::warn!(
                repository = %request.repository, branch = request.branch, sha = %request.sha,
                "tip check: no run knows this tip; a plan is asked for"
            );
            let delivery = Delivery {
                id: request.delivery.clone(),
                event: "tip check".to_owned(),
                body: String::new(),
                received: now,
                state: DeliveryState::Enqueued,
            };
            Deliveries::record(&self.store, &delivery).await?;
        }
        let later =
            |request: &PlanRequest| Outgoing { message: Message::Plan(request.clone()), delay: GRACE };
        self.queue.send(&requests.iter().map(later).collect::<Vec<_>>()).await
    }

    /// GitHub's limits and failures put the next look off; what it refuses for good ends the looks.
    async fn give_up(
        &self,
        name: &RepositoryName,
        known: &Tips,
        fault: &Fault,
        now: Timestamp,
    ) -> Answer<()> {
        match fault.advice {
            Advice::Retry(wait) => {
                let wait = wait.unwrap_or(ASK_AGAIN);
                tracing::warn!(
                    repository = %name, fault = fault.chain(), wait_seconds = wait.as_secs(),
                    "tip check: put off"
                );
                self.look_again(name, now.after(wait)).await
            }
            Advice::Reject => self.look_no_more(name, known, &fault.chain()).await,
        }
    }

    async fn look_again(&self, name: &RepositoryName, at: Timestamp) -> Answer<()> {
        // A conflict means that the looks have ended meanwhile.
        let (Written::Yes | Written::Conflict) = self.store.postpone(name, at).await?;
        Ok(())
    }

    /// The first one to end the looks says so. What was seen is forgotten first: whenever looks begin again, what moved
    /// in between is not planned.
    async fn look_no_more(&self, name: &RepositoryName, known: &Tips, why: &str) -> Answer<()> {
        if known.branches.is_some() {
            let (Written::Yes | Written::Conflict) = self.store.write_tips(name, &known.forgotten()).await?;
        }
        if self.store.unwatch(name).await? == Written::Yes {
            tracing::error!(
                repository = %name, why,
                "tip check: the branches are looked at no more, until an event of the repository is served again"
            );
        }
        Ok(())
    }
}

/// The branches of the repository that are delivered somewhere.
fn delivered<'a>(served: &'a Repository, operator: &'a OperatorFile) -> impl Iterator<Item = &'a BranchName> {
    served
        .environments
        .iter()
        .filter_map(|name| operator.environments.get(name))
        .flat_map(|environment| &environment.branches)
}

fn say(name: &RepositoryName, known: &Tips, seen: &Seen, unplanned: &[Moved]) {
    let branches = seen.branches.len();
    if known.branches.is_none() {
        tracing::info!(repository = %name, branches, "tip check: the first look; nothing is planned of it");
    }
    if seen.cut {
        tracing::warn!(
            repository = %name, branches,
            "tip check: more branches than a look reads; beyond these only the delivered ones are looked at"
        );
    }
    if unplanned.len() > MOST_PLANNED {
        tracing::warn!(
            repository = %name, unplanned = unplanned.len(), planned = MOST_PLANNED,
            "tip check: more tips without a run than one look plans; the next one goes on"
        );
    }
}
