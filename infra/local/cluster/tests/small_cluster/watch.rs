//! Watches: from a revision on, filtered, and refused when it is forgotten.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::StreamExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::{PATIENCE, Server, at, contract};

/// Reads so many events of a watch.
async fn events(server: &Server, path: &str, count: usize) -> Vec<Value> {
    let mut request = Request::get(format!("{}{path}", server.url));
    if !server.token.is_empty() {
        request = request.header("authorization", format!("Bearer {}", server.token));
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let response = client.request(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    let mut stream = Body::new(response.into_body()).into_data_stream();
    let mut text = String::new();
    while text.matches('\n').count() < count {
        let chunk = timeout(PATIENCE, stream.next()).await.expect("events in time");
        let Some(chunk) = chunk else { break };
        text.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
    }
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn changes_arrive_in_order_and_leave_with_their_labels() {
    contract("watching", async |server: Server| {
        let all = "/api/v1/namespaces/watching/configmaps";
        let list = server.get(all).await.body;
        let revision = at(&list, "/metadata/resourceVersion").as_str().expect("a revision").to_owned();
        let path = format!("{all}?watch=true&labelSelector=app%3Da&resourceVersion={revision}");
        let watching = tokio::spawn({
            let server = server.clone();
            async move { events(&server, &path, 4).await }
        });
        let object = |app: &str, value: &str| {
            json!({ "metadata": { "name": "x", "labels": { "app": app } }, "data": { "a": value } })
        };
        server.create(all, &object("a", "1")).await;
        server.merge(&format!("{all}/x"), &object("a", "2")).await;
        server.merge(&format!("{all}/x"), &object("b", "3")).await;
        server.merge(&format!("{all}/x"), &object("a", "4")).await;
        let seen = timeout(Duration::from_secs(20), watching).await.expect("in time").expect("no panic");
        let kinds: Vec<&str> = seen.iter().filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(kinds, ["ADDED", "MODIFIED", "DELETED", "ADDED"]);
        assert_eq!(*at(&seen[1], "/object/data/a"), json!("2"));
    })
    .await;
}

#[tokio::test]
async fn a_watch_ends_after_its_time() {
    contract("ending", async |server: Server| {
        let path = "/api/v1/namespaces/ending/secrets?watch=1&timeoutSeconds=1&resourceVersion=0";
        let answer = server.get(path).await;
        assert_eq!(answer.code, 200, "{}", answer.text);
    })
    .await;
}
