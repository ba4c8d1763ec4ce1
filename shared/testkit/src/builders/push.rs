//! GitHub's webhooks as API Gateway hands them over.

use domain::ids::{DeliveryId, Sha};
use domain::ports::{Delivery, DeliveryState};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::fakes::{WEBHOOK_SECRET, World};

/// A push of a commit to a branch of `vive-sphere/bot-manager`.
pub fn a_push(branch: &str, before: Option<&Sha>, after: &Sha) -> Value {
    let none = "0".repeat(40);
    let body = json!({
        "ref": format!("refs/heads/{branch}"),
        "before": before.map_or(none.as_str(), Sha::as_str),
        "after": after.as_str(),
        "created": before.is_none(),
        "deleted": false,
        "forced": false,
        "repository": {"full_name": "vive-sphere/bot-manager"},
        "installation": {"id": 1},
        "sender": {"login": "ada"},
        "head_commit": {"id": after.as_str(), "message": format!("Change {}", after.short())},
    });
    a_webhook("push", &format!("delivery-{branch}-{}", after.short()), &body.to_string())
}

/// A webhook with that body, signed.
pub fn a_webhook(event: &str, delivery: &str, body: &str) -> Value {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("any key will do");
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    json!({
        "headers": {
            "x-github-event": event,
            "x-github-delivery": delivery,
            "x-hub-signature-256": format!("sha256={signature}"),
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Records a delivery as one that was sent on to plan, past the webhook.
pub fn recorded(world: &World, id: &DeliveryId) {
    world.store.keep_delivery(Delivery {
        id: id.clone(),
        event: "test".to_owned(),
        body: String::new(),
        received: world.clock.now(),
        state: DeliveryState::Enqueued,
    });
}
