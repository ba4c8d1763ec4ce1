//! The state machine: `next(head, task, facts)` names the one action that comes next.
//!
//! One action at a time, because each changes what is known. Whoever performs it asks again, until the answer
//! is [`Action::Rest`]. Every wake gets an answer: delivered twice, late or out of order it finds either an
//! open intent, whose action it repeats, or a recorded result, and rests.

use std::time::Duration;

use crate::chain::{self, successor};
use crate::ids::{Stage, TaskId, Trust};
use crate::message::Verified;
use crate::run::{Onset, PhaseKind, Run};
use crate::task::{Outcome, State, Task, Verdict};
use crate::time::Timestamp;

/// After so many failures of the machinery in a row a task is stuck.
pub const MOST_FAILURES: u32 = 5;

/// `StartBuild`'s idempotency token holds five minutes
/// (<https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html>); an intent nearly as old
/// first looks for the build that it may have started.
pub const TOKEN_HOLDS: Duration = Duration::from_mins(4);

/// When a stuck task's stop is tried again that has failed.
const STOP_AGAIN: Duration = Duration::from_secs(30);

/// How late a timer's message may be before another wake may arm the timer anew.
pub const TIMER_GRACE: Duration = Duration::from_secs(10);

/// What is known beside head and task.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// The timer number that the message carries; none for a plain wake.
    pub timer: Option<u32>,
    /// Up to which version a stuck task is revived by the message; none for a plain wake.
    pub revive: Option<u64>,
    /// The task whose output this one works on ([`crate::chain::reads_from`]).
    pub previous: Option<&'a Task>,
    /// What the last action brought.
    pub learned: Learned,
}

/// What an action brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    /// Nothing yet, or a write that went through.
    Nothing,
    /// The stage's effect has happened.
    Started {
        /// How to ask for it.
        handle: String,
    },
    /// It is still going on, or waits for its turn; no failure.
    InProgress {
        /// When to ask again; none where an event will tell.
        ask_again: Option<Duration>,
    },
    /// It waits for its turn, and people see for what; no failure.
    Waiting {
        /// For what, as a part of a sentence.
        why: String,
        /// When to ask again.
        ask_again: Duration,
    },
    /// As much of the effect is done as fits an invocation; the next one goes on at once.
    Partly {
        /// How far it is.
        handle: String,
    },
    /// The verdict.
    Concluded(Verdict),
    /// The machinery broke under it: it is begun anew once. The verdict holds where that has been tried.
    Broken(Verdict),
    /// What had begun is stopped.
    Stopped,
    /// The machinery failed.
    Failed {
        /// What went wrong, for people.
        reason: String,
        /// When the other side wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// Everybody who comes next has been woken.
    PassedOn,
    /// The timer runs.
    Armed,
}

/// What to do next. Tasks and heads in it are the new versions, to be written on condition of the old ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write the task.
    Write {
        /// Its next version.
        task: Task,
    },
    /// Perform the stage's effect.
    Start {
        /// Look first whether an earlier attempt at it succeeded.
        adopt: bool,
    },
    /// Look how the effect fares.
    Observe {
        /// The recorded handle.
        handle: String,
    },
    /// Stop what the task began, or may have begun where no handle is recorded.
    Stop {
        /// The recorded handle.
        handle: Option<String>,
    },
    /// Write task and head in one transaction; the head only when the chain ends here.
    Conclude {
        /// The task, passing on.
        task: Task,
        /// The head with the chain counted.
        head: Option<Run>,
    },
    /// Write task and head in one transaction: a person revived the task, and sweep looks at its run again.
    Revive {
        /// The task, looking for what it may have begun.
        task: Task,
        /// The head, due again.
        head: Run,
    },
    /// Do these in order, then ask again with [`Learned::PassedOn`].
    PassOn(Vec<Onward>),
    /// Write the task, then send its delayed message.
    Arm {
        /// The task with the new timer.
        task: Task,
        /// The message's delay.
        delay: Duration,
    },
    /// Write the failure's count, then give the message back to its queue.
    GiveBack {
        /// The task with one failure more.
        task: Task,
        /// What went wrong.
        reason: String,
        /// When the queue should deliver it again.
        delay: Duration,
    },
    /// Acknowledge the message; the sentence says why nothing is to be done.
    Rest(&'static str),
}

/// A step of passing on. Each may be repeated without harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Onward {
    /// Wake the next task of the chain.
    Wake(TaskId),
    /// Wake the first tasks of a phase.
    OpenPhase(PhaseKind),
    /// Wake the tests whose place is free now.
    WakeWaiting,
    /// Keep the result for every later trusted run with the same key.
    RecordGreen {
        /// What it depends on.
        key: String,
    },
    /// Free the environment's lock, if this run holds it.
    FreeLock,
    /// Write the head as opened, on condition that its opening is still this task's.
    Opened,
    /// Create the two tasks of the service's way back, if they are absent, and wake the first.
    RollBack(Box<[Task; 2]>),
    /// Let publish tag the image of the verified release.
    TellVerified(Verified),
    /// Take the task, and what belongs to it, off the head's list of those that run alone.
    Settle,
    /// Put a message that revives the task into the dead-letter queue, with the reason.
    SetAside {
        /// Why the task is stuck.
        reason: String,
        /// Up to which version the message revives it.
        version: u64,
    },
    /// Wake notify, at once or together with what comes next.
    Tell {
        /// At once: a chain has ended, or somebody has to act.
        soon: bool,
    },
}

/// The one action that comes next.
pub fn next(head: &Run, task: &Task, facts: &Facts<'_>) -> Action {
    match &task.state {
        State::Done { .. } => Action::Rest("the task is done"),
        State::Stuck { .. } if is_cancelled(head, task) && !head.is_finished() => match &facts.learned {
            Learned::Stopped => conclude(head, task, facts, &cancelled(head)),
            Learned::Failed { reason, .. } => {
                Action::GiveBack { task: task.failed_once(), reason: reason.clone(), delay: STOP_AGAIN }
            }
            _ => Action::Stop { handle: None },
        },
        State::Stuck { .. } if facts.revive.is_some_and(|version| task.version <= version) => {
            Action::Revive { task: task.revived(), head: head.swept(facts.now) }
        }
        State::Stuck { told: true, .. } => Action::Rest("the task is stuck until a person revives it"),
        State::Stuck { reason, told: false } => match facts.learned {
            Learned::PassedOn => write(task, State::Stuck { reason: reason.clone(), told: true }, facts),
            _ => Action::PassOn(vec![
                // The version is the one that the told task will have.
                Onward::SetAside { reason: reason.clone(), version: task.version + 1 },
                Onward::Tell { soon: true },
            ]),
        },
        State::PassingOn { verdict } => match facts.learned {
            Learned::PassedOn => write(task, State::Done { verdict: verdict.clone() }, facts),
            _ => Action::PassOn(onward(head, task, verdict)),
        },
        State::Pending | State::Starting { .. } | State::Running { .. }
            if head.is_finished() && !head.reruns.contains(&task.id) =>
        {
            Action::Rest("the run is finished")
        }
        State::Pending if is_cancelled(head, task) => {
            if turn_has_come(head, task, facts.previous) {
                conclude(head, task, facts, &cancelled(head))
            } else {
                Action::Rest("it never began, and nothing of the run begins any more")
            }
        }
        State::Starting { .. } | State::Running { .. } if is_cancelled(head, task) => match &facts.learned {
            Learned::Stopped => conclude(head, task, facts, &cancelled(head)),
            learned @ Learned::Failed { .. } => after_effect(head, task, facts, learned),
            _ => Action::Stop { handle: task.handle() },
        },
        State::Pending if may_begin(head, task, facts.previous) => {
            write(task, State::Starting { since: facts.now }, facts)
        }
        State::Pending => Action::Rest("its turn has not come"),
        State::Starting { since } => match &facts.learned {
            Learned::Nothing => Action::Start { adopt: facts.now.since(*since) >= TOKEN_HOLDS },
            Learned::Started { handle } => {
                write(task, State::Running { handle: handle.clone(), since: facts.now }, facts)
            }
            learned => after_effect(head, task, facts, learned),
        },
        State::Running { handle, .. } => match &facts.learned {
            Learned::Nothing | Learned::Started { .. } => Action::Observe { handle: handle.clone() },
            learned => after_effect(head, task, facts, learned),
        },
    }
}

fn write(task: &Task, state: State, facts: &Facts<'_>) -> Action {
    Action::Write { task: task.in_state(state, facts.now) }
}

/// A task begins when its turn has come, unless the run is being cancelled or its tests are limited and its place is
/// not free yet.
pub fn may_begin(head: &Run, task: &Task, previous: Option<&Task>) -> bool {
    turn_has_come(head, task, previous) && !is_cancelled(head, task) && has_place(head, task)
}

/// Whether a wake could still change something about the task.
pub fn could_move(head: &Run, task: &Task, previous: Option<&Task>) -> bool {
    match task.state {
        State::Pending if is_cancelled(head, task) => turn_has_come(head, task, previous),
        State::Pending => may_begin(head, task, previous),
        State::Stuck { .. } if is_cancelled(head, task) => true,
        _ => task.is_open() && head.phases.iter().any(|phase| phase.kind == PhaseKind::of(task.id.stage)),
    }
}

/// Whether the run is being cancelled and the task with it. A rollout is not broken off half way: it ends, or goes back.
fn is_cancelled(head: &Run, task: &Task) -> bool {
    head.stop.is_some() && PhaseKind::of(task.id.stage) < PhaseKind::Rollout
}

fn cancelled(head: &Run) -> Verdict {
    Verdict::cancelled(head.stop.as_ref().map_or_else(String::new, |stop| format!("cancelled: {}", stop.why)))
}

/// Where tests are limited, each that has ended frees the next place.
fn has_place(head: &Run, task: &Task) -> bool {
    let Some(most) = head.parallel.filter(|_| task.id.stage == Stage::Test) else { return true };
    let tests = head.phases.iter().find(|phase| phase.kind == PhaseKind::Test);
    let ended = tests.map_or(0, |phase| phase.passed + phase.failed);
    head.reruns.contains(&task.id) || task.place < ended + u32::from(most)
}

/// A task's turn comes when its phase is open, or it runs alone, and, later in a chain, when the one before it has
/// passed. That of a way back comes where a task has failed that names the release to go back to.
fn turn_has_come(head: &Run, task: &Task, previous: Option<&Task>) -> bool {
    let (kind, before) = (PhaseKind::of(task.id.stage), previous.and_then(Task::verdict));
    if !head.reruns.contains(&task.id) && !head.is_open(kind) {
        return false;
    }
    if task.id.subject.is_rollback() && task.id.stage == Stage::Deploy {
        return before.is_some_and(|verdict| verdict.roll_back.is_some());
    }
    task.id.stage == kind.first_stage() || before.is_some_and(|verdict| verdict.outcome == Outcome::Passed)
}

fn after_effect(head: &Run, task: &Task, facts: &Facts<'_>, learned: &Learned) -> Action {
    match learned {
        Learned::Broken(_) if !task.mended => Action::Write { task: task.begun_anew(facts.now) },
        Learned::Concluded(verdict) | Learned::Broken(verdict) => conclude(head, task, facts, verdict),
        Learned::InProgress { ask_again: Some(delay) } if may_arm(task, facts) => {
            Action::Arm { task: task.armed(facts.now.after(*delay)), delay: *delay }
        }
        Learned::Waiting { why, ask_again } if may_arm(task, facts) => {
            Action::Arm { task: task.waiting(why, facts.now.after(*ask_again)), delay: *ask_again }
        }
        Learned::Partly { handle } if may_arm(task, facts) => {
            Action::Arm { task: task.done_partly(handle, facts.now), delay: Duration::ZERO }
        }
        Learned::InProgress { .. } | Learned::Waiting { .. } | Learned::Partly { .. } => {
            Action::Rest("it goes on; an event or its timer will tell")
        }
        Learned::Failed { reason, .. } if task.failures + 1 >= MOST_FAILURES => {
            write(task, State::Stuck { reason: reason.clone(), told: false }, facts)
        }
        Learned::Failed { reason, retry_after } => Action::GiveBack {
            task: task.failed_once(),
            reason: reason.clone(),
            delay: retry_after.unwrap_or_else(|| Duration::from_secs(1 << task.failures.min(6))),
        },
        Learned::Armed | Learned::PassedOn => Action::Rest("its timer runs"),
        Learned::Nothing | Learned::Started { .. } | Learned::Stopped => Action::Rest("nothing was learned"),
    }
}

fn conclude(head: &Run, task: &Task, facts: &Facts<'_>, verdict: &Verdict) -> Action {
    Action::Conclude {
        task: task.in_state(State::PassingOn { verdict: verdict.clone() }, facts.now),
        head: head.concluded(task, verdict, facts.now),
    }
}

/// The current timer's own message arms the next; so does any wake when none runs or the message is overdue.
fn may_arm(task: &Task, facts: &Facts<'_>) -> bool {
    match task.timer.due {
        None => true,
        Some(due) => facts.timer == Some(task.timer.number) || due.after(TIMER_GRACE) < facts.now,
    }
}

/// What publish is told of a verified release, where it has an image.
fn verified(task: &Task) -> Option<Verified> {
    task.spec.service()?.image.as_ref()?;
    Some(Verified { run: task.run.clone(), task: task.id.clone() })
}

fn onward(head: &Run, task: &Task, verdict: &Verdict) -> Vec<Onward> {
    let mut steps = Vec::with_capacity(4);
    let alone = head.reruns.contains(&task.id);
    if verdict.outcome == Outcome::Passed && head.id.trust == Trust::Trusted && task.id.stage == Stage::Test {
        steps.extend(task.key.clone().map(|key| Onward::RecordGreen { key }));
    }
    if head.parallel.is_some() && task.id.stage == Stage::Test && !alone {
        steps.push(Onward::WakeWaiting);
    }
    if verdict.outcome == Outcome::Passed {
        steps.extend(successor(&task.id).filter(|id| !alone || head.reruns.contains(id)).map(Onward::Wake));
    }
    if verdict.outcome == Outcome::Passed && task.id.stage == Stage::Verify {
        steps.extend(verified(task).map(Onward::TellVerified));
    }
    if verdict.roll_back.is_some() {
        steps.extend(chain::way_back(&task.id).map(|ids| {
            Onward::RollBack(Box::new(ids.map(|id| Task::new(task.run.clone(), id, task.spec.clone()))))
        }));
    }
    if alone && head.ends_rerun(&task.id, verdict) {
        if head.is_finished() && task.id.stage.has_environment() {
            steps.push(Onward::FreeLock);
        }
        steps.push(Onward::Settle);
    }
    if let Some(opening) = head.opening.as_ref().filter(|opening| opening.by.as_ref() == Some(&task.id)) {
        match &opening.what {
            Onset::Phase(kind) => steps.push(Onward::OpenPhase(*kind)),
            Onset::Finish(_) if head.delivery.is_some() => steps.push(Onward::FreeLock),
            Onset::Finish(_) => {}
        }
        steps.push(Onward::Opened);
    }
    steps.push(Onward::Tell { soon: chain::ends(&task.id, verdict) });
    steps
}
