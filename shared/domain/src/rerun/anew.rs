//! The ways in which a task is run again: in its place, alone, or with what follows.

use super::{Refusal, Reopening};
use crate::chain;
use crate::ids::{Stage, Subject, TaskId};
use crate::next::may_begin;
use crate::run::{Onset, Opening, PhaseKind, Run, RunState};
use crate::task::{Outcome, State, Task};
use crate::time::Timestamp;

/// A task that somebody wants to run again, and what is known around it.
pub(super) struct Anew<'a> {
    pub(super) head: &'a Run,
    /// All tasks of the run.
    pub(super) tasks: &'a [Task],
    pub(super) task: &'a Task,
    pub(super) now: Timestamp,
}

impl Anew<'_> {
    pub(super) fn decide(&self, cascade: bool) -> Result<Reopening, Refusal> {
        let id = &self.task.id;
        if id.subject.is_rollback() {
            return Err(Refusal::WayBack(self.forward(Stage::Deploy)));
        }
        if self.head.stop.is_some() && !self.head.is_finished() {
            return Err(Refusal::BeingCancelled);
        }
        if let Some(busy) = self.at_work() {
            return Err(Refusal::UnderWay(busy.id.clone()));
        }
        if self.task.state == State::Pending {
            return Err(Refusal::NotBegun(id.clone()));
        }
        if id.stage == Stage::Verify && goes_back(self.task) {
            return Err(Refusal::WentBack(self.forward(Stage::Deploy)));
        }
        if let Some(before) = self.not_passed_before() {
            return Err(Refusal::Before(before.id.clone()));
        }
        if self.head.reruns.contains(id) {
            return Ok(self.still_alone());
        }
        match self.outcome() {
            Outcome::Failed | Outcome::Superseded | Outcome::Cancelled => self.continuing(),
            Outcome::Passed if cascade && self.has_followers() => self.cascading(),
            Outcome::Passed => self.alone(),
        }
    }

    /// How the task ended for the run; a deploy only as well as its verify.
    fn outcome(&self) -> Outcome {
        let own = self.task.outcome().unwrap_or(Outcome::Failed);
        if self.task.id.stage != Stage::Deploy || own != Outcome::Passed {
            return own;
        }
        let verify = self.find(&self.forward(Stage::Verify));
        verify.map_or(own, |verify| verify.outcome().unwrap_or(Outcome::Failed))
    }

    /// The task itself while it is at work, or one of its service that reads what it makes, or makes what it reads.
    /// Nobody reads what a test makes.
    fn at_work(&self) -> Option<&Task> {
        let service = self.task.id.subject.service();
        let related = |task: &&Task| {
            let stages = [self.task.id.stage, task.id.stage];
            service.is_some() && task.id.subject.service() == service && !stages.contains(&Stage::Test)
        };
        let others = self.tasks.iter().filter(related);
        std::iter::once(self.task).chain(others).find(|task| self.is_at_work(task))
    }

    fn is_at_work(&self, task: &Task) -> bool {
        match task.state {
            State::Pending => may_begin(self.head, task, chain::previous(&task.id, self.tasks)),
            State::Starting { .. } | State::Running { .. } => true,
            // In a finished run only its own last write is missing: a lost wake must not keep it from people.
            State::PassingOn { .. } => !self.head.is_finished() || self.head.reruns.contains(&task.id),
            State::Done { .. } | State::Stuck { .. } => false,
        }
    }

    /// The task whose result this one takes, where its last attempt did not pass.
    fn not_passed_before(&self) -> Option<&Task> {
        let passed = |task: &Task| task.verdict().is_some_and(|verdict| verdict.outcome == Outcome::Passed);
        let before = chain::reads_from(&self.task.id);
        before.iter().find_map(|id| self.find(id)).filter(|task| !passed(task))
    }

    /// The task had not passed: it and its chain take their places again, and the run goes on.
    fn continuing(&self) -> Result<Reopening, Refusal> {
        if let Some(other) = self.other_rollout() {
            return Err(Refusal::OneAtATime(other.clone()));
        }
        let mut head = self.reopened();
        if self.is_counted() {
            uncount(&mut head, PhaseKind::of(self.task.id.stage), false);
        }
        let tasks = self.chain_from_here().map(|task| task.anew(None)).collect();
        Ok(self.reopening(head, tasks, "continues the run when it passes"))
    }

    /// The task runs alone already, and is stuck or waits for one that is: it runs alone again.
    fn still_alone(&self) -> Reopening {
        let tasks = self.chain_from_here().map(|task| task.anew(task.standing)).collect();
        self.reopening(self.head.clone().written(self.now), tasks, "runs alone again")
    }

    /// The task had passed: it runs, and nobody comes after it.
    fn alone(&self) -> Result<Reopening, Refusal> {
        let (id, mut head) = (&self.task.id, Run { stop: None, ..self.head.clone() });
        if id.stage != Stage::Test && !head.is_finished() {
            return Err(Refusal::RunUnderWay(id.clone()));
        }
        if let Some(other) = self.other_rollout() {
            return Err(Refusal::OneAtATime(other.clone()));
        }
        if head.is_finished() {
            head.round += 1;
        }
        let rollout = chain::rollout(id);
        let whole = id.stage.has_environment();
        if whole {
            let later = |one: &&TaskId| one.subject.is_rollback() || one.stage >= id.stage;
            let later: Vec<TaskId> =
                rollout.iter().filter(later).filter(|one| !head.reruns.contains(one)).cloned().collect();
            head.reruns.extend(later);
        } else {
            head.reruns.push(id.clone());
        }
        let tasks = self
            .chain_from_here()
            .filter(|task| whole || task.id == *id)
            .map(|task| task.anew(task.outcome()))
            .collect();
        let how = "runs alone: it had passed, and nothing that follows runs again";
        Ok(self.reopening(head.written(self.now), tasks, how))
    }

    /// The task had passed: it and everything of its service that follows run again.
    fn cascading(&self) -> Result<Reopening, Refusal> {
        if !self.head.is_finished() {
            return Err(Refusal::RunUnderWay(self.task.id.clone()));
        }
        if let Some(other) = self.head.reruns.first() {
            return Err(Refusal::OneAtATime(other.clone()));
        }
        let (own, service) = (PhaseKind::of(self.task.id.stage), self.task.id.subject.service());
        let later = self
            .tasks
            .iter()
            .filter(|task| PhaseKind::of(task.id.stage) > own && task.id.subject.service() == service);
        let mut head = self.reopened();
        let again: Vec<_> = self.chain_from_here().chain(later.filter(|task| has_begun(task))).collect();
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
        let mut head = Run { stop: None, ..self.head.clone() };
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
        self.tasks.iter().filter(|task| has_begun(task)).filter(move |task| ids.contains(&task.id))
    }

    /// Whether the bad end of the task's chain is counted in the head: one with a way back only at the end of that.
    fn is_counted(&self) -> bool {
        let later = chain::successor(&self.task.id).and_then(|id| self.find(&id));
        let bad = |task: &&Task| task.outcome().is_some_and(|outcome| outcome != Outcome::Passed);
        let ended = |task: &Task| !goes_back(task) || self.has_gone_back();
        std::iter::once(self.task).chain(later).find(bad).is_some_and(ended)
    }

    /// Whether the way back has come to its end, good or bad.
    fn has_gone_back(&self) -> bool {
        let Some([deploy, verify]) = chain::way_back(&self.task.id) else { return false };
        let outcome = |id: &TaskId| self.find(id).and_then(Task::outcome);
        match outcome(&deploy) {
            Some(Outcome::Passed) => outcome(&verify).is_some(),
            ended => ended.is_some(),
        }
    }

    fn has_followers(&self) -> bool {
        let service = self.task.id.subject.service();
        let follows = |task: &Task| {
            task.id.stage > self.task.id.stage && service.is_some() && task.id.subject.service() == service
        };
        self.tasks.iter().any(follows)
    }

    /// Whose rollout runs alone, where another one is asked for: the first to end would free the lock of both.
    fn other_rollout(&self) -> Option<&TaskId> {
        let own = chain::rollout(&self.task.id);
        let mut reruns = self.head.reruns.iter();
        reruns.find(|id| {
            self.task.id.stage.has_environment() && id.stage.has_environment() && !own.contains(id)
        })
    }

    /// The task of the same service on its way forward.
    fn forward(&self, stage: Stage) -> TaskId {
        let service = self.task.id.subject.service().cloned();
        let subject = service.map_or_else(|| self.task.id.subject.clone(), Subject::Service);
        TaskId { stage, subject, environment: self.task.id.environment.clone() }
    }

    fn find(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == *id)
    }
}

/// Whether the task failed and named a release to go back to.
fn goes_back(task: &Task) -> bool {
    task.verdict().is_some_and(|verdict| verdict.roll_back.is_some())
}

fn has_begun(task: &Task) -> bool {
    task.state != State::Pending
}

/// Takes a chain out of its phase's count.
fn uncount(head: &mut Run, kind: PhaseKind, passed: bool) {
    if let Some(phase) = head.phases.iter_mut().find(|phase| phase.kind == kind) {
        let count = if passed { &mut phase.passed } else { &mut phase.failed };
        *count = count.saturating_sub(1);
    }
}
