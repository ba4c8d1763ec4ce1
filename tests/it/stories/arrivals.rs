//! Signed deliveries that are taken, recorded and lead to nothing.

use anyhow::{Context, ensure};
use domain::ports::DeliveryState;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::http::post;
use crate::world::{World, eventually};

/// A push as GitHub sends it: the body of the example event.
pub(super) fn push() -> anyhow::Result<String> {
    let event = std::fs::read(local::workspace().join("events/github-push.json"))?;
    let event: Value = serde_json::from_slice(&event)?;
    Ok(event["body"].as_str().context("a body")?.to_owned())
}

/// The value of `X-Hub-Signature-256`.
pub(super) fn signature(secret: &str, body: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(body.as_bytes());
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// Posts a delivery to the webhook.
pub(super) async fn deliver(
    world: &World<'_>,
    id: &str,
    event: &str,
    signature: Option<&str>,
    body: &str,
) -> anyhow::Result<(u16, Value)> {
    let url = world.record.webhook_url.as_deref().context("the webhook's URL")?;
    let mut headers = vec![("x-github-delivery", id), ("x-github-event", event)];
    headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
    post(url, &headers, body.to_owned()).await
}

/// An event that asks for nothing: 202 with the reason. A repository and an installation that nobody serves: 202, and
/// the reason on the delivery.
pub(super) async fn what_nobody_serves(world: &World<'_>) -> anyhow::Result<()> {
    let push = push()?;
    let (repository, installation) =
        ("\"full_name\":\"vive-sphere/bot-manager\"", "\"installation\":{\"id\":1,");
    let star = "{\"action\":\"created\"}";
    let signed = signature(&world.record.credentials.webhook_secret, star)?;
    let (status, answer) = deliver(world, "story-star", "star", Some(&signed), star).await?;
    ensure!(
        status == 202 && answer["message"] == "ignored: this kind of event is not handled",
        "{status} {answer}"
    );
    ensure!(world.delivery("story-star").await?.is_none(), "it is recorded");
    ensure!(push.contains(repository) && push.contains(installation), "the example event has changed");
    for (id, event, body, reason) in [
        (
            "story-stranger",
            "push",
            push.replace(repository, "\"full_name\":\"stranger/thing\""),
            "repository `stranger/thing` is not in the operator's file",
        ),
        (
            "story-installation",
            "push",
            push.replace(installation, "\"installation\":{\"id\":2,"),
            "installation 2 does not speak for `vive-sphere/bot-manager`",
        ),
    ] {
        let signature = signature(&world.record.credentials.webhook_secret, &body)?;
        let (status, answer) = deliver(world, id, event, Some(&signature), &body).await?;
        ensure!(status == 202, "{id}: {status} {answer}");
        let recorded = eventually(&format!("`{id}` is ignored"), async || {
            Ok(match world.delivery(id).await? {
                Some(DeliveryState::Ignored(reason)) => Some(reason),
                _ => None,
            })
        })
        .await?;
        ensure!(recorded.contains(reason), "{id} is ignored because: {recorded}");
    }
    Ok(())
}
