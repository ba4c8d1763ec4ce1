//! Slack's Web API: post and update.

use std::time::Duration;

use domain::ports::{Advice, Answer, Chat, Fault, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(8);

/// What Slack asks to wait when it names no time.
const UNNAMED_WAIT: Duration = Duration::from_secs(30);

/// Slack, spoken to as one app.
pub struct Slack {
    http: reqwest::Client,
    api: String,
    token: Secret,
}

#[derive(Deserialize)]
struct Reply {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    channel: String,
}

impl Slack {
    /// An app at an API's address (`https://slack.com/api`), with its bot token. Nothing is sent yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(api_url: &str, token: Secret) -> Result<Self, Fault> {
        // Whoever has chosen a provider before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent("slipway")
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Fault::retry("could not prepare requests to Slack", error))?;
        Ok(Self { http, api: api_url.trim_end_matches('/').to_owned(), token })
    }

    async fn call(&self, method: &str, channel: &str, body: &Value) -> Answer<Reply> {
        let what = format!("could not write to the Slack channel `{channel}`");
        let request =
            self.http.post(format!("{}/{method}", self.api)).bearer_auth(self.token.reveal()).json(body);
        let response = request.send().await.map_err(|error| Fault::retry(&what, error.without_url()))?;
        let status = response.status();
        let named = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = named.map(Duration::from_secs);
        if status.as_u16() == 429 {
            return Err(limited(&what, wait));
        }
        if !status.is_success() {
            let reason = format!("Slack answered {}", status.as_u16());
            let passes = status.is_server_error();
            return Err(if passes {
                Fault::retry(&what, reason)
            } else {
                Fault::reject(format!("{what}: {reason}"))
            });
        }
        let reply: Reply = response.json().await.map_err(|error| Fault::retry(&what, error.without_url()))?;
        if reply.ok { Ok(reply) } else { Err(refusal(&what, &reply.error, wait)) }
    }
}

/// A message's place is `<channel's id>/<timestamp>`: a name is enough to post, but not to update.
impl Chat for Slack {
    async fn post(&self, channel: &str, thread: Option<&str>, text: &str) -> Answer<String> {
        let (channel_id, thread) = match thread {
            Some(place) => {
                let (channel_id, timestamp) = split(channel, place);
                (channel_id, Some(timestamp))
            }
            None => (channel, None),
        };
        let mut body =
            json!({"channel": channel_id, "text": text, "unfurl_links": false, "unfurl_media": false});
        if let Some(timestamp) = thread {
            body["thread_ts"] = json!(timestamp);
        }
        let reply = self.call("chat.postMessage", channel, &body).await?;
        let channel_id = if reply.channel.is_empty() { channel_id } else { &reply.channel };
        Ok(format!("{channel_id}/{}", reply.ts))
    }

    async fn update(&self, channel: &str, timestamp: &str, text: &str) -> Answer<()> {
        let (channel_id, timestamp) = split(channel, timestamp);
        let body = json!({"channel": channel_id, "ts": timestamp, "text": text});
        self.call("chat.update", channel, &body).await.map(drop)
    }
}

fn split<'a>(channel: &'a str, place: &'a str) -> (&'a str, &'a str) {
    place.split_once('/').unwrap_or((channel, place))
}

fn limited(what: &str, wait: Option<Duration>) -> Fault {
    let fault = Fault::retry(what, "Slack limits requests");
    Fault { advice: Advice::Retry(Some(wait.unwrap_or(UNNAMED_WAIT))), ..fault }
}

/// The one decision about `ok: false` (<https://docs.slack.dev/reference/methods/chat.postMessage#errors>).
fn refusal(what: &str, error: &str, wait: Option<Duration>) -> Fault {
    let remedy = match error {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => return limited(what, wait),
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => {
            return Fault::retry(what, format!("Slack answered `{error}`"));
        }
        "channel_not_found" | "not_in_channel" => "; check its name and invite the app to it with `/invite`",
        "is_archived" => "; the channel is archived: name another one",
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            "; renew the token in the Slack secret"
        }
        "missing_scope" => "; give the app the scope `chat:write`",
        _ => "",
    };
    let error: String = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
    Fault::reject(format!("{what}: Slack answered `{error}`{remedy}"))
}
