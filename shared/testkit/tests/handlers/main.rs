//! Stories of single handlers: one message, what it leaves behind, what people read.

mod clusters;
mod deploy;
mod drafts;
mod examples;
mod images;
mod jobs;
mod lines;
mod manifests;
mod messages;
mod notify;
mod notify_comments;
mod notify_later;
mod plan;
mod previews;
mod rerun;
mod shared_builds;
mod sweep;
mod test;
mod tips;
mod verify;
mod waiting;
mod webhook;
mod wishes;

use domain::message::{Ask, Wake};
use domain::run::{Phase, PhaseKind, Run, RunState};
use domain::task::{Output, State, Task, Verdict};
use lambda::{Disposition, StageFunction, StageMessage, StageWork};
use slipway_test::Tests;
use testkit::builders::a_run;
use testkit::fakes::{MemoryArtifacts, MemoryBuilds, MemoryStore, World};

/// A run whose tests and images have passed so far, and whose next phase is `open`.
fn a_run_at(open: PhaseKind) -> Run {
    let phase = |kind| Phase { kind, total: 1, passed: u32::from(kind < open), failed: 0 };
    let phases = [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout].map(phase).to_vec();
    Run { state: RunState::Active, phases, ..testkit::builders::delivered_to(&a_run(), 1) }
}

/// The test function's work over the world.
fn tests_of(world: &World) -> Tests<MemoryStore, MemoryBuilds, MemoryArtifacts> {
    Tests {
        runs: world.store.clone(),
        builds: world.tests.clone(),
        untrusted: world.untrusted.clone(),
        artifacts: world.artifacts.clone(),
        secrets_prefix: "slipway/test/".to_owned(),
    }
}

/// The task, passed with that output.
fn passed(task: Task, output: Output) -> Task {
    Task { state: State::Done { verdict: Verdict::passed("", output) }, ..task }
}

/// Wakes the task once.
async fn wake(world: &World, task: &Task, work: &impl StageWork) -> Disposition {
    ask(world, Ask::Wake(Wake { run: task.run.clone(), task: task.id.clone(), timer: None }), work).await
}

/// Hands the stage one message.
async fn ask(world: &World, ask: Ask, work: &impl StageWork) -> Disposition {
    let message =
        StageMessage { ask, message_id: "message-1".to_owned(), sender: Some("AIDAOPERATOR".to_owned()) };
    let (store, queue) = (&world.store, &world.queue);
    StageFunction::new(store, queue, queue, work).attend(&message, || world.clock.now()).await
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
