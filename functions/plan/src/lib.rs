//! Decides what a commit needs: reads its tree and pipeline file once, writes the run and its tasks, draws the fence,
//! and wakes the first phase.

mod delivery;
mod tips;

use std::time::Duration;

use domain::files::pipeline::PIPELINE_FILE;
use domain::files::{LARGEST_FILE, operator};
use domain::keys;
use domain::message::{Message, Outgoing, PlanRequest, QueueName, Unreadable, parse_message};
use domain::planning::plan;
use domain::ports::{
    Answer, Artifacts, Branches, Deliveries, DeliveryState, Environments, Fault, Queue, Repositories, Runs,
    Source, Written,
};
use domain::run::{Onset, Problem, Run, RunOutcome, RunState};
use domain::spec::Plan;
use domain::tasks::{phases_of, tasks_of};
use domain::time::Timestamp;
use lambda::{Commit, Disposition, LARGEST_SOURCE};

/// Where the operator's file lies in the bucket.
pub const OPERATOR_FILE: &str = "operator.yaml";

/// When the branches of a repository are looked at first: not amid its first run.
const FIRST_LOOK: Duration = Duration::from_mins(2);

/// The largest operator's file read, in bytes.
const LARGEST_OPERATOR_FILE: u64 = LARGEST_FILE as u64;

/// The function with its ports.
#[derive(Debug)]
pub struct Planner<S, Q, A, G> {
    /// Runs, fences, deliveries.
    pub store: S,
    /// Where the stages are woken.
    pub queue: Q,
    /// Sources and the operator's file.
    pub artifacts: A,
    /// GitHub.
    pub source: G,
}

impl<S, Q, A, G> Planner<S, Q, A, G>
where
    S: Runs + Environments + Deliveries + Repositories,
    Q: Queue,
    A: Artifacts,
    G: Source + Branches,
{
    /// Handles one message of the plan queue.
    pub async fn handle(&self, body: &str, now: Timestamp) -> Disposition {
        let request = match parse_message(body, QueueName::Plan) {
            Ok(Message::Plan(request)) => request,
            Ok(Message::Tips { repository }) => {
                return match self.check_tips(&repository, now).await {
                    Ok(()) => Disposition::Acknowledge,
                    Err(fault) => fault.into(),
                };
            }
            Ok(other) => {
                return Disposition::Refuse { reason: Unreadable::Elsewhere(other.queue()).to_string() };
            }
            Err(unreadable) => return Disposition::Refuse { reason: unreadable.to_string() },
        };
        match self.take(&request, now).await {
            Ok(()) => Disposition::Acknowledge,
            Err(fault) => self.failed(&request, fault, now).await,
        }
    }

    /// Counts the failure in the run's head. After a few the message goes to the dead letters with its reason, people
    /// are told, and sweep does not ask again; whoever redrives the message begins to count anew.
    async fn failed(&self, request: &PlanRequest, fault: Fault, now: Timestamp) -> Disposition {
        let reason = fault.chain();
        match self.count_failure(request, &reason, now).await {
            Ok(true) => Disposition::Refuse {
                reason: format!(
                    "commit `{}` of `{}` cannot be planned: {reason}; remove the cause and redrive the message",
                    request.sha, request.repository
                ),
            },
            Ok(false) => fault.into(),
            Err(second) => {
                tracing::warn!(fault = second.chain(), "the failure of a plan is not counted");
                fault.into()
            }
        }
    }

    /// True when the planning is given up.
    async fn count_failure(&self, request: &PlanRequest, reason: &str, now: Timestamp) -> Answer<bool> {
        let id = Run::new(request, now).id;
        let Some(head) = self.store.run(&id).await?.filter(Run::is_being_planned) else { return Ok(false) };
        if head.stuck.is_some() {
            return Ok(true);
        }
        let counted = head.planning_failed(reason);
        let is_stuck = counted.stuck.is_some();
        if self.store.write_run(&counted).await? == Written::Conflict {
            return Ok(false);
        }
        if is_stuck {
            self.queue.send(&[Outgoing::now(Message::Notify { run: id })]).await?;
        }
        Ok(is_stuck)
    }

    async fn take(&self, request: &PlanRequest, now: Timestamp) -> Answer<()> {
        let operator = self.operator_file().await?;
        if let Err(reason) = operator.serves(&request.repository, request.installation) {
            tracing::info!(delivery = %request.delivery, %reason, "not served");
            return self.deliveries_note(request, DeliveryState::Ignored(reason.to_string())).await;
        }
        let (mut head, known) = self.begin(request, now).await?;
        if head.stuck.is_some() {
            let revived = head.planning_revived(now);
            if self.store.write_run(&revived).await? == Written::Conflict {
                return Err(Fault::retry("another message revives the plan", "version conflict"));
            }
            head = revived;
        }
        if head.state == RunState::Planning {
            let decided = self.decide(&head, request, &operator, now).await?;
            if self.store.write_run(&decided).await? == Written::Conflict {
                return Err(Fault::retry("another plan of the same commit was faster", "version conflict"));
            }
            head = decided;
        } else if known {
            head = self.join(head, request, &operator, now).await?;
        }
        self.open(&mut head, now).await?;
        self.deliveries_note(request, DeliveryState::Planned(head.id.clone())).await
    }

    async fn operator_file(&self) -> Answer<operator::OperatorFile> {
        let bytes = self.artifacts.get(OPERATOR_FILE, LARGEST_OPERATOR_FILE).await?.ok_or_else(|| {
            Fault::reject(format!(
                "the bucket holds no `{OPERATOR_FILE}`; upload the operator's file of this stack"
            ))
        })?;
        operator::parse(&bytes).map_err(|error| {
            Fault::reject(format!("the operator's file `{OPERATOR_FILE}` cannot be read: {error}"))
        })
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
        if let Some(fork) = &request.fork {
            let sentence = format!(
                "This commit comes from `{fork}`, outside the repository. Nothing of it runs. \
                 To have it tested, somebody with write access who has read it pushes it to a branch of this \
                 repository; the command `/ok-to-test {}` is still to come.",
                head.id.sha
            );
            return Ok(head.ended_early(RunOutcome::ActionRequired(sentence), now));
        }
        let plan = match self.read_plan(head).await? {
            Ok(plan) => plan,
            Err(problems) => return Ok(head.ended_early(RunOutcome::Invalid(problems), now)),
        };
        let (delivery, note) =
            delivery::decide(&self.store, &self.source, operator, &head.id, request).await?;
        let notes = [head.notes.clone(), plan.notes.clone(), vec![note]].concat();
        let tasks = tasks_of(&head.id, &plan, delivery.as_ref().map(|delivery| &delivery.environment));
        self.store.create_tasks(&tasks).await?;
        tracing::info!(run = %head.id, tasks = tasks.len(), delivers = delivery.is_some(), "planned");
        Ok(head.planned(phases_of(&tasks), delivery, plan.notifications, notes, now))
    }

    /// A commit known already reached another branch: what is new is its delivery.
    async fn join(
        &self,
        head: Run,
        request: &PlanRequest,
        operator: &operator::OperatorFile,
        now: Timestamp,
    ) -> Answer<Run> {
        let served = request
            .branch
            .parse()
            .is_ok_and(|branch| operator.delivery_for(&request.repository, &branch).is_some());
        if head.delivery.is_some() || request.fork.is_some() || !served {
            return Ok(head);
        }
        // No number is drawn for what cannot be delivered: it would hold older commits back for nothing.
        if head.phases.iter().any(|phase| phase.failed > 0) {
            return Ok(head);
        }
        let Ok(plan) = self.read_plan(&head).await? else { return Ok(head) };
        let (Some(delivery), _) =
            delivery::decide(&self.store, &self.source, operator, &head.id, request).await?
        else {
            return Ok(head);
        };
        let tasks = tasks_of(&head.id, &plan, Some(&delivery.environment));
        let Some(joined) = head.delivered_too(&phases_of(&tasks), &delivery, now) else { return Ok(head) };
        self.store.create_tasks(&tasks).await?;
        match self.store.write_run(&joined).await? {
            Written::Yes => Ok(joined),
            Written::Conflict => {
                Err(Fault::retry("the run moved while its delivery was added", "version conflict"))
            }
        }
    }

    /// The plan, or what in the commit's own files forbids one.
    async fn read_plan(&self, head: &Run) -> Answer<Result<Plan, Vec<Problem>>> {
        let commit = self.commit(head).await?;
        // One byte more than allowed, so that a larger file is seen to be too large.
        let file = commit.file(PIPELINE_FILE, LARGEST_FILE as u64 + 1)?;
        Ok(plan(file.as_deref(), &commit.tree()?))
    }

    /// The source from the bucket, or from GitHub into the bucket.
    async fn commit(&self, head: &Run) -> Answer<Commit> {
        let (commit, key) = (Commit::scratch(head.id.sha.short()), keys::source(&head.id));
        if !self.artifacts.get_file(&key, commit.path(), LARGEST_SOURCE).await? {
            self.source
                .download(&head.id.repository, head.installation, &head.id.sha, commit.path(), LARGEST_SOURCE)
                .await?;
            self.artifacts.put_file(&key, commit.path()).await?;
        }
        Ok(commit)
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

    async fn deliveries_note(&self, request: &PlanRequest, state: DeliveryState) -> Answer<()> {
        self.store.note(&request.delivery, &state).await
    }
}
