//! The run's head: one small item, whatever the number of services.
//!
//! Fan-in is counted here, in one transaction with the task that moves it. Whoever closes a phase leaves an
//! [`Opening`]: the intent to go on, kept until it is done.

mod claims;
mod lock;
mod origin;
mod phase;
mod planning;
mod preview;

use serde::{Deserialize, Serialize};

use crate::chain;
use crate::ids::{ClusterAccess, EnvironmentName, Line, RunId, Sha, TaskId, Trust};
use crate::message::PlanRequest;
use crate::policy::Policy;
use crate::spec::Notifications;
use crate::task::{Outcome, Task, Verdict};
use crate::time::Timestamp;

pub use lock::Lock;
pub use origin::{Origin, Stop};
pub use phase::{Phase, PhaseKind};
pub use preview::Preview;

/// How long a run may be silent before sweep wakes it.
pub const SILENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// One execution for one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Repository, commit and trust.
    pub id: RunId,
    /// Grows by one with every write: the condition of each.
    pub version: u64,
    /// The App installation that may speak for the repository.
    pub installation: u64,
    /// Where the commit came from.
    pub origin: Origin,
    /// How far it is.
    pub state: RunState,
    /// The phases in their order; a phase without tasks is left out.
    pub phases: Vec<Phase>,
    /// The environment it is delivered to, if any.
    pub delivery: Option<Delivery>,
    /// What must happen next, by whom, until it is done.
    pub opening: Option<Opening>,
    /// How often people had it opened anew after its end.
    #[serde(default)]
    pub round: u32,
    /// Tasks that people have running alone: nobody comes after them, and no phase counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reruns: Vec<TaskId>,
    /// How often planning has failed; at [`crate::next::MOST_FAILURES`] it is given up.
    #[serde(default)]
    pub failures: u32,
    /// How often in a row planning had to wait for another side that did not answer.
    #[serde(default)]
    pub outages: u32,
    /// Why planning was given up, until a person sends its message again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// The lines whose newest commit it judges; a run that nobody claims any more is cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Line>,
    /// Whether the older run of its line is cancelled also where the line is delivered.
    #[serde(default)]
    pub replaces_older: bool,
    /// Why and by whom it is being cancelled: nothing of it begins any more, and what has begun is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The login of who admitted this stranger's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<String>,
    /// The pull requests that it judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulls: Vec<u64>,
    /// The commit that its results are compared with: a pull request's merge base, else the branch's commit before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<Sha>,
    /// The most test builds at a time, where these are limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u16>,
    /// What merging its pull request would change in the cluster, where that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// Who hears of it.
    pub notifications: Notifications,
    /// Sentences for people: why things run, are delivered, or are not.
    pub notes: Vec<String>,
    /// When the run began.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When sweep looks at it again; none once its end has been told.
    pub due: Option<Timestamp>,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// plan is at work.
    Planning,
    /// The tasks are written and on their way.
    Active,
    /// Nothing more will happen.
    Finished(RunOutcome),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every task passed.
    Passed,
    /// At least one task failed.
    Failed,
    /// A newer release was there first.
    Superseded,
    /// It was cancelled; the sentence tells why.
    Cancelled(String),
    /// The commit's message asks for no run; nothing was judged.
    Skipped(String),
    /// A person must act before anything runs; the sentence tells what.
    ActionRequired(String),
    /// The commit's own files forbid a plan; one sentence for each problem.
    Invalid(Vec<Problem>),
}

/// Something wrong in a file of the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file, relative to the repository's root.
    pub path: String,
    /// The line, where known, from 1.
    pub line: Option<u32>,
    /// The column, where known, from 1, in characters.
    #[serde(default)]
    pub column: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}

/// Where a run is delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The environment of the operator's file.
    pub environment: EnvironmentName,
    /// The cluster it lies in, as the operator's file said when the run was planned.
    #[serde(default, skip_serializing_if = "ClusterAccess::is_default")]
    pub cluster: ClusterAccess,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// The run's number in that environment: the higher one wins.
    pub fence: u64,
    /// What may be applied there, as the operator's file said when the run was planned.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
}

/// A run's place in the order of an environment. A run that is opened anew keeps its number and gets the next
/// round, so that whoever still works for the round before gets no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket {
    /// The number that plan drew: the higher one wins.
    pub number: u64,
    /// How often the run was opened anew.
    pub round: u32,
}

/// The intent to go on after a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Who closed the phase before and therefore goes on; none means plan.
    pub by: Option<TaskId>,
    /// What is to be done.
    pub what: Onset,
}

/// What an opening opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onset {
    /// Wake the first task of each chain of this phase.
    Phase(PhaseKind),
    /// Free what is held and end the run.
    Finish(RunOutcome),
}

impl Run {
    /// The head that a plan request begins with.
    pub fn new(request: &PlanRequest, now: Timestamp) -> Self {
        let trust = if request.fork.is_some() { Trust::Untrusted } else { Trust::Trusted };
        Self {
            id: RunId { repository: request.repository.clone(), sha: request.sha.clone(), trust },
            version: 1,
            installation: request.installation,
            origin: Origin::of(request),
            state: RunState::Planning,
            phases: Vec::new(),
            delivery: None,
            opening: None,
            round: 0,
            reruns: Vec::new(),
            claims: request.line().into_iter().collect(),
            replaces_older: false,
            stop: None,
            admitted: request.admitted.clone(),
            pulls: request.pull_request.into_iter().collect(),
            compared_with: None,
            parallel: None,
            preview: None,
            failures: 0,
            outages: 0,
            stuck: None,
            notifications: Notifications::default(),
            notes: Vec::new(),
            created: now,
            finished: None,
            due: Some(now.after(SILENCE)),
        }
    }

    /// The head once plan has written its tasks; plan itself opens the first phase, or ends a run without any.
    #[must_use]
    pub fn planned(
        &self,
        phases: Vec<Phase>,
        delivery: Option<Delivery>,
        notifications: Notifications,
        notes: Vec<String>,
        now: Timestamp,
    ) -> Self {
        let first = phases.iter().find(|phase| !phase.complete());
        let what = first.map_or(Onset::Finish(RunOutcome::Passed), |phase| Onset::Phase(phase.kind));
        let opening = Some(Opening { by: None, what });
        Self {
            state: RunState::Active,
            phases,
            delivery,
            notifications,
            notes,
            opening,
            outages: 0,
            ..self.clone()
        }
        .written(now)
    }

    /// The head of a run that ends before it begins.
    #[must_use]
    pub fn ended_early(&self, outcome: RunOutcome, now: Timestamp) -> Self {
        Self { opening: Some(Opening { by: None, what: Onset::Finish(outcome) }), ..self.clone() }.opened(now)
    }

    /// The head of a run that is to be delivered after all: the same commit reached a delivering branch later.
    /// None when its tests have already failed.
    pub fn delivered_too(&self, phases: &[Phase], delivery: &Delivery, now: Timestamp) -> Option<Self> {
        if self.delivery.is_some()
            || self.phases.iter().any(|phase| phase.failed > 0)
            || self.state == RunState::Planning
        {
            return None;
        }
        let mut head = self.clone();
        let tested = head.phases.iter().all(Phase::complete);
        head.phases.extend(phases.iter().filter(|phase| phase.kind > PhaseKind::Test).cloned());
        head.delivery = Some(delivery.clone());
        if tested {
            head.opening = phases
                .iter()
                .find(|phase| phase.kind > PhaseKind::Test)
                .map(|phase| Opening { by: None, what: Onset::Phase(phase.kind) });
            // Its end was told, and is told again: this is another round of it.
            head.round += u32::from(head.is_finished());
            head.state = RunState::Active;
            head.finished = None;
        }
        Some(head.written(now))
    }

    /// Whether the phase's first tasks may begin: the run is active, has such a phase, and every phase before has
    /// passed. Tasks without a phase are left over from a plan that decided otherwise and never begin.
    pub fn is_open(&self, kind: PhaseKind) -> bool {
        let passed = |phase: &Phase| phase.complete() && phase.failed == 0;
        self.state == RunState::Active
            && self.phases.iter().any(|phase| phase.kind == kind)
            && self.phases.iter().take_while(|phase| phase.kind < kind).all(passed)
    }

    /// The head after `task` ended with `verdict`, or none when the chain goes on, or the task ran alone, and the
    /// head is untouched.
    pub fn concluded(&self, task: &Task, verdict: &Verdict, now: Timestamp) -> Option<Self> {
        if self.reruns.contains(&task.id) || !chain::ends(&task.id, verdict) {
            return None;
        }
        let mut head = self.clone();
        let kind = PhaseKind::of(task.id.stage);
        let phase = head.phases.iter_mut().find(|phase| phase.kind == kind)?;
        // A service that had to go back was not delivered, however well the way back ended.
        if verdict.outcome == Outcome::Passed && !task.id.subject.is_rollback() {
            phase.passed += 1;
        } else {
            phase.failed += 1;
        }
        let (complete, failed) = (phase.complete(), phase.failed > 0);
        if complete {
            let following = head
                .phases
                .iter()
                .find(|phase| phase.kind > kind && !phase.complete())
                .map(|phase| phase.kind);
            let superseded = verdict.outcome == Outcome::Superseded && !task.id.subject.is_rollback();
            let what = match (failed, following) {
                (true, _) if superseded => Onset::Finish(RunOutcome::Superseded),
                (true, _) | (false, Some(_)) if head.stop.is_some() => Onset::Finish(head.cancelled()),
                (true, _) => Onset::Finish(RunOutcome::Failed),
                (false, Some(next)) => Onset::Phase(next),
                (false, None) if head.phases.iter().any(|phase| phase.failed > 0) => {
                    Onset::Finish(RunOutcome::Failed)
                }
                (false, None) => Onset::Finish(RunOutcome::Passed),
            };
            head.opening = Some(Opening { by: Some(task.id.clone()), what });
        }
        Some(head.written(now))
    }

    /// The head once its opening is done.
    #[must_use]
    pub fn opened(&self, now: Timestamp) -> Self {
        let mut head = self.clone();
        if let Some(Opening { what: Onset::Finish(outcome), .. }) = head.opening.take() {
            head.state = RunState::Finished(outcome);
            head.finished = Some(now);
        }
        head.written(now)
    }

    /// The head that sweep need not look at again: its end has been told to everybody, or only a person can move it.
    #[must_use]
    pub fn at_rest(&self) -> Self {
        Self { due: None, version: self.version + 1, ..self.clone() }
    }

    /// The head after sweep has woken its tasks.
    #[must_use]
    pub fn swept(&self, now: Timestamp) -> Self {
        self.clone().written(now)
    }

    /// Whether nothing more will happen to its tasks, but for those that run alone.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, RunState::Finished(_))
    }

    /// Whether everything has ended, so that the end can be told.
    pub fn has_ended(&self) -> bool {
        self.is_finished() && self.reruns.is_empty()
    }

    /// Whether nothing more of what runs alone comes after the task with this verdict.
    pub fn ends_rerun(&self, task: &TaskId, verdict: &Verdict) -> bool {
        let goes_on = chain::successor(task).is_some_and(|next| self.reruns.contains(&next));
        chain::ends(task, verdict) || (verdict.outcome == Outcome::Passed && !goes_on)
    }

    /// The head once what ran alone has ended: the task, from deploy on with the whole rollout of its service.
    #[must_use]
    pub fn settled(&self, task: &TaskId, now: Timestamp) -> Self {
        let mut head = self.clone();
        let whole = chain::rollout(task);
        head.reruns.retain(|id| id != task && !(task.stage.has_environment() && whole.contains(id)));
        head.written(now)
    }

    /// Its place in the order of the environment it is delivered to.
    pub fn ticket(&self) -> Option<Ticket> {
        self.delivery.as_ref().map(|delivery| Ticket { number: delivery.fence, round: self.round })
    }

    /// The same, due as before: what was noted moves nothing.
    fn noted(mut self) -> Self {
        self.version += 1;
        self
    }

    pub(crate) fn written(mut self, now: Timestamp) -> Self {
        self.version += 1;
        self.due = Some(now.after(SILENCE));
        self
    }
}
