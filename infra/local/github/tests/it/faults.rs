//! GitHub on a bad day: secondary limits and outages.

use serde_json::json;

use crate::world::{World, person};

const LIMIT: &str = "PUT /_local/secondary-limit";
const OUTAGE: &str = "PUT /_local/outage";

#[tokio::test(flavor = "multi_thread")]
async fn writes_beyond_the_secondary_limit_are_refused_with_the_time_to_wait() {
    let world = World::start().await;
    let sha = world.clone_of("acme/shop").await.push_file("develop", "a", "1").await;
    let (app, dana) = (world.app().await, person("dana"));
    let check = json!({ "name": "slipway", "head_sha": sha });
    let line = "POST /repos/acme/shop/check-runs";
    let limit = json!({ "per_minute": 2, "retry_after": 30 });
    world.check(LIMIT, "", Some(limit.clone()), 401, json!({})).await;
    world.check(LIMIT, &dana, Some(limit), 200, json!({})).await;
    for _ in 0..2 {
        world.check(line, &app, Some(check.clone()), 201, json!({})).await;
    }
    let headers = [("authorization", app.as_str())];
    let refused = world.send(line, &headers, Some(&check)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (403, "30"));
    let said = refused.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("secondary rate limit"), "{said}");
    assert_ne!(refused.header("x-ratelimit-remaining"), "0", "the hour is not used up");

    world.check("GET /repos/acme/shop", &app, None, 200, json!({})).await;
    // A fresh token belongs to the same installation, and asking for it is no write.
    world.check(line, &world.app().await, Some(check.clone()), 403, json!({})).await;
    let status = json!({ "state": "success" });
    world.check(&format!("POST /repos/acme/shop/statuses/{sha}"), &dana, Some(status), 201, json!({})).await;

    world.check(LIMIT, &dana, Some(json!({ "per_hour": 1, "status": 429 })), 200, json!({})).await;
    world.check(line, &app, Some(check.clone()), 201, json!({})).await;
    let refused = world.send(line, &headers, Some(&check)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, ""));
    world.check(LIMIT, &dana, Some(json!({ "per_minute": 1, "status": 500 })), 422, json!({})).await;
    world.check(LIMIT, &dana, Some(json!({})), 200, json!({})).await;
    world.check(line, &app, Some(check), 201, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_answers_every_request_until_it_ends() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    let sha = copy.push_file("main", "a", "1").await;
    let (app, dana) = (world.app().await, person("dana"));
    for status in [502, 503] {
        world.check(OUTAGE, &dana, Some(json!({ "status": status })), 200, json!({})).await;
        let lines = [
            "GET /repos/acme/open".to_owned(),
            "POST /repos/acme/open/check-runs".to_owned(),
            format!("GET /codeload/acme/open/legacy.zip/{sha}"),
        ];
        for line in lines {
            let reply = world.call(&line, &app, None).await;
            assert_eq!(reply.status.as_u16(), status, "{line}");
        }
    }
    world.check(OUTAGE, &dana, Some(json!({ "status": 404 })), 422, json!({})).await;
    world.check(OUTAGE, &dana, Some(json!({})), 200, json!({})).await;
    world.check("GET /repos/acme/open", &app, None, 200, json!({})).await;
    world.check(OUTAGE, &dana, Some(json!({ "status": 503, "seconds": 0 })), 200, json!({})).await;
    world.check("GET /repos/acme/open", &app, None, 200, json!({ "name": "open" })).await;
}
