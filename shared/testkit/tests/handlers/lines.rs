//! The newest commit of a line, and who waits for which run.

use domain::ids::{Line, RunId};
use domain::message::{Gone, Message, PlanRequest, QueueName};
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{State, Task, Verdict};
use testkit::builders::{OPERATOR_FILE, a_commit, a_plan, a_request, a_sha, name, recorded};
use testkit::fakes::World;

use crate::plan::{plan, planner};

fn world() -> World {
    let world = World::new();
    for number in 1..=2 {
        world.github.push("feature", &a_sha(number), a_commit(&a_plan(1)));
    }
    world
}

/// The push of a commit to the branch, on top of the one before.
fn push(branch: &str, number: u64) -> PlanRequest {
    let before = (number > 1).then(|| a_sha(number - 1));
    PlanRequest { branch: branch.to_owned(), before, ..a_request(number) }
}

fn head(world: &World, number: u64) -> Run {
    let run: RunId = name(&format!("vive-sphere.bot-manager.{}", a_sha(number)));
    world.store.heads().into_iter().find(|head| head.id == run).expect("the run is there")
}

fn is_being_cancelled(world: &World, number: u64) -> Option<String> {
    head(world, number).stop.map(|stop| stop.why)
}

#[tokio::test]
async fn a_newer_commit_cancels_the_older_run_and_wakes_its_tasks() {
    let world = world();
    plan(&world, &push("feature", 1)).await;
    let woken = world.queue.len();
    plan(&world, &push("feature", 2)).await;
    assert_eq!(is_being_cancelled(&world, 1).as_deref(), Some("a newer commit, 0a00002, was pushed"));
    assert_eq!(is_being_cancelled(&world, 2), None);
    let of_first = |body: &&String| body.contains(a_sha(1).as_str());
    let tests = world.queue.waiting(domain::message::QueueName::Stage(domain::ids::Stage::Test));
    assert_eq!(tests.iter().filter(of_first).count(), 6, "three tests, woken to begin and to end; {woken}");
    let front = world.store.front_of(&name("vive-sphere/bot-manager"), &name("branch:feature"));
    assert_eq!(front.map(|front| front.run.sha), Some(a_sha(2)));
}

#[tokio::test]
async fn an_older_event_that_comes_late_cancels_itself() {
    let world = world();
    plan(&world, &push("feature", 2)).await;
    plan(&world, &push("feature", 1)).await;
    assert_eq!(is_being_cancelled(&world, 1).as_deref(), Some("a newer commit was there before it"));
    assert_eq!(is_being_cancelled(&world, 2), None);
    let front = world.store.front_of(&name("vive-sphere/bot-manager"), &name("branch:feature"));
    assert_eq!(front.map(|front| front.run.sha), Some(a_sha(2)));
}

#[tokio::test]
async fn where_events_do_not_tell_github_does() {
    let world = world();
    // A force push tells another commit before, or none.
    plan(&world, &PlanRequest { before: None, ..push("feature", 2) }).await;
    plan(&world, &PlanRequest { before: Some(a_sha(9)), ..push("feature", 1) }).await;
    assert!(is_being_cancelled(&world, 1).is_some(), "GitHub says that commit 2 is the branch's tip");
    assert_eq!(is_being_cancelled(&world, 2), None);
}

#[tokio::test]
async fn a_delivering_branch_lets_older_runs_finish() {
    let world = World::new();
    for number in 1..=2 {
        world.github.push("develop", &a_sha(number), a_commit(&a_plan(1)));
        plan(&world, &push("develop", number)).await;
    }
    assert_eq!((is_being_cancelled(&world, 1), is_being_cancelled(&world, 2)), (None, None));
}

#[tokio::test]
async fn a_run_lives_as_long_as_somebody_claims_it() {
    let world = world();
    plan(&world, &push("feature", 1)).await;
    plan(&world, &PlanRequest { delivery: name("other"), branch: "copy".to_owned(), ..push("feature", 1) })
        .await;
    assert_eq!(head(&world, 1).claims, [name::<Line>("branch:feature"), name("branch:copy")]);
    plan(&world, &push("feature", 2)).await;
    assert_eq!(is_being_cancelled(&world, 1), None, "the other branch still waits for it");

    let gone = Gone {
        delivery: name("deleted"),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        line: name("branch:copy"),
        why: "the branch `copy` was deleted".to_owned(),
    };
    recorded(&world, &gone.delivery);
    let body = serde_json::to_string(&Message::Gone(gone)).expect("plain data");
    for _ in 0..2 {
        planner(&world).handle(&body, world.clock.now()).await;
    }
    assert_eq!(is_being_cancelled(&world, 1).as_deref(), Some("the branch `copy` was deleted"));
}

/// The run of commit 1 as it ends when commit 2 comes: with tasks that were cancelled, or before it had any.
async fn cancelled(world: &World, has_tasks: bool) {
    plan(world, &push("feature", 1)).await;
    plan(world, &push("feature", 2)).await;
    let (mut head, mut ended) = (head(world, 1), Vec::new());
    if has_tasks {
        for task in world.store.tasks_of(&head.id) {
            let verdict = Verdict::cancelled("cancelled");
            head = head.concluded(&task, &verdict, world.clock.now()).unwrap_or(head);
            ended.push(Task { state: State::Done { verdict }, ..task });
        }
        head = head.opened(world.clock.now());
    } else {
        let why = RunOutcome::Cancelled("a newer commit".to_owned());
        head = Run { id: head.id, phases: Vec::new(), state: RunState::Finished(why), ..head };
        world.store.forget_tasks(&head.id);
    }
    assert!(matches!(head.state, RunState::Finished(RunOutcome::Cancelled(_))), "{:?}", head.state);
    world.store.put(&head, &ended);
}

fn back() -> PlanRequest {
    PlanRequest { delivery: name("back"), before: Some(a_sha(2)), forced: true, ..push("feature", 1) }
}

#[tokio::test]
async fn a_branch_that_goes_back_has_its_cancelled_tests_run_again() {
    let world = world();
    cancelled(&world, true).await;
    world.github.move_branch("feature", &a_sha(1));
    for _ in 0..2 {
        plan(&world, &back()).await;
    }
    let head = head(&world, 1);
    assert_eq!((&head.state, &head.stop), (&RunState::Active, &None));
    assert_eq!(head.claims, [name::<Line>("branch:feature")]);
    let tasks = world.store.tasks_of(&head.id);
    assert!(tasks.iter().all(|task| task.attempt == 2 && task.state == State::Pending), "{tasks:?}");
    assert!(is_being_cancelled(&world, 2).is_some(), "nobody waits for commit 2 any more");
}

#[tokio::test]
async fn a_branch_that_goes_back_has_a_run_without_tasks_planned_again() {
    let world = world();
    cancelled(&world, false).await;
    world.github.move_branch("feature", &a_sha(1));
    plan(&world, &back()).await;
    assert_eq!(head(&world, 1).state, RunState::Planning);
    let messages = world.queue.waiting(QueueName::Plan);
    assert!(messages.iter().any(|body| body.contains(a_sha(1).as_str())), "{messages:?}");
}

#[tokio::test]
async fn a_tag_is_tested_and_delivered_nowhere() {
    let world = World::new();
    // A tag of the same name as a delivering branch.
    assert!(OPERATOR_FILE.contains("branches: [develop]"));
    world.github.push("develop", &a_sha(1), a_commit(&a_plan(1)));
    plan(&world, &PlanRequest { tag: true, ..push("develop", 1) }).await;
    let head = head(&world, 1);
    assert_eq!((head.delivery, head.state), (None, RunState::Active));
    assert_eq!(head.claims, [name::<Line>("tag:develop")]);
}
