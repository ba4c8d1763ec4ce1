//! sweep.

use std::time::Duration;

use domain::message::QueueName;
use domain::run::{PhaseKind, Run};
use slipway_sweep::Sweep;
use testkit::builders::{a_run, a_service, a_task};
use testkit::fakes::{MemoryQueue, MemoryStore, World};

use crate::a_run_at;

fn sweep(world: &World) -> Sweep<MemoryStore, MemoryQueue> {
    Sweep { store: world.store.clone(), queue: world.queue.clone() }
}

#[tokio::test]
async fn an_idle_sweep_asks_the_store_once() {
    let world = World::new();
    world.store.put(&Run { due: None, ..a_run() }, &[]);
    assert_eq!(sweep(&world).handle(world.clock.now()).await.expect("memory answers"), 0);
    assert_eq!(world.wire.calls(), ["store.due"]);
}

#[tokio::test]
async fn a_silent_run_is_woken_once_in_two_minutes() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let service = a_service("authentication");
    let tasks = ["test/authentication", "build/authentication"].map(|id| a_task(&head, id, &service));
    world.store.put(&head, &tasks);
    world.clock.advance(Duration::from_secs(121));
    assert_eq!(sweep(&world).handle(world.clock.now()).await.expect("memory answers"), 1);
    assert_eq!(sweep(&world).handle(world.clock.now()).await.expect("memory answers"), 0);
    let test = QueueName::Stage(domain::ids::Stage::Test);
    assert_eq!(world.queue.waiting(test).len(), 1);
    assert_eq!(world.queue.waiting(QueueName::Notify).len(), 1);
    assert_eq!(world.queue.len(), 2, "what may not begin is left alone");
}

#[tokio::test]
async fn a_run_that_plan_left_goes_back_to_plan() {
    let world = World::new();
    world.store.put(&a_run(), &[]);
    world.clock.advance(Duration::from_secs(121));
    sweep(&world).handle(world.clock.now()).await.expect("memory answers");
    assert_eq!(world.queue.waiting(QueueName::Plan).len(), 1);
}
