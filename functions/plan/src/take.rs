//! One commit: from the request to the run, its tasks and its first phase.

use std::time::Duration;

use domain::files::operator;
use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Answer, Artifacts, DeliveryState, Fault, Queue, Written};
use domain::run::{Onset, Run, RunOutcome, RunState};
use domain::spec::{Drafts, OlderRuns, Plan};
use domain::tasks::{phases_of, tasks_of};
use domain::time::Timestamp;

use crate::{Hub, Memory, Planner, delivery, tips};

/// When the branches of a repository are looked at first: not amid its first run.
const FIRST_LOOK: Duration = Duration::from_mins(2);

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Plans the request's commit, or adds what the request brings to the run that is there.
    pub(crate) async fn take(&self, request: &PlanRequest, now: Timestamp) -> Answer<()> {
        let operator = self.operator_file().await?;
        if let Err(reason) = operator.serves(&request.repository, request.installation) {
            tracing::info!(delivery = %request.delivery, %reason, "not served");
            return self.store.note(&request.delivery, &DeliveryState::Ignored(reason.to_string())).await;
        }
        let (mut head, known) = self.begin(request, now).await?;
        if head.stuck.is_some() {
            head = self.written(head.planning_revived(now)).await?;
        }
        let admitted = request.admitted.as_ref().and_then(|by| head.admitted(by, now));
        if let Some(admitted) = admitted {
            head = self.written(admitted).await?;
        }
        if is_ready_at_last(&head, request)
            && let Some(wanted) = head.wanted_after_all(now)
        {
            head = self.written(wanted).await?;
        }
        if head.state == RunState::Planning {
            head = self.written(self.decide(&head, request, &operator, now).await?).await?;
        } else if known {
            head = self.join(head, request, &operator, now).await?;
        }
        // Where a line is delivered, an older run may be on its way to the cluster: it finishes, unless the file says otherwise.
        let cancels = head.replaces_older || delivery::target(&operator, request).is_none();
        let brought = self.brought(&head, request).await?;
        head = self.preview(head, request, &operator, brought.changes.as_ref()).await?;
        head = self.claim(head, request, cancels, brought.base.as_ref(), now).await?;
        self.open(&mut head, now).await?;
        self.store.note(&request.delivery, &DeliveryState::Planned(head.id.clone())).await
    }

    /// Writes the head's next version; somebody who was faster makes the message come again.
    pub(crate) async fn written(&self, head: Run) -> Answer<Run> {
        match self.store.write_run(&head).await? {
            Written::Yes => Ok(head),
            Written::Conflict => {
                Err(Fault::retry("another message about the same commit was faster", "version conflict"))
            }
        }
    }

    /// The head, new or as it stands; true when it was there.
    async fn begin(&self, request: &PlanRequest, now: Timestamp) -> Answer<(Run, bool)> {
        let mut head = Run::new(request, now);
        head.notes.extend(tips::note(request));
        if let Some(known) = self.store.run(&head.id).await? {
            return Ok((known, true));
        }
        // Whose commits are served, his branches are looked at from soon on; where they are already, this changes nothing.
        self.store.watch(&request.repository, now.after(FIRST_LOOK)).await?;
        match self.store.create_run(&head).await? {
            Written::Yes => Ok((head, false)),
            Written::Conflict => {
                let known = self.store.run(&head.id).await?;
                Ok((known.ok_or_else(|| Fault::reject("the run is gone"))?, true))
            }
        }
    }

    /// Everything between a new head and its next version: the tasks are written, the fence is drawn.
    async fn decide(
        &self,
        head: &Run,
        request: &PlanRequest,
        operator: &operator::OperatorFile,
        now: Timestamp,
    ) -> Answer<Run> {
        if let Some(ended) = head.cancelled_early(now).or_else(|| ended_unplanned(head, now)) {
            return Ok(ended);
        }
        let commit = self.commit(head).await?;
        let target = delivery::target(operator, request).map(|(environment, _)| environment);
        let plan = match self.plan_of(head, &commit, target).await? {
            Ok(plan) => plan,
            Err(problems) => return Ok(head.ended_early(RunOutcome::Invalid(problems), now)),
        };
        if target.is_none() && self.is_left_alone(head, &plan, request).await? {
            return Ok(head.ended_early(RunOutcome::Skipped(DRAFT.to_owned()), now));
        }
        let (delivery, note) =
            delivery::decide(&self.store, &self.source, operator, &head.id, request).await?;
        let reach = self.reach(head, request.pull_request.zip(request.base.as_ref())).await?;
        let mut tasks = tasks_of(&head.id, &plan, delivery.as_ref().map(|delivery| &delivery.environment));
        let chosen = self.choose(head, &plan, &commit, &reach, &mut tasks).await?;
        let notes = [head.notes.clone(), plan.notes.clone(), chosen, vec![note]].concat();
        self.store.create_tasks(&tasks).await?;
        tracing::info!(run = %head.id, tasks = tasks.len(), delivers = delivery.is_some(), "planned");
        let mut planned = head.planned(phases_of(&tasks), delivery, plan.notifications, notes, now);
        planned.replaces_older = plan.older_runs == OlderRuns::Cancel;
        planned.parallel = plan.max_parallel_builds;
        planned.compared_with = reach.base.or_else(|| request.before.clone());
        Ok(planned)
    }

    /// Whether the pipeline file leaves drafts alone and nothing else offers the commit. Whoever asks for it, or has
    /// admitted it, gets it tested.
    async fn is_left_alone(&self, head: &Run, plan: &Plan, request: &PlanRequest) -> Answer<bool> {
        if plan.drafts == Drafts::Test || head.round > 0 || request.tag {
            return Ok(false);
        }
        if request.pull_request.is_some() {
            return Ok(request.draft);
        }
        let (repository, installation) = (&request.repository, request.installation);
        let pulls = self.source.pulls_of(repository, installation, &request.branch).await?;
        Ok(!pulls.is_empty() && pulls.iter().all(|pull| pull.draft))
    }

    /// Plan's own opening: wakes the first phase, or tells that there is nothing more to come.
    async fn open(&self, head: &mut Run, now: Timestamp) -> Answer<()> {
        if let Some(opening) = head.opening.clone().filter(|opening| opening.by.is_none()) {
            if let Onset::Phase(kind) = opening.what {
                lambda::open_phase(&self.store, &self.queue, head, kind).await?;
            }
            lambda::opened(&self.store, head, None, now).await?;
        }
        self.queue.send(&[Outgoing::now(Message::Notify { run: head.id.clone() })]).await
    }
}

/// Why a draft's commit is not tested.
const DRAFT: &str = "Its pull request is a draft, and the pipeline file says `drafts: skip`: nothing was tested. It is \
                     tested once the pull request is ready for review; `/retest` on it, or the re-run of this check, \
                     tests it now.";

/// Whether a commit that was left alone as a draft's is offered by a pull request that is none.
fn is_ready_at_last(head: &Run, request: &PlanRequest) -> bool {
    let is_skipped = matches!(head.state, RunState::Finished(RunOutcome::Skipped(_)));
    is_skipped && head.origin.skip.is_none() && request.pull_request.is_some() && !request.draft
}

/// What ends before anything of it is read: a stranger's commit that nobody has admitted, and one that asks for no run.
fn ended_unplanned(head: &Run, now: Timestamp) -> Option<Run> {
    let sha = &head.id.sha;
    let outcome = match (&head.origin.fork, &head.admitted, &head.origin.skip) {
        (Some(fork), None, _) => RunOutcome::ActionRequired(format!(
            "This commit comes from `{fork}`, outside the repository. Nothing of it runs until somebody with write \
             access who has read it admits exactly this commit: comment `/ok-to-test {sha}` on the pull request."
        )),
        (None, _, Some(words)) => RunOutcome::Skipped(format!(
            "The commit's message says `{words}`: nothing was tested. `/retest` on its pull request, or the re-run of \
             this check, tests it all the same."
        )),
        _ => return None,
    };
    Some(head.ended_early(outcome, now))
}
