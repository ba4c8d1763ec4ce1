//! What people do to pull requests, and what the App hears of it.

use serde_json::json;

use crate::world::{Copy, World, holds, person};

const REPO: &str = "/repos/acme/shop";
const ONE: &str = "/repos/acme/shop/pulls/1";

/// A world with pull request 1 of `feature` into `develop`, and nothing left to hear.
async fn world_with_a_pull_request() -> (World, Copy, String) {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a.txt", "1\n").await;
    let head = copy.push_file("feature", "b.txt", "1\n").await;
    let body = json!({ "title": "Add b", "head": "feature", "base": "develop", "draft": true });
    world.check(&format!("POST {REPO}/pulls"), &person("dana"), Some(body), 201, json!({})).await;
    let told = world.hook_of_action("pull_request", "opened").await;
    assert_eq!((&told["pull_request"]["draft"], &told["pull_request"]["labels"]), (&json!(true), &json!([])));
    (world, copy, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_becomes_ready_and_a_draft_again() {
    let (world, ..) = world_with_a_pull_request().await;
    let line = format!("PUT /_local{ONE}/draft");
    world.check(&line, "", Some(json!({ "draft": false })), 404, json!({})).await;
    world.check(&line, &world.app().await, Some(json!({ "draft": false })), 401, json!({})).await;
    for (draft, action) in [(false, "ready_for_review"), (true, "converted_to_draft")] {
        let (wanted, expected) = (json!({ "draft": draft }), json!({ "draft": draft, "number": 1 }));
        for _ in 0..2 {
            world.check(&line, &person("rosa"), Some(wanted.clone()), 200, expected.clone()).await;
        }
        let told = world.hook_of("pull_request").await.payload;
        assert_eq!((&told["action"], &told["sender"]["login"]), (&json!(action), &json!("rosa")));
        assert_eq!(told["pull_request"]["draft"], draft);
    }
    world.no_hook_left().await;
    let merge = format!("PUT {ONE}/merge");
    world.check(&merge, &person("dana"), None, 405, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_come_and_go() {
    let (world, ..) = world_with_a_pull_request().await;
    let app = world.app().await;
    let labels = format!("{REPO}/issues/1/labels");
    let wanted = json!({ "labels": ["full-ci"] });
    let one = json!([{ "name": "full-ci" }]);
    world.check(&format!("POST {labels}"), &app, Some(wanted.clone()), 200, one.clone()).await;
    let told = world.hook_of("pull_request").await.payload;
    let expected = json!({
        "action": "labeled", "number": 1, "label": { "name": "full-ci" }, "sender": { "type": "Bot" },
        "pull_request": { "labels": one }, "installation": { "id": 501 },
    });
    assert!(holds(&told, &expected), "{told:#}");
    // A label that is there already is no news.
    world.check(&format!("POST {labels}"), &app, Some(wanted), 200, one.clone()).await;
    world.check(&format!("POST {labels}"), &app, Some(json!({ "labels": [" "] })), 422, json!({})).await;
    world.check(&format!("GET {labels}"), &app, None, 200, one).await;
    world.check(&format!("DELETE {labels}/Full-CI"), &app, None, 200, json!([])).await;
    let told = world.hook_of("pull_request").await.payload;
    assert_eq!((&told["action"], &told["label"]["name"]), (&json!("unlabeled"), &json!("full-ci")));
    world.check(&format!("DELETE {labels}/full-ci"), &app, None, 404, json!({})).await;
    world.check(&format!("GET {REPO}/issues/9/labels"), &app, None, 404, json!({})).await;
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_tells_what_was_before() {
    let (world, copy, _) = world_with_a_pull_request().await;
    copy.git(&["checkout", "--quiet", "develop"]).await;
    let other = copy.push_file("release", "c.txt", "1\n").await;
    world.hook_of("push").await;
    let (patch, dana) = (format!("PATCH {ONE}"), person("dana"));
    let wanted = json!({ "base": "release", "title": "Add b there" });
    let expected = json!({ "base": { "ref": "release", "sha": other }, "title": "Add b there" });
    world.check(&patch, &dana, Some(wanted.clone()), 200, expected).await;
    let told = world.hook_of("pull_request").await.payload;
    let changes = json!({ "base": { "ref": { "from": "develop" } }, "title": { "from": "Add b" } });
    assert_eq!(told["action"], "edited");
    assert!(holds(&told["changes"], &changes), "{told:#}");
    assert_eq!(told["pull_request"]["base"]["ref"], "release");
    world.check(&patch, &dana, Some(wanted), 200, json!({})).await;
    world.check(&patch, &dana, Some(json!({ "base": "none" })), 422, json!({})).await;
    world.check(&patch, &dana, Some(json!({ "body": "More" })), 200, json!({ "body": "More" })).await;
    let told = world.hook_of("pull_request").await.payload;
    assert_eq!(told["changes"], json!({ "body": { "from": "" } }));
    world.check(&format!("GET {REPO}/pulls?base=release"), &dana, None, 200, json!([{ "number": 1 }])).await;
    world.check(&format!("GET {REPO}/pulls?state=merged"), &dana, None, 422, json!({})).await;

    copy.git(&["push", "--quiet", "origin", ":release"]).await;
    let told = world.hook_of("pull_request").await.payload;
    assert_eq!((&told["action"], &told["pull_request"]["merged"]), (&json!("closed"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_pull_request_has_the_branch_as_it_is_now() {
    let (world, copy, first) = world_with_a_pull_request().await;
    let (patch, dana) = (format!("PATCH {ONE}"), person("dana"));
    world.check(&patch, &dana, Some(json!({ "state": "closed" })), 200, json!({ "state": "closed" })).await;
    world.hook_of_action("pull_request", "closed").await;
    copy.git(&["checkout", "--quiet", "feature"]).await;
    let second = copy.push_file("feature", "b.txt", "2\n").await;
    world.hook_of("push").await;
    world.check(&format!("GET {ONE}"), &dana, None, 200, json!({ "head": { "sha": first } })).await;
    let expected = json!({ "state": "open", "head": { "sha": second } });
    world.check(&patch, &dana, Some(json!({ "state": "open" })), 200, expected).await;
    let told = world.hook_of("pull_request").await.payload;
    assert_eq!((&told["action"], &told["pull_request"]["head"]["sha"]), (&json!("reopened"), &json!(second)));

    world.check(&patch, &dana, Some(json!({ "state": "closed" })), 200, json!({})).await;
    copy.git(&["push", "--quiet", "origin", ":feature"]).await;
    let refused = world.check(&patch, &dana, Some(json!({ "state": "open" })), 422, json!({})).await;
    let said = refused["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("has been deleted"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_knows_its_pull_requests() {
    let (world, copy, head) = world_with_a_pull_request().await;
    let app = world.app().await;
    let base = copy.git(&["rev-parse", "develop"]).await;
    let of = |sha: &str| format!("GET {REPO}/commits/{sha}/pulls");
    let opened = json!([{ "number": 1, "state": "open" }]);
    world.check(&of(&head), &app, None, 200, opened.clone()).await;
    world.check(&of("feature"), &app, None, 200, opened).await;
    world.check(&of(&base), &app, None, 200, json!([])).await;
    world.check(&of("none"), &app, None, 422, json!({})).await;
    copy.git(&["push", "--quiet", "origin", "develop:release"]).await;
    let body = json!({ "title": "Add b", "head": "feature", "base": "release" });
    world.check(&format!("POST {REPO}/pulls"), &person("dana"), Some(body), 201, json!({})).await;
    world.check(&of(&head), &app, None, 200, json!([{ "number": 2 }, { "number": 1 }])).await;
    // Once it is in the default branch, only what brought it there counts.
    let ready = format!("PUT /_local{ONE}/draft");
    world.check(&ready, &person("dana"), Some(json!({ "draft": false })), 200, json!({})).await;
    let merged = world.check(&format!("PUT {ONE}/merge"), &person("dana"), None, 200, json!({})).await;
    for sha in [head.as_str(), merged["sha"].as_str().unwrap_or_default()] {
        let found = world.check(&of(sha), &app, None, 200, json!([{ "number": 1, "state": "closed" }])).await;
        assert_eq!(found[0]["merge_commit_sha"], merged["sha"]);
    }
}
