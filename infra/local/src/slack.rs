//! The Slack stand-in: the Web API methods that Slipway uses, and a page that shows what was posted.
//!
//! As at Slack, a message may be posted to a channel's name or id, but only the id that the answer names can be
//! used to change it, a reply names the thread by its first message's `ts`, and errors come with status 200.

mod channel;
mod page;

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use channel::channel_id;

/// What Slack answers a call it refuses with, under `error`.
type Refusal = &'static str;

/// A message as it stands now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// The channel as the sender named it.
    pub channel: String,
    /// The channel's id.
    pub channel_id: String,
    /// The message's own number.
    pub ts: String,
    /// The first message of the thread this one replies in.
    pub thread_ts: Option<String>,
    /// The text, as it was last changed.
    pub text: String,
    /// Layout blocks, as they were last changed.
    pub blocks: Value,
    /// How often it was changed.
    pub changes: u32,
}

#[derive(Debug, Clone)]
struct Sink {
    token: Arc<str>,
    messages: Arc<Mutex<Vec<Message>>>,
}

/// Serves the stand-in until `shutdown`; `token` is the only bot token it takes.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    token: impl Into<String>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let token: String = token.into();
    let sink = Sink { token: token.into(), messages: Arc::default() };
    let router = Router::new()
        .route("/", get(|State(sink): State<Sink>| async move { Html(page::render(&sink.all())) }))
        .route("/messages", get(|State(sink): State<Sink>| async move { Json(sink.all()) }))
        .route("/api/chat.postMessage", post(post_message))
        .route("/api/chat.update", post(update))
        .with_state(sink);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Call {
    #[serde(default)]
    channel: String,
    ts: Option<String>,
    thread_ts: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    blocks: Value,
}

async fn post_message(State(sink): State<Sink>, headers: HeaderMap, body: String) -> Json<Value> {
    Json(sink.checked(&headers, &body).and_then(|call| sink.post(call)).unwrap_or_else(refused))
}

async fn update(State(sink): State<Sink>, headers: HeaderMap, body: String) -> Json<Value> {
    Json(sink.checked(&headers, &body).and_then(|call| sink.update(call)).unwrap_or_else(refused))
}

fn refused(error: Refusal) -> Value {
    json!({ "ok": false, "error": error })
}

impl Sink {
    fn all(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn checked(&self, headers: &HeaderMap, body: &str) -> Result<Call, Refusal> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or("not_authed")?;
        if token != &*self.token {
            return Err("invalid_auth");
        }
        if !header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err("invalid_post_type");
        }
        let call: Call = serde_json::from_str(body).map_err(|_| "invalid_json")?;
        match () {
            () if call.channel.is_empty() => Err("channel_not_found"),
            () if call.text.is_empty() && call.blocks.is_null() => Err("no_text"),
            () if call.text.chars().count() > 40_000 => Err("msg_too_long"),
            () => Ok(call),
        }
    }

    fn post(&self, call: Call) -> Result<Value, Refusal> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let channel_id = channel_id(&call.channel);
        let in_thread = |thread: &String| {
            messages.iter().any(|message| message.channel_id == channel_id && message.ts == *thread)
        };
        if call.thread_ts.as_ref().is_some_and(|thread| !in_thread(thread)) {
            return Err("thread_not_found");
        }
        let message = Message {
            ts: format!("1700000000.{:06}", messages.len() + 1),
            channel: call.channel,
            channel_id,
            thread_ts: call.thread_ts,
            text: call.text,
            blocks: call.blocks,
            changes: 0,
        };
        let answer = answer(&message);
        messages.push(message);
        Ok(answer)
    }

    fn update(&self, call: Call) -> Result<Value, Refusal> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if !messages.iter().any(|message| message.channel_id == call.channel) {
            return Err("channel_not_found");
        }
        let message = messages
            .iter_mut()
            .find(|message| message.channel_id == call.channel && Some(&message.ts) == call.ts.as_ref())
            .ok_or("message_not_found")?;
        message.text = call.text;
        message.blocks = call.blocks;
        message.changes += 1;
        Ok(answer(message))
    }
}

fn answer(message: &Message) -> Value {
    json!({
        "ok": true,
        "channel": message.channel_id,
        "ts": message.ts,
        "text": message.text,
        "message": {
            "type": "message",
            "ts": message.ts,
            "thread_ts": message.thread_ts,
            "text": message.text,
            "blocks": message.blocks,
        },
    })
}
