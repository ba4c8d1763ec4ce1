//! The Slack stand-in answers as Slack's Web API does, and shows what was posted.

use std::future::Future;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local::slack;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "xoxb-test";

#[tokio::test]
async fn a_thread_is_posted_changed_and_shown() -> anyhow::Result<()> {
    with_slack(|url| async move {
        let first =
            call(&url, "chat.postMessage", TOKEN, &json!({ "channel": "#releases", "text": "started" }))
                .await?;
        let (channel, ts) = (first["channel"].clone(), first["ts"].clone());
        let reply = json!({ "channel": channel, "thread_ts": ts, "text": "a test failed: 1 < 2" });
        assert_eq!(call(&url, "chat.postMessage", TOKEN, &reply).await?["ok"], true);
        let change = json!({ "channel": channel, "ts": ts, "text": "passed" });
        assert_eq!(call(&url, "chat.update", TOKEN, &change).await?["ts"], ts);

        let messages: Vec<slack::Message> = serde_json::from_str(&get(&url, "/messages").await?)?;
        let shown: Vec<_> = messages.iter().map(|message| (message.text.as_str(), message.changes)).collect();
        assert_eq!(shown, [("passed", 1), ("a test failed: 1 < 2", 0)]);
        assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
        let page = get(&url, "/").await?;
        assert!(page.contains("#releases (edited)") && page.contains("1 &lt; 2"), "{page}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_slack_refuses_is_refused_with_its_word() -> anyhow::Result<()> {
    with_slack(|url| async move {
        let posted = call(&url, "chat.postMessage", TOKEN, &json!({ "channel": "ops", "text": "a" })).await?;
        let ts = &posted["ts"];
        let check = async |method: &str, token: &str, body: Value, expect: &str| {
            let answer = call(&url, method, token, &body).await?;
            assert_eq!(answer, json!({ "ok": false, "error": expect }), "{method} {body}");
            anyhow::Ok(())
        };
        check("chat.postMessage", "xoxb-other", json!({ "channel": "ops", "text": "a" }), "invalid_auth")
            .await?;
        check("chat.postMessage", TOKEN, json!({ "text": "a" }), "channel_not_found").await?;
        check("chat.postMessage", TOKEN, json!({ "channel": "ops" }), "no_text").await?;
        let nowhere = json!({ "channel": "ops", "text": "a", "thread_ts": "1.2" });
        check("chat.postMessage", TOKEN, nowhere, "thread_not_found").await?;
        // Posting takes a channel's name; changing takes only its id.
        let by_name = json!({ "channel": "ops", "ts": ts, "text": "b" });
        check("chat.update", TOKEN, by_name, "channel_not_found").await?;
        let unknown = json!({ "channel": posted["channel"], "ts": "1.2", "text": "b" });
        check("chat.update", TOKEN, unknown, "message_not_found").await
    })
    .await
}

async fn with_slack<F: Future<Output = anyhow::Result<()>>>(
    story: impl FnOnce(String) -> F,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(slack::serve(listener, TOKEN, shutdown.clone()));
    let told = story(url).await;
    shutdown.cancel();
    served.await??;
    told
}

async fn call(url: &str, method: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    let request = Request::post(format!("{url}/api/{method}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json; charset=utf-8")
        .body(Full::new(Bytes::from(body.to_string())))?;
    serde_json::from_str(&send(request).await?).context("no JSON")
}

async fn get(url: &str, path: &str) -> anyhow::Result<String> {
    send(Request::get(format!("{url}{path}")).body(Full::default())?).await
}

async fn send(request: Request<Full<Bytes>>) -> anyhow::Result<String> {
    // A connection of its own for each request: a kept one would hold up the graceful end.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let body = client.request(request).await?.into_body().collect().await?;
    Ok(String::from_utf8(body.to_bytes().into())?)
}
