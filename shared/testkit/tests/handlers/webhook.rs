//! webhook.

use domain::message::QueueName;
use domain::ports::DeliveryState;
use serde_json::{Value, json};
use slipway_webhook::{Request, Webhook};
use testkit::builders::{a_push, a_sha, a_webhook, name};
use testkit::fakes::{Trouble, WEBHOOK_SECRET, World};

async fn post(world: &World, request: &Value) -> String {
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
    let take = async |event: &str| post(&world, &serde_json::from_str(event).expect("JSON")).await;
    let ping = take(include_str!("../../../../events/github-ping.json")).await;
    insta::assert_snapshot!(ping, @r#"202 {"message":"ignored: a ping; the webhook works"}"#);
    let push = take(include_str!("../../../../events/github-push.json")).await;
    insta::assert_snapshot!(push, @r#"202 {"message":"planned"}"#);
    let pull_request = take(include_str!("../../../../events/github-pull-request.json")).await;
    assert!(pull_request.starts_with("202 "), "{pull_request}");
    assert_eq!(world.store.delivery_count(), 3);
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
