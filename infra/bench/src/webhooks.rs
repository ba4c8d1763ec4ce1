//! GitHub's deliveries, made of `events/github-push.json`: the same body with another commit, signed anew.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use domain::ids::RunId;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

/// A push as it came from GitHub once.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    event: Value,
    body: Value,
}

/// One delivery of a push.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    headers: [(&'static str, String); 4],
    body: String,
    event: Value,
}

impl Template {
    /// Reads the event of the repository's own tests.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(workspace: &Path) -> anyhow::Result<Self> {
        let path = workspace.join("events/github-push.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let event: Value = serde_json::from_str(&text)?;
        let body = serde_json::from_str(event["body"].as_str().context("the event's body")?)?;
        Ok(Self { event, body })
    }

    /// The push of a run's commit to a branch, as a delivery that was never seen before.
    pub(crate) fn push(&self, run: &RunId, branch: &str, installation: u64, secret: &str) -> Delivery {
        let mut body = self.body.clone();
        body["ref"] = json!(format!("refs/heads/{branch}"));
        body["after"] = json!(run.sha.to_string());
        body["head_commit"]["id"] = json!(run.sha.to_string());
        body["repository"]["full_name"] = json!(run.repository.to_string());
        body["repository"]["name"] = json!(run.repository.name());
        body["installation"]["id"] = json!(installation);
        let body = body.to_string();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-github-event", "push".to_owned()),
            ("x-github-delivery", Uuid::new_v4().to_string()),
            ("x-hub-signature-256", format!("sha256={}", signature(secret, body.as_bytes()))),
        ];
        let mut event = self.event.clone();
        for (name, value) in &headers {
            event["headers"][*name] = json!(value);
        }
        event["body"] = json!(body);
        Delivery { headers, body, event }
    }
}

impl Delivery {
    /// As API Gateway hands it to the function.
    pub(crate) fn event(&self) -> &Value {
        &self.event
    }

    /// As GitHub sends it.
    ///
    /// # Errors
    /// When the URL is none.
    pub(crate) fn request(&self, url: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Ok(request.body(Full::new(Bytes::from(self.body.clone())))?)
    }
}

/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example_is_signed_as_github_does() {
        assert_eq!(
            signature("It's a Secret to Everybody", b"Hello, World!"),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    #[test]
    fn a_push_names_its_commit_and_is_new_each_time() {
        let template = Template::read(&local::workspace()).expect("the event");
        let run: RunId = format!("acme.shop.{}", "1f".repeat(20)).parse().expect("a run");

        let (one, other) =
            (template.push(&run, "develop", 7, "secret"), template.push(&run, "develop", 7, "secret"));

        let body: Value = serde_json::from_str(one.event()["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(body["after"], json!("1f".repeat(20)));
        assert_eq!(body["repository"]["full_name"], json!("acme/shop"));
        assert_eq!(body["installation"]["id"], json!(7));
        assert_ne!(
            one.event()["headers"]["x-github-delivery"],
            other.event()["headers"]["x-github-delivery"]
        );
    }
}
