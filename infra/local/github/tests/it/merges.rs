//! Merge commits, and the queue before a branch.

use serde_json::json;

use crate::world::{Copy, World, holds, names, person, try_git};

const REPO: &str = "/repos/acme/shop";

async fn world_with_pull_requests(branches: &[&str]) -> (World, Copy, Vec<String>) {
    let world = World::subscribed_to(&["merge_group"]).await;
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a.txt", "1\n").await;
    let mut heads = Vec::new();
    for branch in branches {
        copy.git(&["checkout", "--quiet", "develop"]).await;
        heads.push(copy.push_file(branch, &format!("{branch}.txt"), "1\n").await);
        let body = json!({ "title": format!("Add {branch}"), "head": branch, "base": "develop" });
        world.check(&format!("POST {REPO}/pulls"), &person("dana"), Some(body), 201, json!({})).await;
    }
    world.hooks(1 + 2 * branches.len()).await;
    (world, copy, heads)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_merges_with_a_merge_commit() {
    let (world, copy, heads) = world_with_pull_requests(&["one", "two"]).await;
    let tip = copy.git(&["rev-parse", "develop"]).await;
    let (merge, rosa) = (format!("PUT {REPO}/pulls/1/merge"), person("rosa"));
    world.check(&merge, &world.app().await, None, 403, json!({})).await;
    world.check(&merge, &rosa, Some(json!({ "merge_method": "squash" })), 405, json!({})).await;
    world.check(&merge, &rosa, Some(json!({ "sha": tip })), 409, json!({})).await;
    world.check(&format!("PUT {REPO}/pulls/9/merge"), &rosa, None, 404, json!({})).await;
    let done =
        world.check(&merge, &rosa, Some(json!({ "sha": heads[0] })), 200, json!({ "merged": true })).await;
    let told = world.hooks(2).await;
    assert_eq!(names(&told), ["pull_request.closed", "push"]);
    let expected = json!({
        "pull_request": {
            "merged": true, "state": "closed", "merge_commit_sha": done["sha"], "merged_by": { "login": "rosa" },
            "head": { "sha": heads[0] }, "base": { "sha": tip },
        },
        "sender": { "login": "rosa" },
    });
    assert!(holds(&told[0].1, &expected), "{:#}", told[0].1);
    let push = &told[1].1;
    let expected = json!({
        "ref": "refs/heads/develop", "before": tip, "after": done["sha"], "forced": false, "created": false,
        "head_commit": { "id": done["sha"], "message": "Merge pull request #1 from acme/one\n\nAdd one" },
        "commits": [{ "id": heads[0] }, { "id": done["sha"] }], "pusher": { "name": "rosa" },
    });
    assert!(holds(push, &expected), "{push:#}");
    let parents = json!({ "parents": [{ "sha": tip }, { "sha": heads[0] }] });
    let line = format!("GET {REPO}/commits/develop");
    world.check(&line, &rosa, None, 200, parents).await;
    world.check(&merge, &rosa, None, 405, json!({ "message": "Pull Request is not mergeable" })).await;

    // What changes the same lines in another way cannot be merged.
    copy.push_file("two", "one.txt", "other\n").await;
    copy.git(&["checkout", "--quiet", "develop"]).await;
    copy.git(&["pull", "--quiet", "origin", "develop"]).await;
    copy.push_file("develop", "one.txt", "again\n").await;
    world.check(&format!("PUT {REPO}/pulls/2/merge"), &rosa, None, 405, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_builds_on_what_stands_before_and_merges_in_order() {
    let (world, copy, heads) = world_with_pull_requests(&["one", "two"]).await;
    let tip = copy.git(&["rev-parse", "develop"]).await;
    let rosa = person("rosa");
    let queue = |number: u64| format!("/_local{REPO}/merge-queue/{number}");
    world.check(&format!("PUT {}", queue(1)), &world.app().await, None, 401, json!({})).await;
    world.check(&format!("PUT {}", queue(9)), &rosa, None, 404, json!({})).await;
    let first = world.check(&format!("PUT {}", queue(1)), &rosa, None, 200, json!({ "base_sha": tip })).await;
    let told = world.hooks(3).await;
    assert_eq!(names(&told), ["merge_group.checks_requested", "pull_request.enqueued", "push"]);
    let reference = format!("refs/heads/gh-readonly-queue/develop/pr-1-{tip}");
    let expected = json!({
        "merge_group": {
            "head_ref": reference, "base_ref": "refs/heads/develop", "base_sha": tip,
            "head_commit": { "id": first["head_sha"], "message": "Add one (#1)" },
        },
        "repository": { "full_name": "acme/shop" }, "installation": { "id": 501 }, "sender": { "type": "Bot" },
    });
    assert!(holds(&told[0].1, &expected), "{:#}", told[0].1);
    let expected = json!({ "ref": reference, "created": true, "after": first["head_sha"] });
    assert!(holds(&told[2].1, &expected), "{:#}", told[2].1);
    world.check(&format!("PUT {}", queue(1)), &rosa, None, 422, json!({})).await;
    let check = json!({ "name": "slipway", "head_sha": first["head_sha"], "conclusion": "success" });
    world.check(&format!("POST {REPO}/check-runs"), &world.app().await, Some(check), 201, json!({})).await;
    let pushed = try_git(&copy.folder, &["push", "--force", "origin", &format!("HEAD:{reference}")]).await;
    assert!(!pushed.0, "nobody pushes into the queue");

    let expected = json!({ "base_sha": first["head_sha"] });
    let second = world.check(&format!("PUT {}", queue(2)), &rosa, None, 200, expected).await;
    let told = world.hooks(3).await;
    assert_eq!(told[2].1["after"], second["head_sha"]);
    let leave = |number: u64| format!("DELETE {}", queue(number));
    world.check(&leave(2), &rosa, Some(json!({ "reason": "merged" })), 422, json!({})).await;
    world.check(&leave(1), &rosa, Some(json!({ "reason": "bored" })), 422, json!({})).await;

    world.check(&leave(1), &rosa, Some(json!({ "reason": "merged" })), 200, json!({})).await;
    let told = world.hooks(4).await;
    assert_eq!(names(&told), ["merge_group.destroyed", "pull_request.closed", "push", "push"]);
    assert_eq!(told[0].1["reason"], "merged");
    let closed = &told[1].1["pull_request"];
    assert_eq!((&closed["merged"], &closed["merge_commit_sha"]), (&json!(true), &first["head_sha"]));
    assert_eq!(closed["head"]["sha"], heads[0].as_str());
    let moved = told.iter().find(|(_, push)| push["ref"] == "refs/heads/develop").expect("the base moves");
    assert_eq!(moved.1["after"], first["head_sha"]);
    let gone =
        told.iter().find(|(_, push)| push["ref"] == reference.as_str()).expect("the queue's branch goes");
    assert_eq!(gone.1["deleted"], true);

    world.check(&leave(2), &rosa, Some(json!({ "reason": "dequeued" })), 200, json!({})).await;
    let told = world.hooks(3).await;
    assert_eq!(names(&told), ["merge_group.destroyed", "pull_request.dequeued", "push"]);
    assert_eq!(told[0].1["reason"], "dequeued");
    world.check(&leave(2), &rosa, Some(json!({ "reason": "dequeued" })), 404, json!({})).await;
    world.check(&format!("GET {REPO}/pulls/2"), &rosa, None, 200, json!({ "state": "open" })).await;
    world.no_hook_left().await;
}
