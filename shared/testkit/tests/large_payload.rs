//! A payload as large as API Gateway and Lambda let through: only what is needed of it travels on, and it is not copied.
//!
//! Alone in its process, whose memory is looked at.

use domain::message::QueueName;
use serde_json::{Value, json};
use slipway_webhook::{Request, Webhook};
use testkit::builders::{a_push, a_sha, a_webhook};
use testkit::fakes::{WEBHOOK_SECRET, World};

/// Lambda's limit is 6 MB, the envelope included.
const SIZE: usize = 5_900_000;

/// A push of so many commits that its body has at least [`SIZE`] bytes.
fn a_large_push() -> Request {
    let small = a_push("develop", None, &a_sha(1));
    let mut body: Value =
        serde_json::from_str(small["body"].as_str().expect("a text")).expect("the body is JSON");
    let commit = json!({
        "id": a_sha(2).as_str(), "message": "Say `hällo`\n\n".repeat(20), "distinct": true,
        "author": {"name": "Ada", "email": "ada@example.com"}, "added": ["a/b.py", "c.py"], "modified": [], "removed": [],
    });
    let count = SIZE / commit.to_string().len() + 1;
    body["commits"] = Value::Array(vec![commit; count]);
    let event = a_webhook("push", "delivery-large", &body.to_string());
    serde_json::from_value(event).expect("a request")
}

/// The most memory that this process has ever had, in bytes; none where the system does not tell.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[tokio::test]
async fn a_large_push_is_planned_and_not_copied() {
    let world = World::new();
    let request = a_large_push();
    let length = request.bytes().expect("it is plain text").len();
    assert!((SIZE..SIZE + SIZE / 10).contains(&length), "{length} bytes");
    let webhook = Webhook {
        deliveries: world.store.clone(),
        queue: world.queue.clone(),
        secrets: world.secrets.clone(),
        secret_id: WEBHOOK_SECRET.to_owned(),
    };
    // What was needed to make the body must not be there to be used again: the peak begins at what is in use.
    let has_begun = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = peak().filter(|_| has_begun);

    let response = webhook.handle(&request, world.clock.now()).await;

    assert_eq!((response.status_code, response.body.as_str()), (202, r#"{"message":"planned"}"#));
    let messages = world.queue.waiting(QueueName::Plan);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].len() < 1_000, "{}", messages[0]);
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < SIZE / 4, "{} bytes more than {before}", after - before);
    }
}
