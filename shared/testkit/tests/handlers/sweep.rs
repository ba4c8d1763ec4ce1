//! sweep.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::{RepositoryName, Stage};
use domain::message::{Message, QueueName};
use domain::ports::{BuildState, Lease, Noted, NoticeBook as _, Repositories as _, Told};
use domain::run::{PhaseKind, Run};
use domain::task::State;
use domain::tips::INTERVAL;
use lambda::Disposition;
use slipway_sweep::Sweep;
use testkit::builders::{a_run, a_service, a_task, green_result, name};
use testkit::fakes::{MemoryQueue, MemoryStore, Trouble, World};

use crate::{a_run_at, stored, tests_of, verdict, wake};

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

/// Everything that waits on a queue.
fn messages(world: &World, queue: QueueName) -> Vec<Message> {
    let read = |body: &String| serde_json::from_str(body).expect("sweep sends what can be read");
    world.queue.waiting(queue).iter().map(read).collect()
}

#[tokio::test]
async fn a_build_whose_event_never_came_is_asked_after_two_minutes() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let task = a_task(&head, "test/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let work = tests_of(&world);
    wake(&world, &task, &work).await;
    assert!(matches!(stored(&world, &task).state, State::Running { .. }));
    let build = world.tests.running().remove(0);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), green_result());
    world.tests.end(&build.id, BuildState::Succeeded, None).expect("it runs; its event is lost");

    let test = QueueName::Stage(Stage::Test);
    world.clock.advance(Duration::from_secs(119));
    sweep(&world).handle(world.clock.now()).await.expect("memory answers");
    assert_eq!(messages(&world, test), [], "it has not been silent for long enough");
    world.clock.advance(Duration::from_secs(2));
    sweep(&world).handle(world.clock.now()).await.expect("memory answers");
    assert_eq!(messages(&world, test), [Message::wake(&task.run, &task.id)]);
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: 3 tests passed, coverage 90.0 %");
}

#[tokio::test]
async fn the_lease_of_a_dead_notify_ends_and_the_run_is_told() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    world.store.put(&head, &[a_task(&head, "test/authentication", &a_service("authentication"))]);
    let until = world.clock.now().after(Duration::from_mins(1));
    let lease = Lease { holder: "died".to_owned(), until, saying: BTreeMap::default(), again: false };
    let dead = Told { version: 1, lease: Some(lease), ..Told::default() };
    assert_eq!(world.store.write_told(&head.id, &dead).await.expect("memory answers"), Noted::Yes);
    let tells = async || crate::notify::notify(&world, &head).await;
    assert_eq!(tells().await, Disposition::Acknowledge, "somebody else seems to be at work, and is asked");
    assert!(world.github.check_runs().is_empty(), "nothing is told beside him");

    world.clock.advance(Duration::from_secs(121));
    sweep(&world).handle(world.clock.now()).await.expect("memory answers");
    assert_eq!(messages(&world, QueueName::Notify), [Message::Notify { run: head.id.clone() }]);
    assert_eq!(tells().await, Disposition::Acknowledge);
    assert!(!world.github.check_runs().is_empty(), "it is told");
}

fn repository() -> RepositoryName {
    name("vive-sphere/bot-manager")
}

#[tokio::test]
async fn a_repository_is_looked_at_every_quarter_of_an_hour() {
    let world = World::new();
    let looks = || messages(&world, QueueName::Plan).len();
    let sweeps = async || sweep(&world).handle(world.clock.now()).await.expect("memory answers");
    world.store.watch(&repository(), world.clock.now()).await.expect("memory answers");
    for minute in 1..=31 {
        world.clock.advance(Duration::from_mins(1));
        sweeps().await;
        assert_eq!(looks(), 1 + (minute - 1) / 16, "after {minute} minutes");
    }
    assert_eq!(messages(&world, QueueName::Plan)[0], Message::Tips { repository: repository() });
    assert_eq!(world.queue.len(), looks(), "nobody else is asked");

    world.clock.advance(INTERVAL);
    let (before, calls) = (world.wire.calls().len(), ["store.due", "queue.send", "store.postpone"]);
    sweeps().await;
    assert_eq!(world.wire.calls()[before..], calls);
    sweeps().await;
    assert_eq!(world.wire.calls()[before..].last(), Some(&"store.due"), "idle again: one query");
}

#[tokio::test]
async fn who_cannot_be_woken_keeps_nobody_else_waiting() {
    for (call, plan, tests) in [("store.run", 1, 0), ("queue.send", 1, 0), ("store.postpone", 1, 1)] {
        let world = World::new();
        let head = a_run_at(PhaseKind::Test);
        world.store.put(&head, &[a_task(&head, "test/authentication", &a_service("authentication"))]);
        world.store.watch(&repository(), world.clock.now()).await.expect("memory answers");
        world.clock.advance(Duration::from_secs(121));
        world.wire.trouble_next(call, Trouble::FailBefore);
        let asked = async || sweep(&world).handle(world.clock.now()).await.expect("the index answers");
        // The repository has been due for longer, yet the run's wake comes first.
        assert_eq!(asked().await, 2);
        let counts =
            || [QueueName::Plan, QueueName::Stage(Stage::Test)].map(|queue| world.queue.waiting(queue).len());
        assert_eq!(counts(), [plan, tests], "{call}");
        asked().await;
        let both = counts();
        assert!(both[0] >= 1 && both[1] == 1, "{call}: what stayed due is woken by the next sweep: {both:?}");
    }
}
