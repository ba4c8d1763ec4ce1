//! What git pushes, and the `push` events it brings.

use local_github::{NewRepository, Options};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::world::{APP_ID, INSTALLATION, KEYS, PUSH_TOKEN, World, git, person, try_git};

const NOTHING: &str = "0000000000000000000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_first_push_tells_everything_about_its_commits() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.git(&["checkout", "--quiet", "-b", "develop"]).await;
    copy.write("a.txt", "one\n");
    copy.write("b/übung file.txt", "two\n");
    copy.commit("First\n\nwith a body").await;
    copy.write("a.txt", "changed\n");
    copy.git(&["mv", "b/übung file.txt", "c.txt"]).await;
    let head = copy.commit("Second").await;
    copy.git(&["push", "--quiet", "origin", "develop"]).await;

    let hook = world.hook().await;
    assert_eq!(hook.header("x-github-event"), "push");
    assert_eq!(hook.header("content-type"), "application/json");
    assert!(hook.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(hook.header("x-github-delivery").len(), 36);
    assert!(!hook.header("x-github-hook-id").is_empty());
    assert_eq!(hook.header("x-github-hook-installation-target-id"), "77");
    let payload = &hook.payload;
    let field = |pointer: &str| payload.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(field("/ref"), "refs/heads/develop");
    assert_eq!(field("/before"), NOTHING);
    assert_eq!(field("/after"), head.as_str());
    assert_eq!(
        (field("/created"), field("/deleted"), field("/forced")),
        (json!(true), json!(false), json!(false))
    );
    assert_eq!(field("/installation/id"), INSTALLATION);
    assert_eq!(field("/repository/full_name"), "acme/shop");
    assert_eq!(field("/repository/owner/login"), "acme");
    assert_eq!(field("/repository/default_branch"), "develop");
    assert_eq!(field("/repository/private"), true);
    assert_eq!(field("/pusher/name"), "dana");
    assert_eq!(field("/sender/login"), "dana");
    assert_eq!(field("/head_commit/id"), head.as_str());
    assert_eq!(field("/head_commit/message"), "Second");
    assert_eq!(field("/commits/0/message"), "First\n\nwith a body");
    assert_eq!(field("/commits/0/added"), json!(["a.txt", "b/übung file.txt"]));
    assert_eq!(field("/commits/1/added"), json!(["c.txt"]));
    assert_eq!(field("/commits/1/removed"), json!(["b/übung file.txt"]));
    assert_eq!(field("/commits/1/modified"), json!(["a.txt"]));
    assert_eq!(field("/commits/1/author/email"), "dana@example.com");
    assert_eq!(field("/commits").as_array().map(Vec::len), Some(2));
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_to_a_ref_is_told_as_what_it_is() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    let first = copy.push_file("main", "a", "1").await;
    world.hook().await;
    let second = copy.push_file("main", "a", "2").await;
    let moved = world.hook().await.payload;
    assert_eq!((&moved["before"], &moved["after"]), (&json!(first), &json!(second)));
    assert_eq!((&moved["created"], &moved["forced"]), (&json!(false), &json!(false)));
    assert_eq!(moved["commits"].as_array().map(Vec::len), Some(1));

    copy.git(&["reset", "--quiet", "--hard", &first]).await;
    copy.write("a", "3");
    let third = copy.commit("Another way").await;
    let refused = try_git(&copy.folder, &["push", "origin", "main"]).await;
    assert!(!refused.0, "a push that is no fast-forward needs force");
    world.no_hook_left().await;
    copy.git(&["push", "--quiet", "--force", "origin", "main"]).await;
    let forced = world.hook().await.payload;
    assert_eq!((&forced["forced"], &forced["after"]), (&json!(true), &json!(third)));
    assert_eq!(forced["commits"][0]["id"], third.as_str());

    copy.git(&["push", "--quiet", "origin", "HEAD:refs/heads/feature/one"]).await;
    let created = world.hook().await.payload;
    assert_eq!((&created["ref"], &created["created"]), (&json!("refs/heads/feature/one"), &json!(true)));
    assert_eq!((&created["commits"], &created["base_ref"]), (&json!([]), &json!("refs/heads/main")));

    copy.git(&["tag", "--annotate", "--message", "v1", "v1"]).await;
    copy.git(&["push", "--quiet", "origin", "v1"]).await;
    let tagged = world.hook().await.payload;
    assert_eq!((&tagged["ref"], &tagged["head_commit"]["id"]), (&json!("refs/tags/v1"), &json!(third)));
    assert_ne!(tagged["after"], third.as_str(), "an annotated tag is an object of its own");

    copy.git(&["push", "--quiet", "origin", ":feature/one"]).await;
    let deleted = world.hook().await.payload;
    assert_eq!((&deleted["deleted"], &deleted["after"]), (&json!(true), &json!(NOTHING)));
    assert_eq!((&deleted["head_commit"], &deleted["commits"]), (&Value::Null, &json!([])));

    copy.git(&["push", "--quiet", "origin", "HEAD:x", "HEAD:y"]).await;
    let (one, other) = (world.hook().await.payload, world.hook().await.payload);
    assert_ne!(one["ref"], other["ref"], "one event for each branch");

    for tag in ["t1", "t2", "t3", "t4"] {
        copy.git(&["tag", tag]).await;
    }
    copy.git(&["push", "--quiet", "--tags"]).await;
    copy.git(&["push", "--quiet", "origin", ":x"]).await;
    assert_eq!(
        world.hook().await.payload["ref"],
        "refs/heads/x",
        "more than three tags at once are not told"
    );
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn git_asks_for_the_push_token() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    copy.push_file("main", "a", "1").await;
    let host = world.url.trim_start_matches("http://").to_owned();
    let clones = [
        (format!("http://{host}/acme/open.git"), true),
        (format!("http://{host}/acme/open"), true),
        (format!("http://{host}/acme/shop.git"), false),
        (format!("http://anybody:{PUSH_TOKEN}@{host}/acme/shop.git"), true),
        (format!("http://anybody:wrong@{host}/acme/shop.git"), false),
        (format!("http://anybody:{PUSH_TOKEN}@{host}/acme/missing.git"), false),
        (
            format!(
                "http://x-access-token:{}@{host}/acme/shop.git",
                world.app().await.replace("Bearer ", "")
            ),
            true,
        ),
    ];
    for (address, allowed) in clones {
        let (passed, said) = try_git(&world.folder, &["ls-remote", &address]).await;
        assert_eq!(passed, allowed, "ls-remote {address}: {said}");
    }
    let pushes = [
        format!("http://{host}/acme/open.git"),
        format!("http://anybody:wrong@{host}/acme/open.git"),
        format!("http://x-access-token:{}@{host}/acme/open.git", world.app().await.replace("Bearer ", "")),
    ];
    for address in pushes {
        let (passed, said) = try_git(&copy.folder, &["push", &address, "HEAD:other"]).await;
        assert!(!passed, "push {address}: {said}");
    }
    let (passed, _) = try_git(&copy.folder, &["push", "origin", "HEAD:refs/pull/1/head"]).await;
    assert!(!passed, "the refs of pull requests are not pushed");
    assert_eq!(world.hook().await.payload["ref"], "refs/heads/main");
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_of_some_megabytes_and_a_shallow_clone_pass() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    // Hardly compressible, so that git sends it in chunks.
    let words = (0..400_000_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_string());
    let text = words.collect::<String>();
    let sha = copy.push_file("main", "large.txt", &text).await;
    assert_eq!(world.hook().await.payload["after"], sha.as_str());
    let target = world.folder.join("shallow").to_string_lossy().into_owned();
    let address = format!("{}/acme/open.git", world.url);
    let (passed, said) =
        try_git(&world.folder, &["clone", "--quiet", "--depth", "1", &address, &target]).await;
    assert!(passed, "{said}");
    assert_eq!(std::fs::read_to_string(world.folder.join("shallow/large.txt")).ok(), Some(text));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_the_app_sends_nothing() {
    let world = World::start().await;
    world.clone_of("other/thing").await.push_file("main", "a", "1").await;
    let body = json!({ "owner": "acme", "name": "later", "default_branch": "trunk" });
    world.check("POST /_local/repositories", "", Some(body.clone()), 401, json!({})).await;
    let expected = json!({ "full_name": "acme/later", "default_branch": "trunk" });
    world.check("POST /_local/repositories", &person("dana"), Some(body.clone()), 201, expected).await;
    world.check("POST /_local/repositories", &person("dana"), Some(body), 422, json!({})).await;
    for name in ["..", "a/b", "x.git", ""] {
        let body = json!({ "owner": "acme", "name": name });
        world.check("POST /_local/repositories", &person("dana"), Some(body), 422, json!({})).await;
    }
    world.clone_of("acme/later").await.push_file("trunk", "a", "1").await;
    assert_eq!(world.hook().await.payload["repository"]["name"], "later");
    world.no_hook_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_branch_becomes_the_default_one() {
    let world = World::start().await;
    let address = world.url.replace("http://", &format!("http://dana%40example.com:{PUSH_TOKEN}@"));
    let copy = world.clone_of("acme/open").await;
    copy.git(&["remote", "set-url", "origin", &format!("{address}/acme/open.git")]).await;
    copy.push_file("trunk", "a", "1").await;
    let told = world.hook().await.payload;
    assert_eq!(told["repository"]["default_branch"], "trunk");
    assert_eq!(told["sender"]["login"], "dana-example-com", "a name that is no login is made one");
    let heads = copy.git(&["ls-remote", "--symref", "origin", "HEAD"]).await;
    assert!(heads.starts_with("ref: refs/heads/trunk"), "{heads}");
    copy.push_file("other", "a", "2").await;
    assert_eq!(world.hook().await.payload["repository"]["default_branch"], "trunk");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_outlive_a_restart() {
    let world = World::start().await;
    let sha = world.clone_of("acme/open").await.push_file("main", "a", "1").await;
    let fork = NewRepository::public("mallory", "open").fork_of("acme/open");
    world.github.create_repository(fork.clone()).await.expect("a fork");
    let own = world.clone_of("mallory/open").await.push_file("main", "a", "2").await;
    let mut options = Options::new(world.folder.join("state"), APP_ID, KEYS.public_pem.clone());
    options.repositories = vec![NewRepository::public("acme", "open"), fork];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel::<()>();
    let served =
        tokio::spawn(local_github::serve(listener, options, async { stopped.await.unwrap_or_default() }));
    for (repository, expected) in [("acme/open", sha), ("mallory/open", own)] {
        let listed = git(&world.folder, &["ls-remote", &format!("{url}/{repository}.git"), "main"]).await;
        assert!(listed.starts_with(&expected), "{repository}: {listed}");
    }
    drop(stop);
    served.await.expect("it ends").expect("it ends well");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_on_loopback_only() {
    let world = World::start().await;
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port is free");
    let refused = world.github.serve(listener, std::future::pending()).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("loopback only")));
}
