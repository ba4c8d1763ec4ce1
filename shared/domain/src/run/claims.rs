//! Who waits for a run: what lets it begin, go on, begin again or end before its time.

use super::{Onset, Opening, Phase, PhaseKind, Run, RunOutcome, RunState, Stop};
use crate::ids::{Line, Sha, Trust};
use crate::time::Timestamp;

impl Run {
    /// The head of a run that is to be cancelled; none where that comes too late: it has ended, or its rollout has begun,
    /// or it is being cancelled already.
    pub fn stopped(&self, stop: &Stop, now: Timestamp) -> Option<Self> {
        let opens_rollout =
            matches!(self.opening, Some(Opening { what: Onset::Phase(PhaseKind::Rollout), .. }));
        if self.is_finished() || self.stop.is_some() || opens_rollout || self.is_open(PhaseKind::Rollout) {
            return None;
        }
        Some(Self { stop: Some(stop.clone()), ..self.clone() }.written(now))
    }

    /// The head of a run that is being cancelled before plan has given it tasks.
    pub fn cancelled_early(&self, now: Timestamp) -> Option<Self> {
        let outcome = self.cancelled();
        self.stop.is_some().then(|| self.ended_early(outcome, now))
    }

    /// How a run ends that is being cancelled.
    pub(super) fn cancelled(&self) -> RunOutcome {
        RunOutcome::Cancelled(self.stop.as_ref().map_or_else(String::new, Stop::sentence))
    }

    /// The head without a line's claim; none where the line has no claim. Where it was the last one, the run is
    /// cancelled as far as that is still possible.
    pub fn released(&self, line: &Line, stop: &Stop, now: Timestamp) -> Option<Self> {
        let mut head = self.clone();
        head.claims.retain(|claim| claim != line);
        if head.claims.len() == self.claims.len() {
            return None;
        }
        let stopped = if head.claims.is_empty() { head.stopped(stop, now) } else { None };
        Some(stopped.unwrap_or_else(|| head.noted()))
    }

    /// The head with what one more event says of the same commit: a line that claims it, a pull request that it is the
    /// newest commit of, what it is compared with. None where all of it is known.
    pub fn joined(&self, line: Option<&Line>, pull: Option<u64>, base: Option<&Sha>) -> Option<Self> {
        let mut head = self.clone();
        let is_new = |line: &&Line| !head.claims.contains(line);
        // A pull request of the repository itself moves with its branch, whose claim is enough.
        let claims = line.filter(is_new).filter(|line| self.keeps(line)).cloned();
        head.claims.extend(claims);
        head.pulls.extend(pull.filter(|pull| !self.pulls.contains(pull)));
        if base.is_some() {
            head.compared_with = base.cloned();
        }
        (head != *self).then(|| head.noted())
    }

    /// Whether a line of this kind keeps such a run alive.
    fn keeps(&self, line: &Line) -> bool {
        matches!(line, Line::Pull(_)) == (self.id.trust == Trust::Untrusted)
    }

    /// The head of a run that is planned after all, or once more: nothing of it has any tasks yet.
    fn begun_again(&self, now: Timestamp) -> Self {
        Self {
            state: RunState::Planning,
            opening: None,
            stop: None,
            finished: None,
            failures: 0,
            outages: 0,
            stuck: None,
            round: self.round + 1,
            ..self.clone()
        }
        .written(now)
    }

    /// The head of a stranger's run whose commit somebody has admitted; none where it is not waiting for that.
    pub fn admitted(&self, by: &str, now: Timestamp) -> Option<Self> {
        let waits = matches!(self.state, RunState::Finished(RunOutcome::ActionRequired(_)));
        let head = Self { admitted: Some(by.to_owned()), ..self.begun_again(now) };
        (waits && self.admitted.is_none()).then_some(head)
    }

    /// The head of a run that ended before it had any tasks, because its commit asks for that or nobody waited for it,
    /// and that somebody wants now; none where there is another reason, or there are tasks.
    pub fn wanted_after_all(&self, now: Timestamp) -> Option<Self> {
        let ended =
            matches!(self.state, RunState::Finished(RunOutcome::Skipped(_) | RunOutcome::Cancelled(_)));
        let mut head = self.begun_again(now);
        head.origin.skip = None;
        (ended && self.phases.is_empty()).then_some(head)
    }

    /// The head of a run that gets so many more tests: of subjects that another pull request with the same commit needs,
    /// or that somebody asks for. None while its tests are between their end and what follows.
    pub fn grown(&self, more: u32, now: Timestamp) -> Option<Self> {
        let mut head = self.clone();
        let is_open = |phase: &Phase| !phase.complete();
        let tests_go_on = self.phases.iter().any(|phase| phase.kind == PhaseKind::Test && is_open(phase));
        if self.stop.is_some() || self.state == RunState::Planning || (!self.is_finished() && !tests_go_on) {
            return None;
        }
        match head.phases.iter_mut().find(|phase| phase.kind == PhaseKind::Test) {
            Some(phase) => phase.total += more,
            None => head.phases.insert(0, Phase { kind: PhaseKind::Test, total: more, passed: 0, failed: 0 }),
        }
        if self.is_finished() {
            head.round += 1;
            (head.state, head.finished) = (RunState::Active, None);
        }
        if head.opening.is_none() {
            head.opening = Some(Opening { by: None, what: Onset::Phase(PhaseKind::Test) });
        }
        Some(head.written(now))
    }
}
