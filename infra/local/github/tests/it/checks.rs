//! Check runs and GitHub's rules for them.

use serde_json::{Value, json};

use crate::world::{World, person};

const CREATE: &str = "POST /repos/acme/shop/check-runs";

fn note(line: u64) -> Value {
    json!({ "path": "a.py", "start_line": line, "end_line": line, "annotation_level": "failure", "message": "no" })
}

fn notes(count: u64) -> Vec<Value> {
    (1..=count).map(note).collect()
}

fn output(annotations: &[Value]) -> Value {
    json!({ "title": "t", "summary": "s", "annotations": annotations })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_run_lives_from_queued_to_completed() {
    let world = World::start().await;
    let sha = world.clone_of("acme/shop").await.push_file("develop", "a.py", "1").await;
    let app = world.app().await;
    let body = json!({ "name": "slipway", "head_sha": sha, "external_id": "run-1" });
    let expected = json!({
        "status": "queued", "conclusion": null, "completed_at": null, "external_id": "run-1", "head_sha": sha,
        "app": { "id": 77 }, "output": { "title": null, "annotations_count": 0 },
    });
    let created = world.check(CREATE, &app, Some(body), 201, expected).await;
    let address = format!("/repos/acme/shop/check-runs/{}", created["id"]);
    let patch = format!("PATCH {address}");
    let body = json!({ "status": "in_progress", "started_at": "2026-11-23T10:00:00.5Z" });
    let expected =
        json!({ "status": "in_progress", "started_at": "2026-11-23T10:00:00Z", "external_id": "run-1" });
    world.check(&patch, &app, Some(body), 200, expected).await;

    let body = json!({ "output": output(&notes(50)) });
    let expected = json!({ "output": { "annotations_count": 50 }, "status": "in_progress" });
    world.check(&patch, &app, Some(body), 200, expected).await;
    let body = json!({ "conclusion": "failure", "output": output(&[note(51)]) });
    let expected =
        json!({ "status": "completed", "conclusion": "failure", "output": { "annotations_count": 51 } });
    let completed = world.check(&patch, &app, Some(body), 200, expected).await;
    assert!(completed["completed_at"].is_string());

    let line = format!("GET {address}/annotations?per_page=50&page=2");
    let expected =
        json!([{ "path": "a.py", "start_line": 51, "annotation_level": "failure", "message": "no" }]);
    world.check(&line, &app, None, 200, expected).await;
    world.check(&format!("GET {address}"), &app, None, 200, json!({ "conclusion": "failure" })).await;
    world.check("GET /repos/acme/open/check-runs/1001", &app, None, 404, json!({})).await;
    world.check("PATCH /repos/acme/shop/check-runs/5", &app, Some(json!({})), 404, json!({})).await;

    let expected = json!({ "status": "in_progress", "conclusion": null, "completed_at": null });
    world.check(&patch, &app, Some(json!({ "status": "in_progress" })), 200, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_refuses_is_refused() {
    let world = World::start().await;
    let sha = world.clone_of("acme/shop").await.push_file("develop", "a.py", "1").await;
    let app = world.app().await;
    let change = |change: &dyn Fn(&mut Value)| {
        let mut note = note(1);
        change(&mut note);
        json!({ "output": output(&[note]) })
    };
    let action = |label: usize, description: usize, identifier: usize| json!({ "label": "l".repeat(label), "description": "d".repeat(description), "identifier": "i".repeat(identifier) });
    let cases = [
        (json!({}), 201),
        (json!({ "name": null }), 422),
        (json!({ "name": " " }), 422),
        (json!({ "name": 7 }), 422),
        (json!({ "head_sha": null }), 422),
        (json!({ "head_sha": "0123456789012345678901234567890123456789" }), 422),
        (json!({ "head_sha": "develop" }), 422),
        (json!({ "status": "done" }), 422),
        (json!({ "status": "completed" }), 422),
        (json!({ "status": "completed", "conclusion": "success" }), 201),
        (json!({ "status": "in_progress", "conclusion": "success" }), 201),
        (json!({ "conclusion": "skipped" }), 201),
        (json!({ "conclusion": "green" }), 422),
        (json!({ "started_at": "yesterday" }), 422),
        (json!({ "details_url": "ftp://x" }), 422),
        (json!({ "output": { "summary": "s" } }), 422),
        (json!({ "output": { "title": "t" } }), 422),
        (json!({ "output": { "title": "t", "summary": "ä".repeat(65_535) } }), 201),
        (json!({ "output": { "title": "t", "summary": "s".repeat(65_536) } }), 422),
        (json!({ "output": { "title": "t", "summary": "s", "text": "s".repeat(65_536) } }), 422),
        (json!({ "output": output(&notes(50)) }), 201),
        (json!({ "output": output(&notes(51)) }), 422),
        (change(&|note| note["annotation_level"] = json!("error")), 422),
        (change(&|note| note["end_line"] = json!(0)), 422),
        (change(&|note| note["start_line"] = json!(0)), 422),
        (change(&|note| note["path"] = json!("")), 422),
        (change(&|note| note["start_column"] = json!(3)), 201),
        (change(&|note| (note["start_column"], note["end_line"]) = (json!(3), json!(2))), 422),
        (change(&|note| note["title"] = json!("t".repeat(256))), 422),
        (change(&|note| note["message"] = json!("m".repeat(65_537))), 422),
        (change(&|note| note["message"] = Value::Null), 422),
        (json!({ "actions": [action(20, 40, 20), action(1, 1, 1), action(2, 2, 2)] }), 201),
        (json!({ "actions": [action(1, 1, 1), action(1, 1, 1), action(1, 1, 1), action(1, 1, 1)] }), 422),
        (json!({ "actions": [action(21, 1, 1)] }), 422),
        (json!({ "actions": [action(1, 41, 1)] }), 422),
        (json!({ "actions": [action(1, 1, 21)] }), 422),
        (json!({ "actions": [action(0, 1, 1)] }), 422),
    ];
    for (fields, status) in cases {
        let mut body = json!({ "name": "slipway", "head_sha": sha });
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        world.check(CREATE, &app, Some(body), status, json!({})).await;
    }
    let headers = [("authorization", app.as_str())];
    let reply = world.send(CREATE, &headers, Some(&json!([]))).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runs_of_a_commit_are_found_by_name_and_the_newest_counts() {
    let world = World::start().await;
    let sha = world.clone_of("acme/shop").await.push_file("feature/a/b", "a.py", "1").await;
    let app = world.app().await;
    for (name, conclusion) in [("unit", "failure"), ("lint", "success"), ("unit", "success")] {
        let body = json!({ "name": name, "head_sha": sha, "conclusion": conclusion });
        world.check(CREATE, &app, Some(body), 201, json!({})).await;
    }
    world.check(CREATE, &app, Some(json!({ "name": "slow", "head_sha": sha })), 201, json!({})).await;
    let cases = [
        ("", json!(["slow", "unit", "lint"])),
        ("?filter=all", json!(["slow", "unit", "lint", "unit"])),
        ("?check_name=unit", json!(["unit"])),
        ("?check_name=unit&filter=all", json!(["unit", "unit"])),
        ("?status=queued", json!(["slow"])),
        ("?app_id=77", json!(["slow", "unit", "lint"])),
        ("?app_id=78", json!([])),
        ("?per_page=2", json!(["slow", "unit"])),
        ("?per_page=2&page=2", json!(["lint"])),
    ];
    for (query, expected) in cases {
        for reference in [sha.as_str(), "feature/a/b"] {
            let line = format!("GET /repos/acme/shop/commits/{reference}/check-runs{query}");
            let body = world.check(&line, &app, None, 200, json!({})).await;
            let runs = body["check_runs"].as_array().cloned().unwrap_or_default();
            let names: Value = runs.iter().map(|run| run["name"].clone()).collect();
            assert_eq!(names, expected, "{line}");
        }
    }
    let reply =
        world.call(&format!("GET /repos/acme/shop/commits/{sha}/check-runs?per_page=2"), &app, None).await;
    assert_eq!(reply.json()["total_count"], 3);
    let link = reply.header("link");
    assert!(link.contains("per_page=2&page=2>; rel=\"next\"") && link.contains("rel=\"last\""), "{link}");
    world.check("GET /repos/acme/shop/commits/none/check-runs", &app, None, 422, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_ask_for_a_new_run_and_press_buttons_of_completed_ones() {
    let world = World::subscribed_to(&["check_run"]).await;
    let sha = world.clone_of("acme/shop").await.push_file("develop", "a.py", "1").await;
    world.hook_of("push").await;
    let (app, rosa) = (world.app().await, person("rosa"));
    let actions = json!([{ "label": "Retry", "description": "Once more", "identifier": "retry" }]);
    let body = json!({ "name": "slipway", "head_sha": sha, "actions": actions });
    let id = world.check(CREATE, &app, Some(body), 201, json!({})).await["id"].clone();
    let press = format!("POST /_local/repos/acme/shop/check-runs/{id}/buttons/retry");
    let again = format!("POST /_local/repos/acme/shop/check-runs/{id}/rerequest");
    assert_eq!(world.hook().await.payload["action"], "created");
    world.check(&press, &rosa, None, 422, json!({})).await;
    world.check(&again, &rosa, None, 422, json!({})).await;
    let patch = format!("PATCH /repos/acme/shop/check-runs/{id}");
    world.check(&patch, &app, Some(json!({ "conclusion": "failure" })), 200, json!({})).await;
    assert_eq!(world.hook().await.payload["action"], "completed");
    world.no_hook_left().await;

    world.check(&again.replace("/_local", ""), &rosa, None, 403, json!({})).await;
    world.check(&again, &app, None, 401, json!({})).await;
    world.check(&again, &rosa, None, 201, json!({})).await;
    let hook = world.hook_of("check_run").await.payload;
    assert_eq!((&hook["action"], &hook["check_run"]["id"]), (&json!("rerequested"), &id));
    assert_eq!(
        (&hook["sender"]["login"], &hook["check_run"]["conclusion"]),
        (&json!("rosa"), &json!("failure"))
    );
    world.check(&press, &rosa, None, 202, json!({})).await;
    let hook = world.hook_of("check_run").await.payload;
    assert_eq!(
        (&hook["action"], &hook["requested_action"]["identifier"]),
        (&json!("requested_action"), &json!("retry"))
    );
    world.check(&press.replace("retry", "other"), &rosa, None, 422, json!({})).await;
}
