//! webhook.

use std::path::Path;
use std::time::Duration;

use domain::command::{Checked, checked_by};
use domain::message::QueueName;
use domain::ports::DeliveryState;
use domain::run::PhaseKind;
use domain::spec::ChecksSpec;
use domain::task::{Task, TaskSpec};
use lambda::Disposition;
use serde_json::{Value, json};
use slipway_webhook::{Request, Webhook};
use testkit::builders::{a_push, a_sha, a_webhook, name};
use testkit::fakes::{Trouble, WEBHOOK_SECRET, World};

use crate::a_run_at;
use crate::notify::notify;

/// The answer's status and body.
pub async fn post(world: &World, request: &Value) -> String {
    let webhook = Webhook {
        deliveries: world.store.clone(),
        queue: world.queue.clone(),
        secrets: world.secrets.clone(),
        secret_id: WEBHOOK_SECRET.to_owned(),
    };
    let request: Request = serde_json::from_value(request.clone()).expect("a request");
    let response = webhook.handle(&request, world.clock.now()).await;
    format!("{} {}", response.status_code, response.body)
}

fn waiting(world: &World) -> usize {
    world.queue.waiting(QueueName::Plan).len()
}

#[tokio::test]
async fn a_push_is_recorded_and_sent_to_plan_once() {
    let world = World::new();
    let push = a_push("develop", None, &a_sha(1));
    insta::assert_snapshot!(post(&world, &push).await, @r#"202 {"message":"planned"}"#);
    insta::assert_snapshot!(post(&world, &push).await, @r#"202 {"message":"this delivery was taken before"}"#);
    assert_eq!(waiting(&world), 1);
    insta::assert_snapshot!(world.queue.waiting(QueueName::Plan)[0], @r#"{"kind":"plan","delivery":"delivery-develop-0a00001","repository":"vive-sphere/bot-manager","installation":1,"sha":"0a00001000000000000000000000000000000001","before":null,"branch":"develop","fork":null,"pull_request":null,"sender":"ada","title":"Change 0a00001"}"#);
}

/// The fixtures are also the payloads for SAM local.
#[tokio::test]
async fn the_events_of_the_repository_are_taken() {
    let world = World::new();
    world.secrets.keep(WEBHOOK_SECRET, "slipway-local-webhook-secret");
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events"));
    let mut names: Vec<_> =
        folder.read_dir().expect("the checkout has events").flatten().map(|entry| entry.path()).collect();
    names.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("github-")));
    names.sort();
    let mut answers = Vec::new();
    for path in &names {
        let event = std::fs::read_to_string(path).expect("an event");
        let answer = post(&world, &serde_json::from_str(&event).expect("JSON")).await;
        answers.push(format!("{}: {answer}", path.file_stem().unwrap_or_default().to_string_lossy()));
    }
    insta::assert_snapshot!(answers.join("\n"), @"");
    assert_eq!(world.store.delivery_count(), names.len());
    insta::assert_snapshot!(world.queue.waiting(QueueName::Plan).join("\n"), @"");
}

#[tokio::test]
async fn what_is_not_signed_leaves_nothing() {
    let world = World::new();
    for signature in [None, Some("sha256=00"), Some("")] {
        let mut push = a_push("develop", None, &a_sha(1));
        push["headers"]["x-hub-signature-256"] = json!(signature.unwrap_or_default());
        let answer = post(&world, &push).await;
        let expected = r#"401 {"message":"the signature in `X-Hub-Signature-256` is missing or does not match the body"}"#;
        assert_eq!(answer, expected);
    }
    assert_eq!((world.store.delivery_count(), waiting(&world)), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let world = World::new();
    let answer = post(&world, &a_webhook("push", "delivery-1", "no JSON")).await;
    assert!(answer.starts_with("400 "), "{answer}");
    let answer = post(&world, &a_webhook("push", "not a delivery id", "{}")).await;
    insta::assert_snapshot!(answer, @r#"400 {"message":"the header `X-GitHub-Delivery` is missing or malformed"}"#);
    assert_eq!(waiting(&world), 0);
}

#[tokio::test]
async fn what_nobody_wants_is_recorded_with_its_reason() {
    let world = World::new();
    let answer = post(&world, &a_webhook("star", "delivery-1", "{\"action\":\"created\"}")).await;
    assert!(answer.starts_with(r#"202 {"message":"ignored: "#), "{answer}");
    let delivery = world.store.delivery(&name("delivery-1")).expect("it is recorded");
    assert!(matches!(delivery.state, DeliveryState::Ignored(_)), "{:?}", delivery.state);
    assert_eq!(waiting(&world), 0);
}

#[tokio::test]
async fn a_delivery_whose_send_failed_is_sent_when_github_redelivers() {
    for trouble in [Trouble::FailBefore, Trouble::FailAfter] {
        let world = World::new();
        let push = a_push("develop", None, &a_sha(1));
        world.wire.trouble_next("queue.send", trouble);
        let answer = post(&world, &push).await;
        let expected =
            r#"503 {"message":"Slipway could not record the delivery; press `Redeliver` on GitHub"}"#;
        assert_eq!(answer, expected);
        assert_eq!(post(&world, &push).await, r#"202 {"message":"planned"}"#);
        // Where the first send went through unheard there are two; plan takes the second for known.
        assert_eq!(waiting(&world), if trouble == Trouble::FailAfter { 2 } else { 1 });
    }
}

/// The body of a request, under another id.
fn under(id: &str, request: &Value) -> Value {
    a_webhook("push", id, request["body"].as_str().expect("a text"))
}

#[tokio::test]
async fn an_id_has_one_body() {
    let world = World::new();
    post(&world, &a_push("develop", None, &a_sha(1))).await;
    let other = under("delivery-develop-0a00001", &a_push("develop", None, &a_sha(2)));
    insta::assert_snapshot!(post(&world, &other).await, @"");
    let ignored = a_webhook("star", "delivery-develop-0a00001", "{\"action\":\"created\"}");
    assert!(post(&world, &ignored).await.starts_with("409 "));
    assert_eq!((world.store.delivery_count(), waiting(&world)), (1, 1));
}

#[tokio::test]
async fn a_body_is_known_under_another_id() {
    let world = World::new();
    let push = a_push("develop", None, &a_sha(1));
    post(&world, &push).await;
    let other = under("delivery-other", &push);
    for _ in 0..2 {
        insta::allow_duplicates! {
            insta::assert_snapshot!(post(&world, &other).await, @"");
        }
    }
    let delivery = world.store.delivery(&name("delivery-other")).expect("it is recorded");
    assert!(matches!(delivery.state, DeliveryState::Ignored(_)), "{:?}", delivery.state);
    assert_eq!(waiting(&world), 1);
}

#[tokio::test]
async fn what_another_delivery_left_undone_is_done_in_its_name() {
    let world = World::new();
    let push = a_push("develop", None, &a_sha(1));
    world.wire.trouble_next("queue.send", Trouble::FailBefore);
    post(&world, &push).await;
    let other = under("delivery-other", &push);
    insta::assert_snapshot!(post(&world, &other).await, @"");
    assert!(world.queue.waiting(QueueName::Plan)[0].contains(r#""delivery":"delivery-develop-0a00001""#));
    insta::assert_snapshot!(post(&world, &push).await, @"");
    insta::assert_snapshot!(post(&world, &other).await, @"");
    assert_eq!((world.store.delivery_count(), waiting(&world)), (2, 1));
}

/// Nothing in the body of a button's event differs from one press to the next.
#[tokio::test]
async fn a_button_can_be_pressed_again_after_a_while() {
    let world = World::new();
    let event: Value =
        serde_json::from_str(include_str!("../../../../events/github-check-run-button.json")).expect("JSON");
    let body = event["body"].as_str().expect("a text");
    let press = async |id: &str| post(&world, &a_webhook("check_run", id, body)).await;
    assert_eq!(press("press-1").await, r#"202 {"message":"asked"}"#);
    world.clock.advance(Duration::from_secs(20));
    assert!(press("press-2").await.contains("came before as `press-1`"));
    world.clock.advance(Duration::from_secs(40));
    assert_eq!(press("press-3").await, r#"202 {"message":"asked"}"#);
    assert_eq!(press("press-3").await, r#"202 {"message":"this delivery was taken before"}"#);
    assert_eq!(waiting(&world), 2);
}

#[tokio::test]
async fn what_is_ignored_costs_one_write_and_what_is_taken_three_calls() {
    let world = World::new();
    let calls = async |request: &Value| {
        let before = world.wire.calls().len();
        post(&world, request).await;
        world.wire.calls()[before..].join(" ")
    };
    let ping = calls(&a_webhook("ping", "delivery-1", "{\"hook_id\":1}")).await;
    assert_eq!(ping, "secrets.secret store.record");
    let push = a_push("develop", None, &a_sha(1));
    assert_eq!(calls(&push).await, "secrets.secret store.receive queue.send store.note");
    assert_eq!(calls(&push).await, "secrets.secret store.receive");
}

/// notify gives the names of checks, and whoever runs one again is understood by its name.
#[tokio::test]
async fn the_checks_that_notify_shows_can_be_run_again() {
    let (world, head) = (World::new(), a_run_at(PhaseKind::Test));
    let spec = || TaskSpec::Checks(ChecksSpec::default());
    let tasks = ["test/authentication", "test/+checks", "test/+integration"]
        .map(|id| Task::new(head.id.clone(), name(id), spec()));
    world.store.put(&head, &tasks);
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    let shown = world.github.check_runs();
    let mut understood: Vec<_> = shown.iter().map(|run| checked_by(&run.check.name)).collect();
    understood.sort_by_key(|check| format!("{check:?}"));
    let expected = tasks.iter().map(|task| Some(Checked::Test(task.id.subject.clone())));
    let mut expected: Vec<_> = expected.chain([Some(Checked::Run)]).collect();
    expected.sort_by_key(|check| format!("{check:?}"));
    assert_eq!(understood, expected);
}
