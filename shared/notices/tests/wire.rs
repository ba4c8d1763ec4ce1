//! Slack against a server that plays its Web API; SES against a local AWS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use domain::ports::{Advice, Chat as _, Mail, Post as _, Secret};
use notices::{Mailer, Slack};
use serde_json::{Value, json};
use testkit::aws;

/// What Slack answers: status, `Retry-After`, body.
type Answer = (u16, Option<u32>, Value);

#[derive(Clone)]
struct Web {
    answer: Answer,
    asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

async fn slack(answer: Answer) -> anyhow::Result<(Slack, Web)> {
    let web = Web { answer, asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/api", listener.local_addr()?);
    let router = Router::new().route("/api/{method}", post(respond)).with_state(web.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((Slack::new(&url, Secret::new("xoxb-secret"))?, web))
}

async fn respond(
    State(web): State<Web>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization =
        headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    web.asked.lock().expect("unpoisoned").push((method, authorization.to_owned(), body));
    let (status, wait, body) = web.answer;
    let status = StatusCode::from_u16(status).expect("a status");
    let wait = wait.map(|seconds| [("retry-after", seconds.to_string())]);
    (status, wait.into_iter().flatten().collect::<HeaderMapPairs>().0, body.to_string()).into_response()
}

/// Collects the optional header.
#[derive(Default)]
struct HeaderMapPairs(HeaderMap);

impl FromIterator<(&'static str, String)> for HeaderMapPairs {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(pairs: I) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name, value.parse().expect("a header"));
        }
        Self(headers)
    }
}

#[tokio::test]
async fn a_message_is_posted_answered_and_replaced_where_it_lies() -> anyhow::Result<()> {
    let (slack, web) = slack((200, None, json!({"ok": true, "channel": "C7", "ts": "17.25"}))).await?;
    let place = slack.post("#deploys", None, "begun").await?;
    slack.update("#deploys", &place, "going on").await?;
    slack.post("#deploys", Some(&place), "ended").await?;
    let asked = web.asked.lock().expect("unpoisoned").clone();
    let bearer = "Bearer xoxb-secret".to_owned();
    let quiet = |mut body: Value| {
        body["unfurl_links"] = json!(false);
        body["unfurl_media"] = json!(false);
        body
    };
    // A channel's name is enough to post; replacing needs the id that Slack answered.
    let expected = [
        (
            "chat.postMessage".to_owned(),
            bearer.clone(),
            quiet(json!({"channel": "#deploys", "text": "begun"})),
        ),
        (
            "chat.update".to_owned(),
            bearer.clone(),
            json!({"channel": "C7", "ts": "17.25", "text": "going on"}),
        ),
        (
            "chat.postMessage".to_owned(),
            bearer,
            quiet(json!({"channel": "C7", "thread_ts": "17.25", "text": "ended"})),
        ),
    ];
    assert_eq!(asked, expected);
    Ok(())
}

#[tokio::test]
async fn what_slack_refuses_is_told_with_a_remedy_or_tried_again() -> anyhow::Result<()> {
    let refused = |error: &str| (200, None, json!({"ok": false, "error": error}));
    let limited = (200, Some(9), json!({"ok": false, "error": "ratelimited"}));
    for (answer, advice, words) in [
        (
            refused("channel_not_found"),
            Advice::Reject,
            "channel `#deploys`: Slack answered `channel_not_found`; check its name and invite the app",
        ),
        (refused("not_in_channel"), Advice::Reject, "`/invite`"),
        (refused("invalid_auth"), Advice::Reject, "renew the token"),
        (refused("something `new`"), Advice::Reject, "`somethingnew`"),
        (refused("internal_error"), Advice::Retry(None), "internal_error"),
        (limited, Advice::Retry(Some(Duration::from_secs(9))), "limits requests"),
        ((429, Some(4), json!("")), Advice::Retry(Some(Duration::from_secs(4))), "limits requests"),
        ((503, None, json!("")), Advice::Retry(None), "503"),
        ((404, None, json!("")), Advice::Reject, "404"),
    ] {
        let (slack, _) = slack(answer).await?;
        let fault = slack.post("#deploys", None, "text").await.expect_err(words);
        assert_eq!(fault.advice, advice, "{words}");
        assert!(fault.chain().contains(words) && !fault.chain().contains("xoxb"), "{}", fault.chain());
    }
    Ok(())
}

#[tokio::test]
async fn an_unreachable_slack_is_tried_again() -> anyhow::Result<()> {
    let slack = Slack::new("http://127.0.0.1:9", Secret::new("xoxb-secret"))?;
    let fault = slack.post("#deploys", None, "text").await.expect_err("unreachable");
    assert_eq!(fault.advice, Advice::Retry(None));
    Ok(())
}

fn mail(to: &str) -> Mail {
    Mail {
        to: vec![to.to_owned()],
        subject: "[slipway] passed: größer".to_owned(),
        body: "Line one\nLine two ✓\n".to_owned(),
    }
}

#[tokio::test]
async fn a_mail_lies_in_the_mailbox_as_it_was_written() -> anyhow::Result<()> {
    let endpoint = local_ministack::shared().endpoint();
    let config = aws::config(endpoint);
    let sender = "slipway-a@example.com";
    aws_sdk_sesv2::Client::new(&config).create_email_identity().email_identity(sender).send().await?;
    Mailer::new(&config, sender).send(&mail("team-a@example.com")).await?;
    let mailbox = reqwest::get(format!("{endpoint}/_ministack/ses/messages")).await?.text().await?;
    for part in ["team-a@example.com", sender] {
        assert!(mailbox.contains(part), "{mailbox}");
    }
    let messages: Value = serde_json::from_str(&mailbox)?;
    assert!(
        holds(&messages, "[slipway] passed: größer") && holds(&messages, "Line one\nLine two ✓\n"),
        "{mailbox}"
    );
    Ok(())
}

#[tokio::test]
async fn a_sender_that_nobody_verified_is_refused() -> anyhow::Result<()> {
    let config = aws::config(local_ministack::shared().endpoint());
    let mailer = Mailer::new(&config, "unknown@example.org");
    let fault = mailer.send(&mail("team-b@example.com")).await.expect_err("not verified");
    assert_eq!(fault.advice, Advice::Reject, "{}", fault.chain());
    Ok(())
}

/// Whether some string in it is exactly this text.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(fields) => fields.values().any(|item| holds(item, text)),
        _ => false,
    }
}
