//! A person's request to run a task again: what becomes of its message, and what the timeline keeps.

use std::time::Duration;

use domain::ids::{RunId, Stage, TaskId, Trust};
use domain::message::{Message, QueueName};
use domain::policy::Waiting;
use domain::ports::{Environments as _, Release};
use domain::run::{Phase, PhaseKind, Run, RunOutcome, RunState, Ticket};
use domain::task::{Outcome, Output, State, Task, Verdict};
use lambda::{SqsEvent, StageFunction, StageWork, each_stage_message};
use serde_json::{Value, json};
use slipway_deploy::Deployment;
use testkit::builders::{a_digest, a_run, a_service, a_task, delivered_to, name};
use testkit::fakes::World;

use crate::tests_of;

const OPERATOR: &str = "AIDAOPERATOR";

/// A run of `authentication` that has passed; from it the tests change single tasks.
fn passed_run() -> (World, Run, Vec<Task>) {
    let phase = |kind| Phase { kind, total: 1, passed: 1, failed: 0 };
    let head = Run {
        state: RunState::Finished(RunOutcome::Passed),
        phases: [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout].map(phase).to_vec(),
        due: None,
        ..delivered_to(&a_run(), 1)
    };
    let service = a_service("authentication");
    let tasks = [
        "test/authentication",
        "build/authentication",
        "publish/authentication",
        "deploy/authentication@development",
        "verify/authentication@development",
    ]
    .map(|id| Task { state: done(Outcome::Passed), ..a_task(&head, id, &service) })
    .to_vec();
    (World::new(), head, tasks)
}

fn done(outcome: Outcome) -> State {
    let verdict = match outcome {
        Outcome::Passed => Verdict::passed("fine", Output::None),
        Outcome::Failed => Verdict::failed("1 test failed", Output::None),
        Outcome::Superseded => Verdict::superseded("overtaken"),
        Outcome::Cancelled => Verdict::cancelled("cancelled"),
    };
    State::Done { verdict }
}

/// Failed, with a release to go back to.
fn back(head: &Run) -> State {
    let release = Release {
        service: name("authentication"),
        run: head.id.clone(),
        fence: 0,
        turn: 2,
        image: None,
        manifests: "0".repeat(64),
        objects: Vec::new(),
        leftovers: Vec::new(),
        at: head.created,
    };
    State::Done { verdict: Verdict::failed("no", Output::None).rolling_back(Some(release)) }
}

fn asked(run: &RunId, task: &str, more: &Value) -> String {
    let mut body = json!({ "kind": "rerun", "run": run, "task": task });
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    body.to_string()
}

/// One delivery of one message, as Lambda hands it over.
async fn deliver(world: &World, stage: Stage, body: &str, id: &str, work: &impl StageWork) -> Value {
    world.queue.put(QueueName::Stage(stage), body, Duration::ZERO);
    let record = json!({
        "messageId": id, "receiptHandle": "0", "body": body, "attributes": { "SenderId": OPERATOR },
    });
    let event: SqsEvent = serde_json::from_value(json!({ "Records": [record] })).expect("an event");
    let (store, queue) = (&world.store, &world.queue);
    let response = each_stage_message(event, queue, stage, async |message| {
        StageFunction::new(store, queue, queue, work).attend(&message, || world.clock.now()).await
    });
    serde_json::to_value(response.await).expect("plain data")
}

/// The timeline as `slipway timeline` orders it: key, who, what.
fn timeline(world: &World, run: &RunId) -> Vec<String> {
    let entries = world.store.entries(run);
    entries.iter().map(|entry| format!("{} by {}: {}", entry.key, entry.by, entry.what)).collect()
}

fn attempt(world: &World, run: &RunId, id: &TaskId) -> (u32, u64) {
    let task = world.store.tasks_of(run).into_iter().find(|task| task.id == *id).expect("the task is there");
    (task.attempt, task.version)
}

/// One way to be refused: how the run differs from one that has passed, and what is asked.
struct Case {
    task: &'static str,
    cascade: bool,
    differs: fn(&mut Run, &mut Vec<Task>),
}

fn set(tasks: &mut [Task], id: &str, state: State) {
    let task = tasks.iter_mut().find(|task| task.id == name(id)).expect("a task of the run");
    task.state = state;
}

/// One for each refusal, and a fork's run.
fn cases() -> [Case; 9] {
    const DEPLOY: &str = "deploy/authentication@development";
    const VERIFY: &str = "verify/authentication@development";
    [
        Case { task: "test/authentcation", cascade: false, differs: |_, _| {} },
        Case {
            task: "test/authentication",
            cascade: false,
            differs: |head, tasks| {
                let since = head.created;
                set(tasks, "test/authentication", State::Running { handle: "build:1".to_owned(), since });
            },
        },
        Case {
            task: "build/authentication",
            cascade: false,
            differs: |head, tasks| {
                head.phases[0] = Phase { kind: PhaseKind::Test, total: 1, passed: 0, failed: 1 };
                set(tasks, "test/authentication", done(Outcome::Failed));
                tasks[1..].iter_mut().for_each(|task| task.state = State::Pending);
            },
        },
        Case {
            task: DEPLOY,
            cascade: false,
            differs: |head, _| {
                head.state = RunState::Active;
                head.phases[2] = Phase { kind: PhaseKind::Rollout, total: 2, passed: 1, failed: 0 };
            },
        },
        Case {
            task: "publish/authentication",
            cascade: true,
            differs: |head, _| head.reruns = vec![name("test/authentication")],
        },
        Case {
            task: DEPLOY,
            cascade: false,
            differs: |_, tasks| {
                let publish = &mut tasks[2];
                (publish.standing, publish.state) = (Some(Outcome::Passed), done(Outcome::Failed));
            },
        },
        Case {
            task: VERIFY,
            cascade: false,
            differs: |head, tasks| {
                head.phases[2] = Phase { kind: PhaseKind::Rollout, total: 1, passed: 0, failed: 1 };
                let state = back(head);
                set(tasks, VERIFY, state);
                for id in [
                    "deploy/authentication+rollback@development",
                    "verify/authentication+rollback@development",
                ] {
                    let task = a_task(head, id, &a_service("authentication"));
                    tasks.push(Task { state: done(Outcome::Passed), ..task });
                }
            },
        },
        Case {
            task: "deploy/authentication+rollback@development",
            cascade: false,
            differs: |head, tasks| {
                let task =
                    a_task(head, "deploy/authentication+rollback@development", &a_service("authentication"));
                tasks.push(Task { state: done(Outcome::Passed), ..task });
            },
        },
        // A fork's run has no tasks: whatever is asked, nothing of its code runs.
        Case {
            task: "test/authentication",
            cascade: false,
            differs: |head, tasks| {
                head.id.trust = Trust::Untrusted;
                tasks.clear();
            },
        },
    ]
}

#[tokio::test]
async fn every_refusal_tells_its_reason_among_the_dead_letters_and_in_the_timeline() {
    let mut told = Vec::new();
    for case in &cases() {
        let (world, mut head, mut tasks) = passed_run();
        (case.differs)(&mut head, &mut tasks);
        world.store.put(&head, &tasks);
        let body = asked(&head.id, case.task, &json!({ "request": "fix-1", "cascade": case.cascade }));
        let stage = case.task.parse::<TaskId>().expect("a task").stage;
        let answer = deliver(&world, stage, &body, "message-1", &tests_of(&world)).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "it comes no more");
        let dead = world.queue.dead();
        assert_eq!(dead.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), [body.as_str()]);
        let reason = dead[0].reason.clone().unwrap_or_default();
        assert_eq!(
            timeline(&world, &head.id),
            [format!("refused-fix-1 by {OPERATOR}: a re-run was refused: {reason}")]
        );
        assert_eq!(world.store.tasks_of(&head.id).len(), tasks.len());
        for task in &tasks {
            assert_eq!(
                attempt(&world, &head.id, &task.id),
                (task.attempt, task.version),
                "{} moved",
                task.id
            );
        }
        told.push(format!("{}: {reason}", case.task));
    }
    insta::assert_snapshot!(told.join("\n").replace(&a_run().id.to_string(), "RUN"), @r"
    test/authentcation: run `RUN` has no task `test/authentcation`; did you mean `test/authentication`? its tasks: `test/authentication`, `build/authentication`, `publish/authentication`, `deploy/authentication@development`, `verify/authentication@development`
    test/authentication: `test/authentication` is under way; ask again when it has ended
    build/authentication: `build/authentication` has not begun; re-run the task before it that has not passed
    deploy/authentication@development: the run is under way; `deploy/authentication@development` has passed in it and can be run again once the run has ended
    publish/authentication: `test/authentication` is being run again at this moment; ask again when it has ended (where it is stuck: redrive its dead letter, or run it again first)
    deploy/authentication@development: `publish/authentication`, whose result it takes, did not pass the last time; re-run `publish/authentication` first
    verify/authentication@development: the service went back to its last verified release; re-run `deploy/authentication@development` instead
    deploy/authentication+rollback@development: a way back is not run again; re-run `deploy/authentication@development`, or redrive its dead letter where it is stuck
    test/authentication: run `RUN.untrusted` has no task `test/authentication`; its tasks: none, so that nothing of it can be run again
    ");
}

#[tokio::test]
async fn a_run_that_is_not_there_is_told_the_form_of_its_name() {
    let world = World::new();
    let run = a_run().id;
    deliver(&world, Stage::Test, &asked(&run, "test/a", &json!({})), "message-1", &tests_of(&world)).await;
    let reason = world.queue.dead().pop().and_then(|letter| letter.reason).unwrap_or_default();
    assert_eq!(reason, format!("there is no run `{run}`; its id is `<owner>.<repository>.<sha>`"));
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_its_answer_is_in_the_timeline() {
    let (world, head, tasks) = passed_run();
    world.store.put(&head, &tasks);
    let task: TaskId = name("test/authentication");
    let dry = asked(&head.id, "test/authentication", &json!({ "dry_run": true, "request": "fix-1" }));
    for _ in 0..2 {
        deliver(&world, Stage::Test, &dry, "message-1", &tests_of(&world)).await;
    }
    assert_eq!((world.store.heads(), world.store.tasks_of(&head.id)), (vec![head.clone()], sorted(&tasks)));
    assert_eq!((world.tests.all().len(), world.queue.dead()), (0, vec![]));
    insta::assert_snapshot!(timeline(&world, &head.id).join("\n"), @"dry-run-fix-1-test/authentication by AIDAOPERATOR: a dry run says: attempt 2 of `test/authentication` runs alone: it had passed, and nothing that follows runs again; attempt 1 ended so: fine");

    // The same request in earnest is not taken for the dry run's second delivery.
    let earnest = asked(&head.id, "test/authentication", &json!({ "request": "fix-1" }));
    deliver(&world, Stage::Test, &earnest, "message-2", &tests_of(&world)).await;
    assert_eq!(attempt(&world, &head.id, &task).0, 2);
    assert_eq!((world.tests.running().len(), timeline(&world, &head.id).len()), (1, 2));
}

fn sorted(tasks: &[Task]) -> Vec<Task> {
    let mut tasks = tasks.to_vec();
    tasks.sort_by(|one, other| one.id.cmp(&other.id));
    tasks
}

/// Who asked, and under which name: (first request, second request, attempts that they come to).
#[tokio::test]
async fn the_same_request_opens_one_attempt() {
    let named = |request: &str| json!({ "request": request });
    for (first, second, attempts, keys) in [
        (
            (named("fix-1"), "message-1"),
            (named("fix-1"), "message-2"),
            2,
            vec!["rerun-fix-1-test/authentication"],
        ),
        ((json!({}), "message-1"), (json!({}), "message-1"), 2, vec!["rerun-message-1-test/authentication"]),
        (
            (json!({}), "message-1"),
            (json!({}), "message-2"),
            2,
            vec!["refused-message-2", "rerun-message-1-test/authentication"],
        ),
    ] {
        let (world, mut head, mut tasks) = passed_run();
        head.state = RunState::Finished(RunOutcome::Failed);
        head.phases[0] = Phase { kind: PhaseKind::Test, total: 1, passed: 0, failed: 1 };
        set(&mut tasks, "test/authentication", done(Outcome::Failed));
        world.store.put(&head, &tasks);
        for (more, id) in [&first, &second] {
            let body = asked(&head.id, "test/authentication", more);
            deliver(&world, Stage::Test, &body, id, &tests_of(&world)).await;
        }
        assert_eq!(attempt(&world, &head.id, &name("test/authentication")).0, attempts);
        assert_eq!(world.tests.all().len(), 1, "one build, of the second attempt");
        let entries = world.store.entries(&head.id);
        assert!(entries.iter().all(|entry| entry.by == OPERATOR));
        let mut found: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, keys);
    }
}

#[tokio::test]
async fn a_deploy_that_was_overtaken_meanwhile_ends_superseded_and_applies_nothing() {
    let (world, mut head, mut tasks) = passed_run();
    head.state = RunState::Finished(RunOutcome::Failed);
    head.phases[2] = Phase { kind: PhaseKind::Rollout, total: 1, passed: 0, failed: 1 };
    let image = domain::task::PinnedImage {
        repository: "registry.example/vive-sphere/authentication".to_owned(),
        digest: a_digest(7),
    };
    let published = Verdict::passed("", Output::Image { image, log: None });
    set(&mut tasks, "publish/authentication", State::Done { verdict: published });
    set(&mut tasks, "deploy/authentication@development", done(Outcome::Failed));
    set(&mut tasks, "verify/authentication@development", State::Pending);
    world.store.put(&head, &tasks);
    let newer = Run::new(&testkit::builders::a_request(2), world.clock.now()).id;
    let (repository, environment) = (&head.id.repository, name("development"));
    let ticket = Ticket { number: 2, round: 0 };
    world
        .store
        .lock(repository, &environment, &newer, ticket, Waiting::Newest)
        .await
        .expect("memory answers");
    world.store.unlock(repository, &environment, &newer, ticket).await.expect("memory answers");

    let work = Deployment {
        store: world.store.clone(),
        artifacts: world.artifacts.clone(),
        cluster: world.cluster.clone(),
    };
    let body = asked(&head.id, "deploy/authentication@development", &json!({}));
    deliver(&world, Stage::Deploy, &body, "message-1", &work).await;

    let deploy: TaskId = name("deploy/authentication@development");
    let task = world.store.tasks_of(&head.id).into_iter().find(|task| task.id == deploy).expect("the deploy");
    assert_eq!(task.attempt, 2);
    assert_eq!(task.verdict().map(|verdict| verdict.outcome), Some(Outcome::Superseded));
    let ended = world.store.heads().into_iter().find(|run| run.id == head.id).expect("the head");
    assert_eq!(ended.state, RunState::Finished(RunOutcome::Superseded));
    assert!(world.cluster.applies().is_empty(), "a newer release is there");
    assert_eq!(world.store.lock_holders(), []);
}

/// Its last wake was lost when it had only to be written as done: the run has ended, and people may begin it anew.
#[tokio::test]
async fn a_task_that_missed_its_last_write_can_be_run_again() {
    let (world, head, mut tasks) = passed_run();
    let verdict = Verdict::passed("fine", Output::None);
    set(&mut tasks, "test/authentication", State::PassingOn { verdict });
    world.store.put(&head, &tasks);
    let body = asked(&head.id, "test/authentication", &json!({}));
    deliver(&world, Stage::Test, &body, "message-1", &tests_of(&world)).await;
    assert_eq!(attempt(&world, &head.id, &name("test/authentication")).0, 2);
    assert_eq!(world.tests.running().len(), 1);
}

/// A person re-runs a deploy at the moment at which another one revives the verify that was stuck behind it.
#[tokio::test]
async fn a_revival_that_meets_a_re_run_begins_nothing_too_early() {
    let (world, mut head, mut tasks) = passed_run();
    head.state = RunState::Active;
    head.phases[2] = Phase { kind: PhaseKind::Rollout, total: 1, passed: 0, failed: 0 };
    let stuck = State::Stuck { reason: "no answer".to_owned(), told: true };
    set(&mut tasks, "verify/authentication@development", stuck);
    world.store.put(&head, &tasks);
    let verify: TaskId = name("verify/authentication@development");
    let revive = json!({ "kind": "revive", "run": head.id, "task": verify, "version": 1 }).to_string();
    let work = slipway_verify::Verification { store: world.store.clone(), cluster: world.cluster.clone() };

    // The revival has read everything and is about to write when the re-run is carried out.
    world.wire.interleave();
    let mut reviving = Box::pin(deliver(&world, Stage::Verify, &revive, "message-1", &work));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while world.wire.count("store.case") < 1 {
        assert!(reviving.as_mut().poll(&mut context).is_pending(), "it ended without having read the tasks");
    }
    let anew = json!({ "kind": "rerun", "run": head.id, "task": "deploy/authentication@development" });
    let asked = serde_json::from_value(anew).expect("a request");
    let Message::Rerun(asked) = asked else { panic!("it is a re-run") };
    let reopening = domain::rerun::decide(&head, &tasks, &asked, world.clock.now()).expect("it may run");
    world.store.put(&reopening.head, &reopening.tasks);
    reviving.await;

    let task = world.store.tasks_of(&head.id).into_iter().find(|task| task.id == verify).expect("the verify");
    assert_eq!((task.attempt, task.state), (2, State::Pending), "its deploy has not run");
}
