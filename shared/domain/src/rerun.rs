//! What a person's request to run a task again means: decided purely, from the run and its tasks.
//!
//! An attempt replaces its task's place in the fan-in. A task that had not passed continues its run when it passes.
//! One that had passed runs alone, unless `cascade` is asked: then everything of its service that follows runs again
//! too. A deploy always takes its verify along, because a release that nobody verifies would be a lie.

use serde::{Deserialize, Serialize};

use crate::chain;
use crate::ids::{RequestId, RunId, Stage, TaskId};
use crate::run::{Onset, Opening, PhaseKind, Run, RunState};
use crate::task::{Outcome, State, Task};
use crate::time::Timestamp;
use crate::timeline::Entry;

/// A person's request to run a task again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// What the request is known by; the SQS message's id where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Whether everything of the service that follows runs again too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cascade: bool,
    /// Whether only to say what would happen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What a request leads to: head and tasks are next versions, to be written together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Reopening {
    /// The head.
    pub head: Run,
    /// The tasks with their new attempts.
    pub tasks: Vec<Task>,
    /// What happens, for people.
    pub says: String,
}

/// Why a task is not run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has no such task.
    #[error("run `{run}` has no task `{task}`; its tasks: {known}")]
    NoTask {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The tasks it has.
        known: String,
    },
    /// Its turn has not come yet.
    #[error("`{0}` has not begun; re-run the task before it that has not passed")]
    NotBegun(TaskId),
    /// It is at work.
    #[error("`{0}` is under way; ask again when it has ended")]
    UnderWay(TaskId),
    /// The whole run must have ended.
    #[error("the run is under way; `{0}` has passed in it and can be run again once the run has ended")]
    RunUnderWay(TaskId),
    /// Another rollout of the run is run again at this moment.
    #[error("`{0}` is being run again at this moment; ask again when it has ended")]
    OneAtATime(TaskId),
    /// The cluster went back; there is nothing to look at.
    #[error("the service went back to its last verified release; re-run `{0}` instead")]
    WentBack(TaskId),
    /// A way back is no task of its own.
    #[error("a way back is not run again; re-run `{0}`, or redrive its dead letter where it is stuck")]
    WayBack(TaskId),
}

/// Decides what the request leads to. `tasks` are all tasks of the run.
///
/// # Errors
/// When the task cannot be run again now; the sentence tells why and what to do.
pub fn decide(head: &Run, tasks: &[Task], asked: &Rerun, now: Timestamp) -> Result<Reopening, Refusal> {
    let task = tasks.iter().find(|task| task.id == asked.task).ok_or_else(|| Refusal::NoTask {
        run: asked.run.clone(),
        task: asked.task.clone(),
        known: listed(tasks),
    })?;
    let anew = Anew { head, tasks, task, now };
    if task.id.subject.is_rollback() {
        return Err(Refusal::WayBack(anew.forward(Stage::Deploy)));
    }
    match task.state {
        State::Pending => Err(Refusal::NotBegun(task.id.clone())),
        State::Starting { .. } | State::Running { .. } | State::PassingOn { .. } => {
            Err(Refusal::UnderWay(task.id.clone()))
        }
        State::Stuck { .. } if head.reruns.contains(&task.id) => Ok(anew.still_alone()),
        State::Stuck { .. } => anew.continuing(),
        State::Done { .. } => match anew.outcome()? {
            Outcome::Failed | Outcome::Superseded => anew.continuing(),
            Outcome::Passed if asked.cascade && anew.has_followers() => anew.cascading(),
            Outcome::Passed => anew.alone(),
        },
    }
}

/// The lines that the request leaves in the timeline: one for itself.
pub fn entry(request: &RequestId, by: &str, what: String, now: Timestamp) -> Entry {
    Entry { key: key(request), at: now, by: by.to_owned(), what }
}

/// What the timeline knows a request by.
pub fn key(request: &RequestId) -> String {
    format!("rerun-{request}")
}

struct Anew<'a> {
    head: &'a Run,
    tasks: &'a [Task],
    task: &'a Task,
    now: Timestamp,
}

impl Anew<'_> {
    /// How the task ended for the run; a deploy only as well as its verify.
    fn outcome(&self) -> Result<Outcome, Refusal> {
        let own = self.task.outcome().unwrap_or(Outcome::Failed);
        if self.task.id.stage != Stage::Deploy || own != Outcome::Passed {
            return Ok(own);
        }
        let verify = self.find(&self.forward(Stage::Verify));
        match verify.map(|verify| (&verify.state, verify.outcome())) {
            Some((State::Done { .. }, Some(outcome))) => Ok(outcome),
            Some((State::Stuck { .. }, _)) => Ok(Outcome::Failed),
            _ => Err(Refusal::UnderWay(self.forward(Stage::Verify))),
        }
    }

    /// The task had not passed: it and its chain take their places again, and the run goes on.
    fn continuing(&self) -> Result<Reopening, Refusal> {
        if let Some(back) = self.way_back_at_work() {
            return Err(Refusal::UnderWay(back));
        }
        if self.task.id.stage == Stage::Verify && self.goes_back(self.task) {
            return Err(Refusal::WentBack(self.forward(Stage::Deploy)));
        }
        let mut head = self.reopened();
        if self.has_counted(self.task) {
            uncount(&mut head, PhaseKind::of(self.task.id.stage), false);
        }
        let tasks = self.chain_from_here().map(|task| task.anew(None)).collect();
        Ok(self.reopening(head, tasks, "continues the run when it passes"))
    }

    /// A task that ran alone and got stuck: it runs alone again.
    fn still_alone(&self) -> Reopening {
        let tasks = vec![self.task.anew(self.task.standing)];
        self.reopening(self.head.clone().written(self.now), tasks, "runs alone again")
    }

    /// The task had passed: it runs, and nobody comes after it.
    fn alone(&self) -> Result<Reopening, Refusal> {
        let mut head = self.head.clone();
        let in_environment = self.task.id.stage.has_environment();
        if in_environment && !head.is_finished() {
            return Err(Refusal::RunUnderWay(self.task.id.clone()));
        }
        if let Some(other) = head.reruns.iter().find(|other| in_environment && other.stage.has_environment())
        {
            return Err(Refusal::OneAtATime(other.clone()));
        }
        if head.is_finished() {
            head.round += 1;
        }
        if in_environment {
            head.reruns.extend(chain::rollout(&self.task.id).into_iter().filter(|id| {
                self.task.id.stage == Stage::Deploy || id.stage == Stage::Verify || id.subject.is_rollback()
            }));
        } else {
            head.reruns.push(self.task.id.clone());
        }
        let tasks = self
            .chain_from_here()
            .filter(|task| in_environment || task.id == self.task.id)
            .map(|task| task.anew(task.outcome()))
            .collect();
        let how = "runs alone: it had passed, and nothing that follows runs again";
        Ok(self.reopening(head.written(self.now), tasks, how))
    }

    /// The task had passed: it and everything of its service that follows run again.
    fn cascading(&self) -> Result<Reopening, Refusal> {
        if !self.head.is_finished() || !self.head.reruns.is_empty() {
            return Err(Refusal::RunUnderWay(self.task.id.clone()));
        }
        let (own, service) = (PhaseKind::of(self.task.id.stage), self.task.id.subject.service());
        let later = self
            .tasks
            .iter()
            .filter(|task| PhaseKind::of(task.id.stage) > own && task.id.subject.service() == service);
        let mut head = self.reopened();
        let again: Vec<_> = self.chain_from_here().chain(later.filter(has_begun)).collect();
        for phase in [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout] {
            let of_phase = || again.iter().filter(|task| PhaseKind::of(task.id.stage) == phase);
            if of_phase().next().is_some() {
                let passed = of_phase()
                    .filter(|task| !task.id.subject.is_rollback())
                    .all(|task| task.outcome() == Some(Outcome::Passed));
                uncount(&mut head, phase, passed);
            }
        }
        let tasks = again.iter().map(|task| task.anew(None)).collect();
        Ok(self.reopening(head, tasks, "and everything of its service that follows run again"))
    }

    fn reopening(&self, head: Run, tasks: Vec<Task>, how: &str) -> Reopening {
        let before = match &self.task.state {
            State::Stuck { reason, .. } => format!("was stuck: {reason}"),
            _ => {
                self.task.verdict().map_or(String::new(), |verdict| format!("ended so: {}", verdict.summary))
            }
        };
        let says = format!(
            "attempt {} of `{}` {how}; attempt {} {before}",
            self.task.attempt + 1,
            self.task.id,
            self.task.attempt
        );
        Reopening { head, tasks, says }
    }

    /// The head as active again. What a finished run had freed is taken under the next round.
    fn reopened(&self) -> Run {
        let mut head = self.head.clone();
        let ends = matches!(head.opening, Some(Opening { what: Onset::Finish(_), .. }));
        if head.is_finished() || ends {
            head.round += 1;
            head.opening = None;
        }
        (head.state, head.finished) = (RunState::Active, None);
        head.written(self.now)
    }

    /// The task, what comes after it in its chain, and the way back, as far as they have begun.
    fn chain_from_here(&self) -> impl Iterator<Item = &Task> {
        let mut ids = vec![self.task.id.clone()];
        ids.extend(chain::successor(&self.task.id));
        ids.extend(chain::way_back(&self.task.id).into_iter().flatten());
        self.tasks.iter().filter(has_begun).filter(move |task| ids.contains(&task.id))
    }

    /// Whether the chain's bad end is counted in the head.
    fn has_counted(&self, task: &Task) -> bool {
        let later = chain::successor(&task.id).and_then(|id| self.find(&id));
        let ended = |task: &Task| task.outcome().is_some_and(|outcome| outcome != Outcome::Passed);
        ended(task) || later.is_some_and(ended)
    }

    fn has_followers(&self) -> bool {
        let service = self.task.id.subject.service();
        let follows = |task: &&Task| {
            task.id.stage > self.task.id.stage && service.is_some() && task.id.subject.service() == service
        };
        self.tasks.iter().any(|task| follows(&task))
    }

    /// Whether the task failed and named a release to go back to.
    fn goes_back(&self, task: &Task) -> bool {
        task.verdict().is_some_and(|verdict| verdict.roll_back.is_some())
    }

    /// The task of the way back that is still to end, after the task or the verify behind it failed.
    fn way_back_at_work(&self) -> Option<TaskId> {
        let verify = chain::successor(&self.task.id).and_then(|id| self.find(&id));
        if !self.goes_back(self.task) && !verify.is_some_and(|verify| self.goes_back(verify)) {
            return None;
        }
        let [deploy, verify] = chain::way_back(&self.task.id)?;
        let done = |id: &TaskId| self.find(id).filter(|task| matches!(task.state, State::Done { .. }));
        match done(&deploy) {
            None => Some(deploy),
            Some(back) if back.outcome() == Some(Outcome::Passed) && done(&verify).is_none() => Some(verify),
            Some(_) => None,
        }
    }

    /// The task of the same service on its way forward.
    fn forward(&self, stage: Stage) -> TaskId {
        let service = self.task.id.subject.service().cloned();
        let subject = service.map_or_else(|| self.task.id.subject.clone(), crate::ids::Subject::Service);
        TaskId { stage, subject, environment: self.task.id.environment.clone() }
    }

    fn find(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == *id)
    }
}

fn has_begun(task: &&Task) -> bool {
    task.state != State::Pending
}

/// The first tasks by name, for a person who mistyped one.
fn listed(tasks: &[Task]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<_> = tasks.iter().take(SHOWN).map(|task| format!("`{}`", task.id)).collect();
    match tasks.len() {
        0 => "none".to_owned(),
        all if all > SHOWN => format!("{} and {} more", names.join(", "), all - SHOWN),
        _ => names.join(", "),
    }
}

/// Takes a chain out of its phase's count.
fn uncount(head: &mut Run, kind: PhaseKind, passed: bool) {
    if let Some(phase) = head.phases.iter_mut().find(|phase| phase.kind == kind) {
        let count = if passed { &mut phase.passed } else { &mut phase.failed };
        *count = count.saturating_sub(1);
    }
}
