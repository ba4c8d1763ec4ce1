//! Comments and reactions, statuses, deployments.

use serde_json::{Value, json};

use crate::world::{World, person};

const REPO: &str = "/repos/acme/shop";

/// A world with one pull request, and the SHA of its head.
async fn world_with_a_pull_request() -> (World, String) {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a.txt", "1\n").await;
    let head = copy.push_file("feature", "b.txt", "1\n").await;
    let body = json!({ "title": "Add b", "head": "feature", "base": "develop" });
    world.check(&format!("POST {REPO}/pulls"), &person("dana"), Some(body), 201, json!({})).await;
    (world, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_written_edited_and_told() {
    let (world, _) = world_with_a_pull_request().await;
    let (app, dana) = (world.app().await, person("dana"));
    let comments = format!("{REPO}/issues/1/comments");
    let bot = json!({ "body": "Planned", "user": { "login": "slipway[bot]", "type": "Bot" } });
    let created =
        world.check(&format!("POST {comments}"), &app, Some(json!({ "body": "Planned" })), 201, bot).await;
    assert_eq!(world.hook_of("issue_comment").await.payload["action"], "created");
    let one = format!("{REPO}/issues/comments/{}", created["id"]);
    world
        .check(&format!("PATCH {one}"), &app, Some(json!({ "body": "Done" })), 200, json!({ "body": "Done" }))
        .await;
    let edited = world.hook_of("issue_comment").await.payload;
    assert_eq!(
        (&edited["action"], &edited["changes"]),
        (&json!("edited"), &json!({ "body": { "from": "Planned" } }))
    );
    assert_eq!(edited["comment"]["performed_via_github_app"]["id"], 77);
    world.check(&format!("GET {one}"), &app, None, 200, json!({ "body": "Done" })).await;

    let command = json!({ "body": "/ok-to-test" });
    let said = world
        .check(&format!("POST {comments}"), &dana, Some(command), 201, json!({ "user": { "type": "User" } }))
        .await;
    let told = world.hook_of("issue_comment").await.payload;
    assert_eq!((&told["comment"]["body"], &told["sender"]["login"]), (&json!("/ok-to-test"), &json!("dana")));
    assert_eq!(told["issue"]["number"], 1);
    assert!(told["comment"]["performed_via_github_app"].is_null(), "a person wrote it");
    assert!(told["issue"]["pull_request"]["url"].as_str().is_some_and(|url| url.ends_with("/pulls/1")));
    let edit = format!("PATCH {REPO}/issues/comments/{}", said["id"]);
    world.check(&edit, &app, Some(json!({ "body": "x" })), 403, json!({})).await;

    let listed = json!([{ "body": "Done" }, { "body": "/ok-to-test" }]);
    world.check(&format!("GET {comments}"), &app, None, 200, listed).await;
    world
        .check(
            &format!("GET {comments}?per_page=1&page=2"),
            &app,
            None,
            200,
            json!([{ "body": "/ok-to-test" }]),
        )
        .await;
    world.check(&format!("GET {comments}?since=2999-01-01T00:00:00Z"), &app, None, 200, json!([])).await;
    let refused = [json!({ "body": "" }), json!({}), json!({ "body": "x".repeat(65_537) })];
    for body in refused {
        world.check(&format!("POST {comments}"), &app, Some(body.clone()), 422, json!({})).await;
        world.check(&format!("PATCH {one}"), &app, Some(body), 422, json!({})).await;
    }
    world
        .check(&format!("POST {comments}"), &app, Some(json!({ "body": "ä".repeat(65_536) })), 201, json!({}))
        .await;
    world
        .check(&format!("POST {REPO}/issues/9/comments"), &app, Some(json!({ "body": "x" })), 404, json!({}))
        .await;
    let reply = world.call(&format!("DELETE {one}"), &app, None).await;
    assert_eq!(reply.status, 204);
    assert_eq!(world.hook_of_action("issue_comment", "deleted").await["comment"]["body"], "Done");
    world.check(&format!("GET {one}"), &app, None, 404, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_counts_once_for_each_account() {
    let (world, _) = world_with_a_pull_request().await;
    let app = world.app().await;
    let body = json!({ "body": "/rollback" });
    let comment = world
        .check(&format!("POST {REPO}/issues/1/comments"), &person("dana"), Some(body), 201, json!({}))
        .await;
    let reactions = format!("{REPO}/issues/comments/{}/reactions", comment["id"]);
    let post = format!("POST {reactions}");
    let eyes = json!({ "content": "eyes" });
    world.check(&post, &app, Some(eyes.clone()), 201, json!({ "user": { "login": "slipway[bot]" } })).await;
    world.check(&post, &app, Some(eyes.clone()), 200, json!({ "content": "eyes" })).await;
    world.check(&post, &person("rosa"), Some(eyes), 201, json!({})).await;
    world.check(&post, &app, Some(json!({ "content": "applause" })), 422, json!({})).await;
    for content in ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket"] {
        world
            .check(&post, &app, Some(json!({ "content": content })), 201, json!({ "content": content }))
            .await;
    }
    let one = format!("GET {REPO}/issues/comments/{}", comment["id"]);
    let sum = json!({ "reactions": { "total_count": 9, "eyes": 2, "rocket": 1 } });
    world.check(&one, &app, None, 200, sum).await;
    let rockets = json!([{ "content": "rocket", "user": { "type": "Bot" } }]);
    world.check(&format!("GET {reactions}?content=rocket"), &app, None, 200, rockets).await;
    world
        .check(
            &format!("GET {reactions}?content=eyes"),
            &app,
            None,
            200,
            json!([{ "content": "eyes" }, { "content": "eyes" }]),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_status_of_each_context_counts() {
    let (world, head) = world_with_a_pull_request().await;
    let app = world.app().await;
    let combined = format!("GET {REPO}/commits/feature/status");
    world.check(&combined, &app, None, 200, json!({ "state": "pending", "total_count": 0 })).await;
    let steps = [
        ("unit", "failure", "failure"),
        ("lint", "pending", "failure"),
        ("unit", "success", "pending"),
        ("lint", "success", "success"),
    ];
    for (context, state, sum) in steps {
        let body = json!({ "state": state, "context": context });
        world
            .check(&format!("POST {REPO}/statuses/{head}"), &app, Some(body), 201, json!({ "state": state }))
            .await;
        world.check(&combined, &app, None, 200, json!({ "state": sum, "sha": head })).await;
    }
    let all = world
        .check(&format!("GET {REPO}/commits/{head}/statuses"), &app, None, 200, json!([{}, {}, {}, {}]))
        .await;
    assert_eq!(all[0]["context"], "lint");
    for body in [
        json!({ "state": "green" }),
        json!({}),
        json!({ "state": "success", "description": "d".repeat(141) }),
    ] {
        world.check(&format!("POST {REPO}/statuses/{head}"), &app, Some(body), 422, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_succeeds_retires_the_one_before() {
    let (world, head) = world_with_a_pull_request().await;
    let app = world.app().await;
    let post = format!("POST {REPO}/deployments");
    let wanted = json!({ "ref": head, "environment": "development", "required_contexts": [], "payload": { "run": 1 } });
    let expected =
        json!({ "sha": head, "environment": "development", "task": "deploy", "payload": { "run": 1 } });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = world.check(&post, &app, Some(wanted.clone()), 201, expected.clone()).await;
        let statuses = format!("POST {REPO}/deployments/{}/statuses", created["id"]);
        for state in ["in_progress", "success"] {
            let body =
                json!({ "state": state, "description": "d", "environment_url": "http://127.0.0.1:1/" });
            world
                .check(
                    &statuses,
                    &app,
                    Some(body),
                    201,
                    json!({ "state": state, "environment": "development" }),
                )
                .await;
        }
        ids.push(created["id"].clone());
    }
    let states = |id: &Value| format!("GET {REPO}/deployments/{id}/statuses");
    let retired = json!([{ "state": "inactive" }, { "state": "success" }, { "state": "in_progress" }]);
    let first = world.check(&states(&ids[0]), &app, None, 200, retired).await;
    let current = json!([{ "state": "success" }, { "state": "in_progress" }]);
    world.check(&states(&ids[1]), &app, None, 200, current).await;
    let one = format!("GET {REPO}/deployments/{}/statuses/{}", ids[0], first[2]["id"]);
    world.check(&one, &app, None, 200, json!({ "state": "in_progress" })).await;
    let found = json!([{ "id": ids[1] }, { "id": ids[0] }]);
    let listing = format!("GET {REPO}/deployments?environment=development&sha={head}");
    world.check(&listing, &app, None, 200, found).await;
    world.check(&format!("GET {REPO}/deployments?environment=other"), &app, None, 200, json!([])).await;

    let refused = [
        json!({ "state": "fine" }),
        json!({}),
        json!({ "state": "success", "description": "d".repeat(141) }),
    ];
    for body in refused {
        world
            .check(&format!("POST {REPO}/deployments/{}/statuses", ids[1]), &app, Some(body), 422, json!({}))
            .await;
    }
    world
        .check(
            &format!("POST {REPO}/deployments/9/statuses"),
            &app,
            Some(json!({ "state": "success" })),
            404,
            json!({}),
        )
        .await;
    world.check(&post, &app, Some(json!({ "ref": "none" })), 422, json!({})).await;
    let failed = json!({ "state": "failure", "context": "unit" });
    world.check(&format!("POST {REPO}/statuses/{head}"), &app, Some(failed), 201, json!({})).await;
    world.check(&post, &app, Some(json!({ "ref": head })), 409, json!({})).await;
    world
        .check(&post, &app, Some(json!({ "ref": head, "required_contexts": ["unit"] })), 409, json!({}))
        .await;
    world.check(&post, &app, Some(wanted), 201, json!({})).await;
}
