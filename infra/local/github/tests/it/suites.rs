//! Check suites, and everything that an App hears of checks.

use serde_json::{Value, json};

use crate::world::{World, holds, names, person};

const REPO: &str = "/repos/acme/shop";
const CREATE: &str = "POST /repos/acme/shop/check-runs";

async fn world() -> World {
    World::subscribed_to(&["check_run", "check_suite"]).await
}

fn run(name: &str, sha: &str, more: &Value) -> Value {
    let mut body = json!({ "name": name, "head_sha": sha });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_opens_a_suite_and_its_runs_complete_it() {
    let world = world().await;
    let copy = world.clone_of("acme/shop").await;
    let first = copy.push_file("develop", "a.py", "1").await;
    world.hooks(2).await;
    let sha = copy.push_file("develop", "a.py", "2").await;
    let told = world.hooks(2).await;
    assert_eq!(names(&told), ["check_suite.requested", "push"]);
    let requested = json!({
        "check_suite": {
            "head_branch": "develop", "head_sha": sha, "before": first, "after": sha, "status": "queued",
            "conclusion": null, "app": { "id": 77 }, "head_commit": { "id": sha, "message": "Write a.py" },
        },
        "sender": { "login": "dana" }, "installation": { "id": 501 },
    });
    assert!(holds(&told[0].1, &requested), "{:#}", told[0].1);
    let suite = told[0].1["check_suite"]["id"].clone();

    let app = world.app().await;
    let one = format!("GET {REPO}/check-suites/{suite}");
    let created = world.check(CREATE, &app, Some(run("unit", &sha, &json!({}))), 201, json!({})).await;
    assert_eq!(created["check_suite"]["id"], suite);
    let heard = world.hook().await.payload;
    let expected = json!({
        "action": "created", "sender": { "type": "Bot" },
        "check_run": { "id": created["id"], "check_suite": { "id": suite, "head_branch": "develop" } },
    });
    assert!(holds(&heard, &expected), "{heard:#}");
    let lint = run("lint", &sha, &json!({ "conclusion": "success" }));
    world.check(CREATE, &app, Some(lint), 201, json!({})).await;
    assert_eq!(names(&world.hooks(2).await), ["check_run.completed", "check_run.created"]);
    world
        .check(&one, &app, None, 200, json!({ "status": "in_progress", "latest_check_runs_count": 2 }))
        .await;
    let patch = format!("PATCH {REPO}/check-runs/{}", created["id"]);
    world.check(&patch, &app, Some(json!({ "status": "in_progress" })), 200, json!({})).await;
    world.no_hook_left().await;
    world.check(&patch, &app, Some(json!({ "conclusion": "failure" })), 200, json!({})).await;
    let told = world.hooks(2).await;
    assert_eq!(names(&told), ["check_run.completed", "check_suite.completed"]);
    assert_eq!(told[0].1["check_run"]["conclusion"], "failure");
    assert_eq!(told[1].1["check_suite"]["conclusion"], "failure");
    // Text that follows is no new verdict.
    world.check(&patch, &app, Some(json!({ "details_url": "http://127.0.0.1/x" })), 200, json!({})).await;
    world.no_hook_left().await;

    let listed = json!({ "total_count": 1, "check_suites": [{ "id": suite, "conclusion": "failure" }] });
    world.check(&format!("GET {REPO}/commits/develop/check-suites"), &app, None, 200, listed).await;
    let runs = json!({ "check_runs": [{ "name": "lint" }, { "name": "unit" }] });
    world.check(&format!("{one}/check-runs"), &app, None, 200, runs).await;
    world.check(&format!("GET {REPO}/check-suites/5"), &app, None, 404, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_queues_the_suite_and_leaves_its_runs() {
    let world = world().await;
    let copy = world.clone_of("acme/shop").await;
    let sha = copy.push_file("develop", "a.py", "1").await;
    let (app, rosa) = (world.app().await, person("rosa"));
    let unit = run("unit", &sha, &json!({ "conclusion": "failure" }));
    let created = world.check(CREATE, &app, Some(unit.clone()), 201, json!({})).await;
    world.hooks(5).await;
    let suite = format!("{REPO}/check-suites/{}", created["check_suite"]["id"]);
    let again = format!("POST /_local{suite}/rerequest");
    world.check(&format!("POST {suite}/rerequest"), &rosa, None, 403, json!({})).await;
    world.check(&again, &app, None, 401, json!({})).await;
    world.check(&again, &rosa, None, 201, json!({})).await;
    let told = world.hook().await.payload;
    let expected = json!({
        "action": "rerequested", "sender": { "login": "rosa" },
        "check_suite": { "head_sha": sha, "status": "queued", "conclusion": null },
    });
    assert!(holds(&told, &expected), "{told:#}");
    let line = format!("GET {REPO}/check-runs/{}", created["id"]);
    world.check(&line, &app, None, 200, json!({ "conclusion": "failure" })).await;

    let better = run("unit", &sha, &json!({ "conclusion": "success" }));
    world.check(CREATE, &app, Some(better), 201, json!({})).await;
    let told = world.hooks(3).await;
    assert_eq!(names(&told), ["check_run.completed", "check_run.created", "check_suite.completed"]);
    assert_eq!(told[2].1["check_suite"]["conclusion"], "success", "the newest run of a name counts");

    let line = format!("POST /_local{REPO}/check-runs/{}/rerequest", created["id"]);
    world.check(&line, &rosa, None, 201, json!({})).await;
    assert_eq!(world.hook().await.payload["action"], "rerequested");
    world.check(&format!("GET {suite}"), &app, None, 200, json!({ "status": "queued" })).await;

    // The same commit on another branch is the same suite.
    copy.git(&["push", "--quiet", "origin", "HEAD:other"]).await;
    assert_eq!(names(&world.hooks(1).await), ["push"]);
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forks_commit_has_a_suite_of_no_branch() {
    let world = world().await;
    world.clone_of("acme/open").await.push_file("main", "a.txt", "1\n").await;
    let fork = json!({ "owner": "mallory", "name": "open", "fork_of": "acme/open" });
    world.check("POST /_local/repositories", &person("mallory"), Some(fork), 201, json!({})).await;
    let head = world.clone_of("mallory/open").await.push_file("patch", "b.txt", "1\n").await;
    let body = json!({ "title": "Patch", "head": "mallory:patch", "base": "main" });
    world.check("POST /repos/acme/open/pulls", &person("mallory"), Some(body), 201, json!({})).await;
    let told = world.hooks(3).await;
    assert_eq!(names(&told), ["check_suite.requested", "pull_request.opened", "push"]);
    assert_ne!(told[0].1["check_suite"]["head_sha"], head.as_str(), "a fork's push asks for nothing here");
    let app = world.app().await;
    let check = run("slipway", &head, &json!({ "conclusion": "action_required" }));
    world.check("POST /repos/acme/open/check-runs", &app, Some(check), 201, json!({})).await;
    let told = world.hooks(3).await;
    let suite = json!({ "head_branch": null, "pull_requests": [], "conclusion": "action_required" });
    assert!(holds(&told[2].1["check_suite"], &suite), "{:#}", told[2].1);
}
