//! Webhooks: signed, sent once within ten seconds, remembered, sent again only when asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::http::{HeaderValue, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::state::{App, Repository, uuid};

/// GitHub cuts the connection after this time.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// GitHub sends no payload beyond this size.
const LARGEST_PAYLOAD: usize = 25 * 1024 * 1024;
const LARGEST_REMEMBERED_ANSWER: usize = 64 * 1024;
const REMEMBERED_DELIVERIES: usize = 2000;
/// The App has one webhook; this is its number.
pub(crate) const HOOK_ID: u64 = 1;

/// Where deliveries go and what they are signed with.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) url: Option<String>,
    pub(crate) secret: String,
}

/// One attempt to deliver one event.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    /// The same for every attempt of one event.
    pub(crate) guid: String,
    pub(crate) event: String,
    pub(crate) action: Option<String>,
    pub(crate) repository: Option<u64>,
    pub(crate) installation: Option<u64>,
    pub(crate) redelivery: bool,
    pub(crate) delivered_at: Timestamp,
    pub(crate) payload: Bytes,
    url: String,
    request_headers: Value,
    pub(crate) outcome: Option<Outcome>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: String,
    pub(crate) code: u16,
    pub(crate) duration: Duration,
    headers: Value,
    body: String,
}

/// Sends an event about a repository to the App, when it is installed there and subscribed to it.
pub(crate) fn send(app: &Arc<App>, repository: &Repository, event: &str, mut payload: Value) {
    let installed = app.installation_of(repository).filter(|known| known.suspended_at.is_none());
    let Some(installation) = installed.map(|known| known.what).filter(|_| is_heard(app, event)) else {
        return;
    };
    payload["repository"] = crate::repositories::in_payload(app, repository);
    payload["installation"] = json!({
        "id": installation.id,
        "node_id": crate::state::node_id("Installation", installation.id),
    });
    post(app, event, &payload, Some(repository.id), Some(installation.id));
}

/// Sends an event about the App itself or one of its installations, which it hears in any case.
pub(crate) fn send_to_app(app: &Arc<App>, installation: Option<u64>, event: &str, payload: &Value) {
    post(app, event, payload, None, installation);
}

fn post(app: &Arc<App>, event: &str, payload: &Value, repository: Option<u64>, installation: Option<u64>) {
    let body = Bytes::from(payload.to_string());
    if body.len() > LARGEST_PAYLOAD {
        tracing::warn!(event, size = body.len(), "no delivery: the payload is larger than GitHub sends");
        return;
    }
    let draft = Draft {
        guid: uuid(),
        event: event.to_owned(),
        action: payload["action"].as_str().map(str::to_owned),
        repository,
        installation,
        redelivery: false,
        payload: body,
    };
    dispatch(app, draft);
}

/// Whether the App is subscribed to an event.
pub(crate) fn is_heard(app: &App, event: &str) -> bool {
    app.options.events.iter().any(|subscribed| subscribed == event)
}

/// Sends an earlier delivery again, under its own `X-GitHub-Delivery`.
pub(crate) fn redeliver(app: &Arc<App>, id: u64) -> bool {
    let Some(earlier) = app.data().deliveries.iter().find(|known| known.id == id).cloned() else {
        return false;
    };
    let draft = Draft {
        guid: earlier.guid,
        event: earlier.event,
        action: earlier.action,
        repository: earlier.repository,
        installation: earlier.installation,
        redelivery: true,
        payload: earlier.payload,
    };
    dispatch(app, draft);
    true
}

struct Draft {
    guid: String,
    event: String,
    action: Option<String>,
    repository: Option<u64>,
    installation: Option<u64>,
    redelivery: bool,
    payload: Bytes,
}

/// Remembers the attempt at once and sends it in the background.
fn dispatch(app: &Arc<App>, draft: Draft) {
    let target = app.data().target.clone();
    let Some(url) = target.url else {
        tracing::info!(event = draft.event, "no delivery: no webhook address is set");
        return;
    };
    let request = match request(&url, &target.secret, app.options.app_id, &draft) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "no delivery: the webhook address cannot be used");
            return;
        }
    };
    let mut data = app.data();
    let id = data.next_id();
    data.deliveries.push(Delivery {
        id,
        guid: draft.guid,
        event: draft.event,
        action: draft.action,
        repository: draft.repository,
        installation: draft.installation,
        redelivery: draft.redelivery,
        delivered_at: Timestamp::now(),
        payload: draft.payload,
        url,
        request_headers: shown(request.headers()),
        outcome: None,
    });
    let surplus = data.deliveries.len().saturating_sub(REMEMBERED_DELIVERIES);
    data.deliveries.drain(..surplus);
    drop(data);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let outcome = attempt(request).await;
        tracing::info!(delivery = id, code = outcome.code, status = outcome.status, "delivered");
        if let Some(delivery) = app.data().deliveries.iter_mut().find(|known| known.id == id) {
            delivery.outcome = Some(outcome);
        }
    });
}

fn request(url: &str, secret: &str, app_id: u64, draft: &Draft) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::post(url)
        .header(header::ACCEPT, "*/*")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "GitHub-Hookshot/0000000")
        .header("X-GitHub-Delivery", &draft.guid)
        .header("X-GitHub-Event", &draft.event)
        .header("X-GitHub-Hook-ID", HOOK_ID)
        .header("X-GitHub-Hook-Installation-Target-ID", app_id)
        .header("X-GitHub-Hook-Installation-Target-Type", "integration");
    if !secret.is_empty() {
        request = request.header("X-Hub-Signature-256", signature(secret, &draft.payload));
    }
    request.body(Full::new(draft.payload.clone())).context("build the request")
}

/// `sha256=` and the hexadecimal HMAC-SHA256 of a body.
fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}

async fn attempt(request: Request<Full<Bytes>>) -> Outcome {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let started = Instant::now();
    let exchange = async {
        let response = client.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_REMEMBERED_ANSWER).collect().await;
        let text = body.map(|body| crate::git::lossy(&body.to_bytes())).unwrap_or_default();
        Ok::<_, hyper_util::client::legacy::Error>((parts, text))
    };
    let result = tokio::time::timeout(TIME_LIMIT, exchange).await;
    let duration = started.elapsed();
    let failed = |status: &str| Outcome {
        status: status.to_owned(),
        code: 0,
        duration,
        headers: json!({}),
        body: String::new(),
    };
    match result {
        Err(_) => failed("timed out"),
        Ok(Err(_)) => failed("failed to connect to host"),
        Ok(Ok((parts, body))) => Outcome {
            status: status_text(parts.status),
            code: parts.status.as_u16(),
            duration,
            headers: shown(&parts.headers),
            body,
        },
    }
}

fn status_text(status: axum::http::StatusCode) -> String {
    if status.is_success() { "OK".to_owned() } else { format!("Invalid HTTP Response: {}", status.as_u16()) }
}

fn shown(headers: &axum::http::HeaderMap<HeaderValue>) -> Value {
    let pairs =
        headers.iter().map(|(name, value)| (name.to_string(), json!(crate::git::lossy(value.as_bytes()))));
    Value::Object(pairs.collect::<Map<_, _>>())
}

impl Delivery {
    /// The form of the listing; `null` codes mean that the attempt is under way.
    pub(crate) fn summary(&self) -> Value {
        let outcome = self.outcome.as_ref();
        json!({
            "id": self.id,
            "guid": self.guid,
            "delivered_at": self.delivered_at,
            "redelivery": self.redelivery,
            "duration": outcome.map(|outcome| outcome.duration.as_secs_f64()),
            "status": outcome.map(|outcome| outcome.status.as_str()),
            "status_code": outcome.map(|outcome| outcome.code),
            "event": self.event,
            "action": self.action,
            "installation_id": self.installation,
            "repository_id": self.repository,
            "throttled_at": null,
        })
    }

    /// The form of a single delivery, with what was sent and answered.
    pub(crate) fn full(&self) -> Value {
        let mut full = self.summary();
        let payload: Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        full["url"] = json!(self.url);
        full["request"] = json!({ "headers": self.request_headers, "payload": payload });
        full["response"] = self
            .outcome
            .as_ref()
            .map_or(Value::Null, |outcome| json!({ "headers": outcome.headers, "payload": outcome.body }));
        full
    }
}
