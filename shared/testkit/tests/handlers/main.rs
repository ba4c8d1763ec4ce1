//! Stories of single handlers: one message, what it leaves behind, what people read.

mod deploy;
mod images;
mod messages;
mod notify;
mod plan;
mod sweep;
mod test;
mod verify;
mod webhook;

use domain::run::{Phase, PhaseKind, Run, RunState};
use domain::task::{Output, State, Task, Verdict};
use lambda::{Disposition, StageWork, drive};
use testkit::builders::a_run;
use testkit::fakes::World;

/// A run whose tests and images have passed so far, and whose next phase is `open`.
fn a_run_at(open: PhaseKind) -> Run {
    let phase = |kind| Phase { kind, total: 1, passed: u32::from(kind < open), failed: 0 };
    let phases = [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout].map(phase).to_vec();
    Run { state: RunState::Active, phases, ..testkit::builders::delivered_to(&a_run(), 1) }
}

/// The task, passed with that output.
fn passed(task: Task, output: Output) -> Task {
    Task { state: State::Done { verdict: Verdict::passed("", output) }, ..task }
}

/// Wakes the task once.
async fn wake(world: &World, task: &Task, work: &impl StageWork) -> Disposition {
    let wake = domain::message::Wake { run: task.run.clone(), task: task.id.clone(), timer: None };
    drive(&world.store, &world.queue, work, &wake, || world.clock.now()).await
}

/// The task as it is stored.
fn stored(world: &World, task: &Task) -> Task {
    world.store.tasks_of(&task.run).into_iter().find(|known| known.id == task.id).expect("the task is there")
}

/// How the task ended, in one line.
fn verdict(world: &World, task: &Task) -> String {
    let task = stored(world, task);
    match task.verdict() {
        Some(verdict) => format!("{:?}: {}", verdict.outcome, verdict.summary),
        None => format!("{:?}", task.state),
    }
}
