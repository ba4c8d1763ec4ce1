//! plan.

use domain::ids::Stage;
use domain::message::{Message, PlanRequest, QueueName};
use domain::ports::{Deliveries as _, Delivery, DeliveryState};
use domain::run::{Run, RunOutcome, RunState};
use lambda::Disposition;
use slipway_plan::Planner;
use testkit::builders::{a_commit, a_plan, a_request, a_sha, a_zip, name};
use testkit::fakes::{MemoryArtifacts, MemoryGitHub, MemoryQueue, MemoryStore, Trouble, World};

/// The function.
pub fn planner(world: &World) -> Planner<MemoryStore, MemoryQueue, MemoryArtifacts, MemoryGitHub> {
    Planner {
        store: world.store.clone(),
        queue: world.queue.clone(),
        artifacts: world.artifacts.clone(),
        source: world.github.clone(),
        build_image: "standard:5.0".to_owned(),
    }
}

pub async fn plan(world: &World, request: &PlanRequest) -> Disposition {
    let delivery = Delivery {
        id: request.delivery.clone(),
        event: "push".to_owned(),
        body: String::new(),
        received: world.clock.now(),
        state: DeliveryState::Enqueued,
    };
    world.store.record(&delivery).await.expect("memory answers");
    let body = serde_json::to_string(&Message::Plan(request.clone())).expect("plain data");
    planner(world).handle(&body, world.clock.now()).await
}

fn head(world: &World, request: &PlanRequest) -> Run {
    let wanted = |head: &Run| head.id.sha == request.sha;
    world.store.heads().into_iter().find(wanted).expect("plan has written a run")
}

#[tokio::test]
async fn a_repository_that_nobody_serves_is_only_recorded() {
    let world = World::new();
    let request = PlanRequest { repository: name("stranger/thing"), ..a_request(1) };
    assert_eq!(plan(&world, &request).await, Disposition::Acknowledge);
    let delivery = world.store.delivery(&request.delivery).expect("recorded");
    let DeliveryState::Ignored(reason) = delivery.state else { panic!("{:?}", delivery.state) };
    insta::assert_snapshot!(reason, @"repository `stranger/thing` is not in the operator's file");
    assert!(world.store.heads().is_empty() && world.queue.is_empty());
}

#[tokio::test]
async fn a_fork_waits_for_a_person() {
    let world = World::new();
    let request = PlanRequest { fork: Some(name("mallory/bot-manager")), ..a_request(1) };
    assert_eq!(plan(&world, &request).await, Disposition::Acknowledge);
    let RunState::Finished(RunOutcome::ActionRequired(sentence)) = head(&world, &request).state else {
        panic!("it must not run");
    };
    insta::assert_snapshot!(sentence, @"This commit comes from `mallory/bot-manager`, outside the repository. Nothing of it runs until somebody with write access who has read it admits exactly this commit: comment `/ok-to-test 0a00001000000000000000000000000000000001` on the pull request.");
    assert_eq!(world.queue.len(), world.queue.waiting(QueueName::Notify).len(), "only notify is woken");
    assert_eq!(world.wire.count("source.download"), 0, "a stranger's source is not even read");
}

#[tokio::test]
async fn a_broken_pipeline_file_is_a_failed_run_with_its_line() {
    let world = World::new();
    let file = "version: 1\nservices:\n  authentication: {imagge: x}\n";
    world.github.push("develop", &a_sha(1), a_zip(&[("top/infrastructure/ci_cd/pipeline.yaml", file)]));
    let request = a_request(1);
    assert_eq!(plan(&world, &request).await, Disposition::Acknowledge);
    let RunState::Finished(RunOutcome::Invalid(problems)) = head(&world, &request).state else {
        panic!("it must not run");
    };
    assert_eq!(problems[0].path, "infrastructure/ci_cd/pipeline.yaml");
    assert_eq!((problems[0].line, problems[0].column), (Some(3), Some(20)));
    assert!(problems[0].message.contains("did you mean `image`?"), "{}", problems[0].message);
}

#[tokio::test]
async fn a_commit_with_nothing_to_run_is_told_so() {
    let world = World::new();
    world.github.push("develop", &a_sha(1), a_zip(&[("top/README.md", "")]));
    let request = a_request(1);
    assert_eq!(plan(&world, &request).await, Disposition::Acknowledge);
    let RunState::Finished(RunOutcome::Invalid(problems)) = head(&world, &request).state else {
        panic!("there is nothing to run");
    };
    insta::assert_snapshot!(problems[0].message, @"there is nothing to run: no `backend/<service>/Dockerfile`, no `integration_tests/`; name the services in `infrastructure/ci_cd/pipeline.yaml`");
}

#[tokio::test]
async fn an_older_commit_is_tested_and_not_delivered() {
    let world = World::new();
    for number in [1, 2] {
        world.github.push("develop", &a_sha(number), a_commit(&a_plan(1)));
    }
    assert_eq!(plan(&world, &a_request(2)).await, Disposition::Acknowledge);
    assert_eq!(plan(&world, &a_request(1)).await, Disposition::Acknowledge);
    assert_eq!(head(&world, &a_request(2)).delivery.map(|delivery| delivery.fence), Some(1));
    let older = head(&world, &a_request(1));
    assert_eq!(older.delivery, None);
    insta::assert_snapshot!(older.notes.last().expect("a note"), @"Not delivered to `development`: it is older than commit `0a00002`, which was planned there.");
}

#[tokio::test]
async fn a_plan_that_failed_anywhere_ends_the_same_on_redelivery() {
    let good = World::new();
    good.github.push("develop", &a_sha(1), a_commit(&a_plan(2)));
    plan(&good, &a_request(1)).await;
    let calls = good.wire.calls().len();
    for number in 1..calls {
        for trouble in [Trouble::FailBefore, Trouble::FailAfter] {
            let world = World::new();
            world.github.push("develop", &a_sha(1), a_commit(&a_plan(2)));
            world.wire.trouble_at(number, trouble);
            assert!(
                matches!(plan(&world, &a_request(1)).await, Disposition::GiveBack { .. }),
                "call {number}"
            );
            assert_eq!(plan(&world, &a_request(1)).await, Disposition::Acknowledge, "call {number}");
            let (head, expected) = (head(&world, &a_request(1)), head(&good, &a_request(1)));
            assert_eq!(
                (head.state, head.phases, head.delivery),
                (expected.state, expected.phases, expected.delivery)
            );
            assert_eq!(world.store.tasks_of(&head.id), good.store.tasks_of(&expected.id));
            assert!(world.queue.waiting(QueueName::Stage(Stage::Test)).len() >= 4, "every test is woken");
        }
    }
}

#[tokio::test]
async fn tasks_of_a_delivery_that_was_overtaken_while_planning_never_begin() {
    let world = World::new();
    for number in [1, 2] {
        world.github.push("develop", &a_sha(number), a_commit(&a_plan(1)));
    }
    // Commit 1 has drawn its number and written its tasks when its plan fails; commit 2 comes in between.
    world.wire.trouble_next("store.create_tasks", Trouble::FailAfter);
    assert!(matches!(plan(&world, &a_request(1)).await, Disposition::GiveBack { .. }));
    assert_eq!(plan(&world, &a_request(2)).await, Disposition::Acknowledge);
    assert_eq!(plan(&world, &a_request(1)).await, Disposition::Acknowledge);
    let mut head = head(&world, &a_request(1));
    assert_eq!(head.delivery, None);
    assert!(world.store.tasks_of(&head.id).iter().any(|task| task.id.stage == Stage::Build), "left over");
    for phase in &mut head.phases {
        phase.passed = phase.total;
    }
    assert!(!head.is_open(domain::run::PhaseKind::Image), "nothing is built for it");
}
