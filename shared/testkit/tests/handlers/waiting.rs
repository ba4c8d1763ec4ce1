//! deploy: who waits for an environment, and what an invocation leaves to the next.

use std::future::Future as _;
use std::task::{Context, Waker};
use std::time::Duration;

use domain::ids::{RunId, Stage};
use domain::keys;
use domain::message::QueueName;
use domain::policy::{Policy, Waiting};
use domain::ports::{Environments as _, Locking};
use domain::run::{PhaseKind, Run, Ticket};
use domain::task::{Output, PinnedImage, State, Task};
use slipway_deploy::Deployment;
use testkit::builders::{a_commit, a_digest, a_plan, a_service, a_sha, a_task, name};
use testkit::fakes::{Fate, MemoryArtifacts, MemoryCluster, MemoryStore, World};

use crate::{a_run_at, passed, stored, verdict, wake};

/// The deploy of `service-1` by a run with that number, where those who wait have their turn as said.
fn set(
    number: u64,
    waiting: Waiting,
) -> (World, Task, Deployment<MemoryStore, MemoryArtifacts, MemoryCluster>) {
    let world = World::new();
    let (mut head, service): (Run, _) = (a_run_at(PhaseKind::Rollout), a_service("service-1"));
    let delivery = head.delivery.as_mut().expect("it is delivered");
    delivery.fence = number;
    delivery.policy = Policy { waiting, ..Policy::default() };
    let image =
        PinnedImage { repository: "registry.example/vive-sphere/service-1".to_owned(), digest: a_digest(7) };
    let published = passed(a_task(&head, "publish/service-1", &service), Output::Image { image, log: None });
    let task = a_task(&head, "deploy/service-1@development", &service);
    world.store.put(&head, &[published, task.clone()]);
    world.artifacts.store(&keys::source(&head.id), a_commit(&a_plan(1)));
    let (store, artifacts, cluster) = (world.store.clone(), world.artifacts.clone(), world.cluster.clone());
    (world, task, Deployment { store, artifacts, cluster })
}

async fn ask(world: &World, task: &Task, number: u64, waiting: Waiting) -> Locking {
    let run = RunId { sha: a_sha(100 + number), ..task.run.clone() };
    let ticket = Ticket { number, round: 0 };
    let asked = world.store.lock(&task.run.repository, &name("development"), &run, ticket, waiting).await;
    asked.expect("memory answers")
}

async fn free(world: &World, task: &Task, number: u64) {
    let run = RunId { sha: a_sha(100 + number), ..task.run.clone() };
    let ticket = Ticket { number, round: 0 };
    let freed = world.store.unlock(&task.run.repository, &name("development"), &run, ticket).await;
    freed.expect("memory answers");
}

#[tokio::test]
async fn people_see_for_what_a_rollout_waits_and_are_told_once() {
    let (world, task, work) = set(2, Waiting::Newest);
    assert_eq!(ask(&world, &task, 1, Waiting::Newest).await, Locking::Held);
    for _ in 0..3 {
        wake(&world, &task, &work).await;
    }
    let waits = stored(&world, &task).waits.expect("it waits");
    insta::assert_snapshot!(waits.replace(a_sha(101).short(), "…"), @"the rollout of `…` in `development` to end");
    assert_eq!(world.queue.waiting(QueueName::Notify).len(), 1);
    free(&world, &task, 1).await;
    wake(&world, &task, &work).await;
    assert!(verdict(&world, &task).starts_with("Passed"), "{}", verdict(&world, &task));
    assert_eq!(stored(&world, &task).waits, None);
}

#[tokio::test]
async fn where_only_the_newest_has_its_turn_the_one_before_is_superseded_with_the_reason() {
    let (world, task, work) = set(2, Waiting::Newest);
    assert_eq!(ask(&world, &task, 1, Waiting::Newest).await, Locking::Held);
    wake(&world, &task, &work).await;
    assert!(matches!(ask(&world, &task, 3, Waiting::Newest).await, Locking::HeldBy(_)));
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Superseded: number 3 waits for `development` too and is newer; this run is number 2");
    assert!(world.cluster.applies().is_empty());
}

#[tokio::test]
async fn where_each_has_its_turn_the_newer_one_waits_for_the_older() {
    let (world, task, work) = set(3, Waiting::InOrder);
    assert_eq!(ask(&world, &task, 1, Waiting::InOrder).await, Locking::Held);
    wake(&world, &task, &work).await;
    assert!(matches!(ask(&world, &task, 2, Waiting::InOrder).await, Locking::HeldBy(_)));
    free(&world, &task, 1).await;
    wake(&world, &task, &work).await;
    assert!(world.cluster.applies().is_empty(), "number 2 has not had its turn");
    assert_eq!(ask(&world, &task, 2, Waiting::InOrder).await, Locking::Held);
    free(&world, &task, 2).await;
    wake(&world, &task, &work).await;
    assert!(verdict(&world, &task).starts_with("Passed"), "{}", verdict(&world, &task));
}

#[tokio::test]
async fn whoever_frees_the_environment_wakes_who_waits_for_it() {
    let (world, task, work) = set(1, Waiting::Newest);
    let own = Ticket { number: 1, round: 0 };
    let (repository, environment) = (&task.run.repository, name("development"));
    let held = world.store.lock(repository, &environment, &task.run, own, Waiting::Newest).await;
    assert_eq!(held.expect("memory answers"), Locking::Held);
    assert!(matches!(ask(&world, &task, 2, Waiting::Newest).await, Locking::HeldBy(_)));
    let run = RunId { sha: a_sha(102), ..task.run.clone() };
    let waits = Some("the rollout before it".to_owned());
    let waiting = Task { run: run.clone(), waits, ..task.clone() };
    world.store.put(&Run { id: run.clone(), ..a_run_at(PhaseKind::Rollout) }, &[waiting]);

    world.cluster.decide("service-1", Fate::Refused { because: "no".to_owned() });
    wake(&world, &task, &work).await;
    assert!(verdict(&world, &task).starts_with("Failed"), "{}", verdict(&world, &task));
    let woken = world.queue.waiting(QueueName::Stage(Stage::Deploy));
    let is_its = |body: &&String| body.contains(&run.to_string());
    assert_eq!(woken.iter().filter(is_its).count(), 1, "{woken:?}");
}

/// However far an invocation comes before its time is over, the next one goes on there.
#[tokio::test]
async fn what_an_invocation_has_no_time_for_is_left_to_the_next() {
    let mut partly = 0;
    for polls in 1.. {
        let (world, task, work) = set(1, Waiting::Newest);
        world.wire.interleave();
        let mut slow = Box::pin(wake(&world, &task, &work));
        let mut context = Context::from_waker(Waker::noop());
        if (0..polls).any(|_| slow.as_mut().poll(&mut context).is_ready()) {
            break;
        }
        world.clock.advance(Duration::from_mins(1));
        slow.await;
        let state = stored(&world, &task).state;
        if let State::Running { handle, .. } = &state {
            partly += 1;
            assert!(handle.contains("applied"), "{handle}");
            assert_eq!(world.cluster.applies().len(), 1, "asleep at call {polls}");
            wake(&world, &task, &work).await;
        }
        assert!(verdict(&world, &task).starts_with("Passed"), "asleep at call {polls}: {state:?}");
        assert_eq!(world.cluster.applies().len(), 2, "asleep at call {polls}");
    }
    assert!(partly > 0, "each invocation had time for everything");
}
