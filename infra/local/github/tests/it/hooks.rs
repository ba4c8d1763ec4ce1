//! Deliveries: recorded, listed, sent again with the same name.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::{World, jwt, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_not_repeated_but_can_be_sent_again() {
    let world = World::start().await;
    world.answer_hooks_with(StatusCode::INTERNAL_SERVER_ERROR);
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a", "1").await;
    let first = world.hook().await;
    let listed = settled(&world, 1).await;
    assert_eq!((&listed[0]["status_code"], &listed[0]["event"]), (&json!(500), &json!("push")));
    assert_eq!(
        (&listed[0]["guid"], &listed[0]["redelivery"]),
        (&json!(first.header("x-github-delivery")), &json!(false))
    );
    world.no_hook_left().await;

    world.answer_hooks_with(StatusCode::ACCEPTED);
    let id = &listed[0]["id"];
    world.check(&format!("POST /app/hook/deliveries/{id}/attempts"), &jwt(), None, 202, json!({})).await;
    let second = world.hook().await;
    assert_eq!(second.header("x-github-delivery"), first.header("x-github-delivery"));
    assert_eq!(second.payload, first.payload);
    let listed = settled(&world, 2).await;
    assert_eq!((&listed[0]["status_code"], &listed[0]["redelivery"]), (&json!(202), &json!(true)));
    assert_eq!(listed[1]["status_code"], 500, "the newest comes first");

    let id = &listed[0]["id"];
    let expected = json!({ "request": { "payload": { "ref": "refs/heads/develop" } }, "status": "OK" });
    world.check(&format!("GET /app/hook/deliveries/{id}"), &jwt(), None, 200, expected).await;
    let reply = world.call("GET /app/hook/deliveries?per_page=1", &jwt(), None).await;
    let next = reply.header("link").trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
    let rest = world.check(&format!("GET {next}"), &jwt(), None, 200, json!([{ "status_code": 500 }])).await;
    assert_eq!(rest[0]["id"], listed[1]["id"]);
    let failed = "GET /app/hook/deliveries?status=failure";
    world.check(failed, &jwt(), None, 200, json!([{ "status_code": 500 }])).await;

    world.check("GET /app/hook/deliveries", &world.app().await, None, 401, json!({})).await;
    world.check("POST /app/hook/deliveries/1/attempts", &jwt(), None, 404, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_sends_the_same_bytes_under_the_same_name() {
    let world = World::start().await;
    world.clone_of("acme/shop").await.push_file("develop", "a", "1").await;
    let first = world.hook().await;
    let again = format!("POST /_local/deliveries/{}/attempts", settled(&world, 1).await[0]["id"]);
    world.check(&again, &world.app().await, None, 401, json!({})).await;
    world.check(&again, &person("rosa"), None, 202, json!({})).await;
    let second = world.hook().await;
    assert_eq!(second.bytes, first.bytes);
    for name in ["x-github-delivery", "x-github-event", "x-hub-signature-256"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    world.check("POST /_local/deliveries/1/attempts", &person("rosa"), None, 404, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_serves_is_a_recorded_failure() {
    let world = World::start().await;
    // The port of a listener that has gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    let body = json!({ "url": format!("http://{gone}/webhook") });
    world.check("PUT /_local/webhook", "", Some(body.clone()), 401, json!({})).await;
    world.check("PUT /_local/webhook", &person("dana"), Some(body), 200, json!({})).await;
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a", "1").await;
    let listed = settled(&world, 1).await;
    assert_eq!(
        (&listed[0]["status_code"], &listed[0]["status"]),
        (&json!(0), &json!("failed to connect to host"))
    );

    world.github.set_webhook(&world.hook_url, "another secret");
    copy.push_file("develop", "a", "2").await;
    let listed = settled(&world, 2).await;
    assert_eq!(listed[0]["status_code"], 401, "the receiver refuses a signature of another secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_is_cut_off_after_ten_seconds() {
    let world = World::start().await;
    // The kernel takes the connection, and nobody ever reads from it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    world.github.set_webhook(format!("http://{}/", silent.local_addr().expect("an address")), "s");
    world.clone_of("acme/shop").await.push_file("develop", "a", "1").await;
    let listed = settled(&world, 1).await;
    assert_eq!((&listed[0]["status"], &listed[0]["status_code"]), (&json!("timed out"), &json!(0)));
    let took = listed[0]["duration"].as_f64().unwrap_or_default();
    assert!((10.0..25.0).contains(&took), "cut off after {took} s");
}

/// The deliveries, once there are this many and all have ended.
async fn settled(world: &World, count: usize) -> serde_json::Value {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
    loop {
        let snapshot = world.github.snapshot();
        let all = snapshot["deliveries"].as_array().cloned().unwrap_or_default();
        if all.len() == count && all.iter().all(|delivery| !delivery["status_code"].is_null()) {
            return world.call("GET /app/hook/deliveries", &jwt(), None).await.json();
        }
        assert!(std::time::Instant::now() < deadline, "deliveries did not end: {all:#?}");
        ticks.tick().await;
    }
}
