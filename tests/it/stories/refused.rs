//! What the webhook turns away at the door.

use anyhow::ensure;

use super::arrivals::{deliver, push, signature};
use crate::world::{World, eventually};

/// A signature that is missing, of another secret, or of another body: 401, and nothing is written.
pub(super) async fn wrong_signatures(world: &World<'_>) -> anyhow::Result<()> {
    let body = push()?;
    let secret = &world.record.credentials.webhook_secret;
    let before = world.items().await?;
    for (id, signature) in [
        ("story-unsigned", None),
        ("story-forged", Some(signature("not the secret", &body)?)),
        ("story-changed", Some(signature(secret, &format!("{body} "))?)),
        ("story-nonsense", Some("sha256=nonsense".to_owned())),
    ] {
        let (status, answer) = deliver(world, id, "push", signature.as_deref(), &body).await?;
        ensure!(status == 401, "{id}: {status} {answer}");
        ensure!(world.delivery(id).await?.is_none(), "{id} is recorded");
    }
    ensure!(world.items().await? == before, "something was written");
    Ok(())
}

/// A signed body that is no JSON: 400, nothing is written, and the log names the delivery.
pub(super) async fn what_is_not_json(world: &World<'_>) -> anyhow::Result<()> {
    let (id, body) = ("story-not-json", "ref=refs/heads/develop");
    let before = world.items().await?;
    let signature = signature(&world.record.credentials.webhook_secret, body)?;
    let (status, answer) = deliver(world, id, "push", Some(&signature), body).await?;
    ensure!(status == 400, "{status} {answer}");
    ensure!(world.items().await? == before, "something was written");
    eventually("the webhook's log names the delivery", async || {
        let log = world.log("webhook").await?;
        Ok(log.iter().any(|line| line.contains(id) && line.contains("event refused")).then_some(()))
    })
    .await
}
