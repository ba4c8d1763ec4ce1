//! What people and the launcher see of the whole.

use serde_json::json;

use crate::world::{PUSH_TOKEN, SECRET, World, person};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_commits_checks_comments_and_deliveries() {
    let world = World::start().await;
    assert!(page(&world).await.contains("Nothing has been pushed"));
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a.txt", "1").await;
    copy.git(&["checkout", "--quiet", "-b", "feature"]).await;
    copy.write("b.txt", "1");
    let sha = copy.commit("Greet <script>alert(1)</script>").await;
    copy.git(&["push", "--quiet", "origin", "feature"]).await;
    let app = world.app().await;
    let annotation = json!({
        "path": "b.txt", "start_line": 7, "end_line": 7, "annotation_level": "failure", "message": "3 != 4",
    });
    let button = json!({ "label": "Roll back", "description": "d", "identifier": "rollback" });
    let body = json!({
        "name": "slipway / shop", "head_sha": sha, "conclusion": "failure", "actions": [button],
        "output": { "title": "1 of 9 tests failed", "summary": "See below", "annotations": [annotation] },
    });
    world.check("POST /repos/acme/shop/check-runs", &app, Some(body), 201, json!({})).await;
    let body = json!({ "title": "A pull request", "head": "feature", "base": "develop", "draft": true });
    world.check("POST /repos/acme/shop/pulls", &person("dana"), Some(body), 201, json!({})).await;
    let body = json!({ "labels": ["a <label>"] });
    world.check("POST /repos/acme/shop/issues/1/labels", &app, Some(body), 200, json!([{}])).await;
    let body = json!({ "body": "A comment & more" });
    world.check("POST /repos/acme/shop/issues/1/comments", &app, Some(body), 201, json!({})).await;
    let body = json!({ "ref": sha, "environment": "development", "required_contexts": [] });
    world.check("POST /repos/acme/shop/deployments", &app, Some(body), 201, json!({})).await;
    world.hook_of("issue_comment").await;

    let shown = page(&world).await;
    let expected = [
        "acme/shop",
        "git clone http://127.0.0.1:",
        "Greet &lt;script&gt;",
        "feature",
        "failure",
        "1 of 9 tests failed",
        "See below",
        "b.txt:7",
        "3 != 4",
        "[Roll back]",
        "A pull request",
        "draft: feature into develop",
        "[a &lt;label&gt;]",
        "slipway[bot]",
        "A comment &amp; more",
        "development",
        "issue_comment.created",
    ];
    for text in expected {
        assert!(shown.contains(text), "the page lacks {text:?}:\n{shown}");
    }
    assert!(!shown.contains("<script"), "nothing on the page is a script");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_lists_everything_but_secrets() {
    let world = World::start().await;
    let sha = world.clone_of("acme/shop").await.push_file("develop", "a.txt", "1").await;
    let app = world.app().await;
    let body = json!({ "name": "slipway", "head_sha": sha, "conclusion": "success" });
    world.check("POST /repos/acme/shop/check-runs", &app, Some(body), 201, json!({})).await;
    world.hook().await;
    let state =
        world.check("GET /_local/state", "", None, 200, json!({ "webhook_url": world.hook_url })).await;
    assert_eq!(state["repositories"][0]["check_runs"][0]["conclusion"], "success");
    assert_eq!(state["deliveries"][0]["event"], "push");
    let text = state.to_string();
    for secret in [PUSH_TOKEN, SECRET, app.trim_start_matches("Bearer ")] {
        assert!(!text.contains(secret), "a secret is shown");
    }
    assert_eq!(world.call("GET /_local/health", "", None).await.status, 200);
}

async fn page(world: &World) -> String {
    let reply = world.call("GET /", "", None).await;
    assert!(reply.header("content-security-policy").contains("default-src 'none'"));
    String::from_utf8_lossy(&reply.bytes).into_owned()
}
