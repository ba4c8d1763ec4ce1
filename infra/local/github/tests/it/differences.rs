//! What a client reads to know what changed: patches, long comparisons, trees, a fork's files.

use std::io::{Cursor, Read as _};

use serde_json::{Value, json};

use crate::world::{World, person};

fn patches(files: &Value) -> Vec<(&str, Option<&str>)> {
    let all = files.as_array().expect("a list").iter();
    all.map(|file| (file["filename"].as_str().expect("a name"), file["patch"].as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_its_patch_unless_there_is_none_or_it_is_too_large() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.write("move me.txt", "a text that is long enough to be found again\n");
    copy.write("kind.txt", "x");
    let first = copy.push_file("develop", "a.txt", "one\ntwo\ndiff --git a/x b/x\n").await;
    copy.git(&["mv", "move me.txt", "moved.txt"]).await;
    copy.write("binary.bin", "\u{0}\u{1}");
    copy.write("large.txt", &"0123456789012345678901234567890123456789\n".repeat(13_000));
    std::fs::remove_file(copy.folder.join("kind.txt")).expect("it goes");
    std::os::unix::fs::symlink("a.txt", copy.folder.join("kind.txt")).expect("a link");
    copy.write("z.txt", "end\n");
    let second = copy.push_file("feature", "a.txt", "one\n2\ndiff --git a/x b/x\nthree").await;
    let app = world.app().await;
    let line = format!("GET /repos/acme/shop/compare/{first}...{second}");
    let body = world.check(&line, &app, None, 200, json!({})).await;
    let changed =
        "@@ -1,3 +1,4 @@\n one\n-two\n+2\n diff --git a/x b/x\n+three\n\\ No newline at end of file";
    let expected = [
        ("a.txt", Some(changed)),
        ("binary.bin", None),
        ("kind.txt", None),
        ("large.txt", None),
        ("moved.txt", None),
        ("z.txt", Some("@@ -0,0 +1 @@\n+end")),
    ];
    assert_eq!(patches(&body["files"]), expected);
    let commit = world.check("GET /repos/acme/shop/commits/feature", &app, None, 200, json!({})).await;
    assert_eq!(patches(&commit["files"]), expected);
    let pull = json!({ "title": "t", "head": "feature", "base": "develop" });
    world.check("POST /repos/acme/shop/pulls", &person("dana"), Some(pull), 201, json!({})).await;
    let files = world.call("GET /repos/acme/shop/pulls/1/files", &app, None).await.json();
    assert_eq!(patches(&files), expected);
    let root =
        world.check(&format!("GET /repos/acme/shop/commits/{first}"), &app, None, 200, json!({})).await;
    assert_eq!(
        patches(&root["files"])[1],
        ("kind.txt", Some("@@ -0,0 +1 @@\n+x\n\\ No newline at end of file"))
    );

    for file in ["1", "2", "3"] {
        copy.write(&format!("half {file}.txt"), &"0123456789".repeat(45_000));
    }
    let third = copy.push_file("feature", "a.txt", "").await;
    let line = format!("GET /repos/acme/shop/compare/{second}...{third}");
    let body = world.check(&line, &app, None, 200, json!({})).await;
    let have: Vec<bool> = patches(&body["files"]).iter().map(|(_, patch)| patch.is_some()).collect();
    assert_eq!(have, [true, true, true, false], "the total is at most 1 MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_commits_are_cut_as_github_cuts_them() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    let first = copy.push_file("develop", "a.txt", "1\n").await;
    world.hook().await;
    let tree = copy.git(&["rev-parse", "HEAD^{tree}"]).await;
    let commit = |number: u64| {
        let parent = if number == 1 { format!("from {first}\n") } else { String::new() };
        let who = format!("Dana <dana@example.com> {} +0000", 1_700_000_000 + number);
        format!(
            "commit refs/heads/many\ncommitter {who}\ndata <<.\n{number}\n.\n{parent}M 040000 {tree} \n\n"
        )
    };
    let commits = (1..=2050).map(commit).collect::<Vec<String>>().concat();
    copy.git_fed(&["fast-import", "--quiet"], &commits).await;
    copy.git(&["push", "--quiet", "origin", "many"]).await;
    let push = world.hook().await.payload;
    let told = push["commits"].as_array().expect("commits");
    assert_eq!((told.len(), &told[2047]["message"]), (2048, &json!("2050")));
    assert_eq!(push["head_commit"]["message"], "2050");

    let line = "GET /repos/acme/shop/compare/develop...many";
    let app = world.app().await;
    let whole = world.check(line, &app, None, 200, json!({ "total_commits": 2050 })).await;
    let shown = whole["commits"].as_array().expect("commits");
    assert_eq!((shown.len(), &shown[249]["commit"]["message"]), (250, &json!("2050")));
    let page = world.call(&format!("{line}?per_page=100&page=2"), &app, None).await;
    assert_eq!(page.json()["commits"][0]["commit"]["message"], "101");
    assert_eq!(page.json()["files"], json!([]));
    assert!(page.header("link").contains("page=3>; rel=\"next\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_are_read_flat_and_deep() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.write("backend/shop/app.py", "print(1)\n");
    let sha = copy.push_file("feature/x", "a.txt", "1\n").await;
    let (app, tree) = (world.app().await, copy.git(&["rev-parse", "HEAD^{tree}"]).await);
    let trees = "GET /repos/acme/shop/git/trees";
    let flat = json!([
        { "path": "a.txt", "mode": "100644", "type": "blob", "size": 2 },
        { "path": "backend", "mode": "040000", "type": "tree" },
    ]);
    for name in [sha.as_str(), "feature/x", &tree] {
        let expected = json!({ "sha": tree, "truncated": false, "tree": flat });
        let body = world.check(&format!("{trees}/{name}"), &app, None, 200, expected).await;
        assert!(body["tree"][1]["size"].is_null());
    }
    let deep = json!({ "tree": [
        { "path": "a.txt" }, { "path": "backend" }, { "path": "backend/shop" },
        { "path": "backend/shop/app.py", "sha": copy.git(&["rev-parse", "HEAD:backend/shop/app.py"]).await },
    ] });
    world.check(&format!("{trees}/{sha}?recursive=1"), &app, None, 200, deep).await;
    for missing in ["none", "0123456789012345678901234567890123456789"] {
        world.check(&format!("{trees}/{missing}"), &app, None, 404, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forks_commit_is_read_in_the_repository_it_is_offered_to() {
    let world = World::start().await;
    world.clone_of("acme/open").await.push_file("main", "a.txt", "1\n").await;
    let fork = json!({ "owner": "mallory", "name": "open", "fork_of": "acme/open" });
    world.check("POST /_local/repositories", &person("mallory"), Some(fork), 201, json!({})).await;
    let copy = world.clone_of("mallory/open").await;
    let sha = copy.push_file("patch", "b.txt", "theirs\n").await;
    let app = world.app().await;
    let contents = format!("GET /repos/acme/open/contents/b.txt?ref={sha}");
    world.check(&contents, &app, None, 404, json!({})).await;
    let pull = json!({ "title": "t", "head": "mallory:patch", "base": "main" });
    world.check("POST /repos/acme/open/pulls", &person("mallory"), Some(pull), 201, json!({})).await;
    let again = copy.push_file("patch", "b.txt", "theirs again\n").await;
    for (sha, text) in [(&sha, "theirs\n"), (&again, "theirs again\n")] {
        let reply = world.call(&format!("GET /repos/acme/open/zipball/{sha}"), &app, None).await;
        let zip = world.call(&format!("GET {}", reply.header("location")), "", None).await;
        let mut archive = zip::ZipArchive::new(Cursor::new(zip.bytes)).expect("a zip");
        let mut found = String::new();
        let mut file = archive.by_name(&format!("acme-open-{}/b.txt", &sha[..7])).expect("the file");
        file.read_to_string(&mut found).expect("it can be read");
        assert_eq!(found, text);
    }
    world.check(&contents, &app, None, 200, json!({ "size": 7 })).await;
    let tree = format!("GET /repos/acme/open/git/trees/{again}?recursive=1");
    world.check(&tree, &app, None, 200, json!({ "tree": [{ "path": "a.txt" }, { "path": "b.txt" }] })).await;
    let compare = format!("GET /repos/acme/open/compare/main...{again}");
    world.check(&compare, &app, None, 200, json!({ "status": "ahead", "ahead_by": 2 })).await;
}
