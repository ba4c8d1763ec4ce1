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
    insta::assert_snapshot!(answers.join("\n"), @r#"
    github-check-run-button: 202 {"message":"asked"}
    github-check-run: 202 {"message":"asked"}
    github-check-suite: 202 {"message":"asked"}
    github-installation-repositories: 202 {"message":"ignored: the operator's file, not the installation, says which repositories are served"}
    github-installation: 202 {"message":"ignored: the operator's file, not the installation, says which repositories are served"}
    github-issue-comment: 202 {"message":"asked"}
    github-merge-group-destroyed: 202 {"message":"taken note of"}
    github-merge-group: 202 {"message":"planned"}
    github-ping: 202 {"message":"ignored: a ping; the webhook works"}
    github-pull-request-closed: 202 {"message":"taken note of"}
    github-pull-request: 202 {"message":"planned"}
    github-push-deleted: 202 {"message":"taken note of"}
    github-push-tag: 202 {"message":"planned"}
    github-push: 202 {"message":"planned"}
    "#);
    let ignored = answers.iter().filter(|answer| answer.contains("ignored: ")).count();
    assert_eq!(world.store.delivery_count(), names.len() - ignored);
    insta::assert_snapshot!(world.queue.waiting(QueueName::Plan).join("\n"), @r#"
    {"kind":"asked","delivery":"bd13f5ca-e860-11f0-9f60-e8a1b6d7c042","repository":"vive-sphere/bot-manager","installation":1,"by":"mara-lindqvist","about":{"run":"vive-sphere.bot-manager.e1d1c26ccc9bd7991dc8c04883817dddde98e128"},"comment":null,"commands":["test_all"]}
    {"kind":"asked","delivery":"b3f8a6d8-e860-11f0-8e75-5d2c4f7b0e13","repository":"vive-sphere/bot-manager","installation":1,"by":"mara-lindqvist","about":{"run":"vive-sphere.bot-manager.e1d1c26ccc9bd7991dc8c04883817dddde98e128"},"comment":null,"commands":[{"test":"authentication"}]}
    {"kind":"asked","delivery":"c6a94e0c-e860-11f0-8bd3-274e9f5a8d61","repository":"vive-sphere/bot-manager","installation":1,"by":"mara-lindqvist","about":{"commit":"e1d1c26ccc9bd7991dc8c04883817dddde98e128"},"comment":null,"commands":["test_all"]}
    {"kind":"asked","delivery":"cf40d2be-e860-11f0-9a84-b16d0e8c3f75","repository":"vive-sphere/bot-manager","installation":1,"by":"mara-lindqvist","about":{"pull":42},"comment":3488120977,"commands":["retest",{"test":"+integration"}]}
    {"kind":"gone","delivery":"a9e2d1f6-e860-11f0-9c48-0b7d3e5f1a92","repository":"vive-sphere/bot-manager","installation":1,"line":"branch:gh-readonly-queue/main/pr-42-5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310","why":"it was taken out of the merge queue"}
    {"kind":"plan","delivery":"a0b5c7e4-e860-11f0-8d11-93f4a6c2e758","repository":"vive-sphere/bot-manager","installation":1,"sha":"e1d1c26ccc9bd7991dc8c04883817dddde98e128","before":null,"branch":"gh-readonly-queue/main/pr-42-5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310","fork":null,"pull_request":null,"sender":"mara-lindqvist","title":"Merge pull request #42 from vive-sphere/avatar-limit","base":{"branch":"main","sha":"5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310"}}
    {"kind":"gone","delivery":"94d7b3a2-e860-11f0-9b07-c5e2f81a604d","repository":"vive-sphere/bot-manager","installation":1,"line":"pull:43","why":"the pull request was closed"}
    {"kind":"plan","delivery":"3f5d8c60-e85e-11f0-8b1e-6a0c4d9f2b77","repository":"vive-sphere/bot-manager","installation":1,"sha":"3b7a90d2e45c18f6a0d9b3c7e812f4a6570c9de1","before":null,"branch":"avatar-limit","fork":null,"pull_request":42,"sender":"mara-lindqvist","title":"Limit the size of a bot's avatar","base":{"branch":"develop","sha":"e1d1c26ccc9bd7991dc8c04883817dddde98e128"}}
    {"kind":"gone","delivery":"8c44e1d0-e860-11f0-8a52-7e0d5b1c9f36","repository":"vive-sphere/bot-manager","installation":1,"line":"branch:avatar-limit","why":"the branch was deleted"}
    {"kind":"plan","delivery":"7a1f0c92-e860-11f0-9d3e-41b7c8a2d605","repository":"vive-sphere/bot-manager","installation":1,"sha":"e1d1c26ccc9bd7991dc8c04883817dddde98e128","before":null,"branch":"v1.4.0","tag":true,"fork":null,"pull_request":null,"sender":"mara-lindqvist","title":"Answer 401 for an expired token"}
    {"kind":"plan","delivery":"7c1f0a52-e85d-11f0-9a4c-2d6b7f3e8a10","repository":"vive-sphere/bot-manager","installation":1,"sha":"e1d1c26ccc9bd7991dc8c04883817dddde98e128","before":"5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310","branch":"develop","fork":null,"pull_request":null,"sender":"mara-lindqvist","title":"Answer 401 for an expired token"}
    "#);
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
async fn what_nobody_wants_is_answered_with_its_reason() {
    let world = World::new();
    let answer = post(&world, &a_webhook("star", "delivery-1", "{\"action\":\"created\"}")).await;
    assert!(answer.starts_with(r#"202 {"message":"ignored: "#), "{answer}");
    assert_eq!((world.store.delivery_count(), waiting(&world)), (0, 0));
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
    insta::assert_snapshot!(post(&world, &other).await, @r#"409 {"message":"delivery `delivery-develop-0a00001` came before with another body; nothing was done, since GitHub gives each event an id of its own"}"#);
    assert_eq!((world.store.delivery_count(), waiting(&world)), (1, 1));
}

#[tokio::test]
async fn a_body_is_known_under_another_id() {
    let world = World::new();
    let push = a_push("develop", None, &a_sha(1));
    post(&world, &push).await;
    let other = under("delivery-other", &push);
    let answer = post(&world, &other).await;
    insta::assert_snapshot!(answer, @r#"202 {"message":"ignored: the body of delivery `delivery-other` came before as `delivery-develop-0a00001`"}"#);
    assert_eq!(post(&world, &other).await, answer, "its redelivery finds the same");
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
    insta::assert_snapshot!(post(&world, &other).await, @r#"202 {"message":"done now: the body of delivery `delivery-other` came before as `delivery-develop-0a00001`, and was left undone"}"#);
    assert!(world.queue.waiting(QueueName::Plan)[0].contains(r#""delivery":"delivery-develop-0a00001""#));
    insta::assert_snapshot!(post(&world, &push).await, @r#"202 {"message":"this delivery was taken before"}"#);
    insta::assert_snapshot!(post(&world, &other).await, @r#"202 {"message":"ignored: the body of delivery `delivery-other` came before as `delivery-develop-0a00001`"}"#);
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
async fn what_is_ignored_costs_no_call_and_what_is_taken_three() {
    let world = World::new();
    let calls = async |request: &Value| {
        let before = world.wire.calls().len();
        post(&world, request).await;
        world.wire.calls()[before..].join(" ")
    };
    let ping = calls(&a_webhook("ping", "delivery-1", "{\"hook_id\":1}")).await;
    assert_eq!(ping, "secrets.secret");
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
