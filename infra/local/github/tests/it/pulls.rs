//! Pull requests, from the repository itself and from forks.

use serde_json::{Value, json};

use crate::world::{World, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_follows_its_branch_until_it_is_merged_or_gone() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    let base = copy.push_file("develop", "a.txt", "1\n").await;
    let first = copy.push_file("feature/x", "b.txt", "1\n").await;
    let dana = person("dana");
    let body = json!({ "title": "Add b", "head": "feature/x", "base": "develop", "body": "Please" });
    let expected = json!({
        "number": 1, "state": "open", "merged": false, "title": "Add b", "user": { "login": "dana" },
        "head": { "ref": "feature/x", "sha": first, "repo": { "full_name": "acme/shop" }, "label": "acme:feature/x" },
        "base": { "ref": "develop", "sha": base }, "changed_files": 1, "commits": 1,
    });
    world.check("POST /repos/acme/shop/pulls", &dana, Some(body), 201, expected.clone()).await;
    let opened = world.hook_of("pull_request").await.payload;
    assert_eq!((&opened["action"], &opened["number"]), (&json!("opened"), &json!(1)));
    assert_eq!(opened["pull_request"]["head"]["sha"], first.as_str());
    assert_eq!(opened["installation"]["id"], 501);
    world.check("GET /repos/acme/shop/pulls/1", &dana, None, 200, expected).await;
    let fetched = copy.git(&["ls-remote", "origin", "refs/pull/1/head"]).await;
    assert!(fetched.starts_with(&first));

    let second = copy.push_file("feature/x", "b.txt", "2\n").await;
    let moved = world.hook_of("pull_request").await.payload;
    assert_eq!((&moved["action"], &moved["sender"]["login"]), (&json!("synchronize"), &json!("dana")));
    assert_eq!((&moved["before"], &moved["after"]), (&json!(first), &json!(second)));
    assert_eq!(moved["pull_request"]["head"]["sha"], second.as_str());

    copy.git(&["push", "--quiet", "origin", "feature/x:develop"]).await;
    let merged = world.hook_of("pull_request").await.payload;
    assert_eq!((&merged["action"], &merged["pull_request"]["merged"]), (&json!("closed"), &json!(true)));
    world.check("GET /repos/acme/shop/pulls", &dana, None, 200, json!([])).await;
    world
        .check(
            "GET /repos/acme/shop/pulls?state=all",
            &dana,
            None,
            200,
            json!([{ "number": 1, "state": "closed" }]),
        )
        .await;

    copy.push_file("second", "c.txt", "1\n").await;
    let body = json!({ "title": "Add c", "head": "second", "base": "develop" });
    world.check("POST /repos/acme/shop/pulls", &dana, Some(body), 201, json!({ "number": 2 })).await;
    assert_eq!(world.hook_of("pull_request").await.payload["action"], "opened");
    copy.git(&["push", "--quiet", "origin", ":second"]).await;
    let gone = world.hook_of("pull_request").await.payload;
    assert_eq!((&gone["action"], &gone["pull_request"]["merged"]), (&json!("closed"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_offers_its_commits() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    copy.push_file("main", "a.txt", "1\n").await;
    let body = json!({ "owner": "mallory", "name": "open", "fork_of": "acme/open" });
    world
        .check("POST /_local/repositories", &person("mallory"), Some(body), 201, json!({ "fork": true }))
        .await;
    let fork = world.clone_of("mallory/open").await;
    let head = fork.push_file("patch", "b.txt", "1\n").await;
    let app = world.app().await;
    world
        .check("GET /repos/mallory/open", &app, None, 200, json!({ "parent": { "full_name": "acme/open" } }))
        .await;
    let compare = "GET /repos/acme/open/compare/main...mallory:patch";
    world.check(compare, &app, None, 200, json!({ "status": "ahead", "commits": [{ "sha": head }] })).await;

    let body = json!({ "title": "Patch", "head": "mallory:patch", "base": "main" });
    let expected = json!({
        "head": { "sha": head, "repo": { "full_name": "mallory/open", "fork": true }, "label": "mallory:patch" },
        "base": { "repo": { "full_name": "acme/open", "fork": false } },
    });
    world.check("POST /repos/acme/open/pulls", &person("mallory"), Some(body), 201, expected).await;
    let opened = world.hook_of("pull_request").await.payload;
    assert_eq!(opened["repository"]["full_name"], "acme/open");
    assert_eq!(opened["pull_request"]["head"]["repo"]["full_name"], "mallory/open");
    let check = json!({ "name": "slipway", "head_sha": head, "conclusion": "action_required" });
    world
        .check("POST /repos/acme/open/check-runs", &app, Some(check), 201, json!({ "pull_requests": [] }))
        .await;
    let reply = world.call(&format!("GET /repos/acme/open/zipball/{head}"), &app, None).await;
    assert_eq!(reply.status, 302, "the head's commits are read in the base repository");

    let second = fork.push_file("patch", "b.txt", "2\n").await;
    let moved = world.hook_of("pull_request").await.payload;
    assert_eq!((&moved["action"], &moved["after"]), (&json!("synchronize"), &json!(second)));
    let expected = json!([{ "filename": "b.txt", "status": "added" }]);
    world.check("GET /repos/acme/open/pulls/1/files", &app, None, 200, expected).await;
    world
        .check("GET /repos/acme/open/pulls?head=mallory:patch", &app, None, 200, json!([{ "number": 1 }]))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_refuses_is_refused_and_files_come_in_pages() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.push_file("develop", "a.txt", "1\n").await;
    copy.git(&["push", "--quiet", "origin", "HEAD:same"]).await;
    for number in 0..120 {
        copy.write(&format!("many/{number:03}.txt"), "m");
    }
    copy.push_file("many", "b.txt", "1\n").await;
    let dana = person("dana");
    let pulls = "POST /repos/acme/shop/pulls";
    let wanted = |head: &str, base: &str| json!({ "title": "t", "head": head, "base": base });
    let invalid = |field: &str| json!({ "message": "Validation Failed", "errors": [{ "field": field, "code": "invalid" }] });
    let cases = [
        (wanted("none", "develop"), invalid("head")),
        (wanted("nobody:many", "develop"), invalid("head")),
        (wanted("many", "none"), invalid("base")),
        (
            json!({ "title": " ", "head": "many", "base": "develop" }),
            json!({ "errors": [{ "field": "title" }] }),
        ),
        (json!({ "title": "t", "base": "develop" }), json!({})),
        (
            wanted("same", "develop"),
            json!({ "errors": [{ "message": "No commits between develop and same" }] }),
        ),
    ];
    for (body, expected) in cases {
        world.check(pulls, &dana, Some(body), 422, expected).await;
    }
    world.check(pulls, "", Some(wanted("many", "develop")), 404, json!({})).await;
    world.check(pulls, &dana, Some(wanted("many", "develop")), 201, json!({ "number": 1 })).await;
    let exists = json!({ "errors": [{ "message": "A pull request already exists for acme:many." }] });
    world.check(pulls, &dana, Some(wanted("many", "develop")), 422, exists).await;

    let mut names = Vec::new();
    for page in 1..=2 {
        let line = format!("GET /repos/acme/shop/pulls/1/files?per_page=100&page={page}");
        let reply = world.call(&line, &dana, None).await;
        assert_eq!(reply.header("link").contains("rel=\"next\""), page == 1, "page {page}");
        names.extend(reply.json().as_array().into_iter().flatten().map(|file| file["filename"].clone()));
    }
    names.dedup();
    assert_eq!(names.len(), 121);
    world.check("GET /repos/acme/shop/pulls/7", &dana, None, 404, json!({})).await;
    world.check("GET /repos/acme/shop/pulls/7/files", &dana, None, 404, json!({})).await;

    let one = "PATCH /repos/acme/shop/pulls/1";
    world.check(one, &dana, Some(json!({ "state": "gone" })), 422, json!({})).await;
    world
        .check(
            one,
            &dana,
            Some(json!({ "title": "New", "state": "closed" })),
            200,
            json!({ "title": "New", "state": "closed" }),
        )
        .await;
    world
        .check(
            one,
            &dana,
            Some(json!({ "state": "open" })),
            200,
            json!({ "state": "open", "closed_at": null }),
        )
        .await;
    let mut actions = Vec::new();
    for _ in 0..4 {
        actions.push(world.hook_of("pull_request").await.payload["action"].clone());
    }
    // Deliveries are independent of each other: their order is not promised.
    actions.sort_by_key(Value::to_string);
    assert_eq!(actions, ["closed", "edited", "opened", "reopened"]);
}
