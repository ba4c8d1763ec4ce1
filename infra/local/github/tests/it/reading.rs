//! What is read of a repository: its zip, contents, commits, comparisons, branches.

use std::io::{Cursor, Read as _};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::world::{World, person};

#[tokio::test(flavor = "multi_thread")]
async fn the_zip_has_one_folder_named_after_the_commit() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.write("b/c.txt", "inner\n");
    let sha = copy.push_file("develop", "a.txt", "text\n").await;
    let app = world.app().await;
    for reference in [sha.as_str(), "develop", &sha[..9], "refs/heads/develop", "heads/develop"] {
        let reply = world.call(&format!("GET /repos/acme/shop/zipball/{reference}"), &app, None).await;
        assert_eq!(reply.status, StatusCode::FOUND, "{reference}");
        // A client drops the header when it follows: the address alone must open the download.
        let zip = world.call(&format!("GET {}", reply.header("location")), "", None).await;
        assert_eq!((zip.status, zip.header("content-type")), (StatusCode::OK, "application/zip"));
        let mut archive = zip::ZipArchive::new(Cursor::new(zip.bytes)).expect("a zip");
        let folder = format!("acme-shop-{}", &sha[..7]);
        assert!(
            archive.file_names().all(|name| name.is_ok_and(|name| name.starts_with(&format!("{folder}/"))))
        );
        let mut text = String::new();
        let mut file = archive.by_name(&format!("{folder}/b/c.txt")).expect("the file is there");
        file.read_to_string(&mut text).expect("it can be read");
        assert_eq!(text, "inner\n");
    }
    let direct = format!("GET /codeload/acme/shop/legacy.zip/{sha}");
    world.check(&direct, "", None, 404, json!({})).await;
    world.check("GET /repos/acme/shop/zipball/none", &app, None, 404, json!({})).await;
    world.check("GET /repos/acme/shop/zipball/develop", "", None, 404, json!({})).await;
    let reply = world.call("GET /repos/acme/shop/zipball", &app, None).await;
    assert_eq!(reply.status, StatusCode::FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_are_read_at_a_ref() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.write("dir/b.bin", "\u{0}\u{1}binary");
    copy.write("large.txt", &"x".repeat(1024 * 1024 + 1));
    std::os::unix::fs::symlink("a b.txt", copy.folder.join("link")).expect("a link");
    let first = copy.push_file("develop", "a b.txt", &"one line of text\n".repeat(9)).await;
    copy.push_file("develop", "a b.txt", "new").await;
    let app = world.app().await;
    let contents = "GET /repos/acme/shop/contents";
    let expected =
        json!({ "type": "file", "name": "a b.txt", "encoding": "base64", "content": "bmV3\n", "size": 3 });
    world.check(&format!("{contents}/a%20b.txt"), &app, None, 200, expected).await;
    let line = format!("{contents}/a%20b.txt?ref={first}");
    let old = world.check(&line, &app, None, 200, json!({ "size": 153 })).await;
    let text = old["content"].as_str().unwrap_or_default();
    assert!(text.lines().all(|line| line.len() <= 60), "base64 in lines");
    assert_eq!(
        STANDARD.decode(text.replace('\n', "")).ok(),
        Some("one line of text\n".repeat(9).into_bytes())
    );
    for accept in
        ["application/vnd.github.raw", "application/vnd.github.raw+json", "application/vnd.github.v3.raw"]
    {
        let headers = [("authorization", app.as_str()), ("accept", accept)];
        let raw = world.send(&format!("{contents}/dir/b.bin"), &headers, None).await;
        assert_eq!(&raw.bytes[..], b"\0\x01binary");
    }
    let expected = json!([{ "name": "b.bin", "path": "dir/b.bin", "type": "file" }]);
    world.check(&format!("{contents}/dir"), &app, None, 200, expected).await;
    let names = json!([{ "name": "a b.txt" }, { "name": "dir", "type": "dir" }, { "name": "large.txt" }, { "name": "link", "type": "symlink" }]);
    world.check(&format!("{contents}/"), &app, None, 200, names.clone()).await;
    world.check(contents, &app, None, 200, names).await;
    world
        .check(
            &format!("{contents}/link"),
            &app,
            None,
            200,
            json!({ "type": "symlink", "target": "a b.txt" }),
        )
        .await;
    world
        .check(
            &format!("{contents}/large.txt"),
            &app,
            None,
            200,
            json!({ "encoding": "none", "content": "" }),
        )
        .await;
    for missing in
        ["none", "dir/none", "a", "*", ":(glob)*", "../HEAD", "a%20b.txt?ref=none", "dir/b.bin?ref=--help"]
    {
        world.check(&format!("{contents}/{missing}"), &app, None, 404, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_branches_and_refs_are_read() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    let first = copy.push_file("develop", "a.txt", "1\n").await;
    let second = copy.push_file("release/1.0", "b.txt", "2\n").await;
    copy.git(&["tag", "--annotate", "--message", "v1", "v1"]).await;
    copy.git(&["push", "--quiet", "origin", "v1"]).await;
    let tag = copy.git(&["rev-parse", "v1"]).await;
    let app = world.app().await;
    let repo = "GET /repos/acme/shop";
    let commit = json!({
        "sha": second, "parents": [{ "sha": first }], "files": [{ "filename": "b.txt", "status": "added", "additions": 1 }],
        "stats": { "total": 1 }, "commit": { "message": "Write b.txt", "author": { "email": "dana@example.com" } },
    });
    for reference in ["release/1.0", "v1", &second[..8], second.as_str()] {
        world.check(&format!("{repo}/commits/{reference}"), &app, None, 200, commit.clone()).await;
        let headers = [("authorization", app.as_str()), ("accept", "application/vnd.github.sha")];
        let reply = world.send(&format!("{repo}/commits/{reference}"), &headers, None).await;
        assert_eq!(&reply.bytes[..], second.as_bytes());
    }
    let refused = json!({ "message": "No commit found for SHA: none" });
    world.check(&format!("{repo}/commits/none"), &app, None, 422, refused).await;
    let listed = json!([{ "sha": second }, { "sha": first }]);
    world.check(&format!("{repo}/commits?sha=release/1.0"), &app, None, 200, listed).await;
    world
        .check(&format!("{repo}/commits?sha=v1&path=a.txt"), &app, None, 200, json!([{ "sha": first }]))
        .await;
    for path in ["..", "*", "none"] {
        world.check(&format!("{repo}/commits?path={path}"), &app, None, 200, json!([])).await;
    }
    world.check(&format!("{repo}/commits"), &app, None, 200, json!([{ "sha": first }])).await;

    let branch = json!({ "name": "release/1.0", "commit": { "sha": second }, "protected": false });
    world.check(&format!("{repo}/branches/release/1.0"), &app, None, 200, branch).await;
    world
        .check(&format!("{repo}/branches/v1"), &app, None, 404, json!({ "message": "Branch not found" }))
        .await;
    world
        .check(
            &format!("{repo}/branches"),
            &app,
            None,
            200,
            json!([{ "name": "develop" }, { "name": "release/1.0" }]),
        )
        .await;
    let reference = json!({ "ref": "refs/heads/develop", "object": { "sha": first, "type": "commit" } });
    world.check(&format!("{repo}/git/ref/heads/develop"), &app, None, 200, reference).await;
    let reference = json!({ "ref": "refs/tags/v1", "object": { "sha": tag, "type": "tag" } });
    world.check(&format!("{repo}/git/ref/tags/v1"), &app, None, 200, reference).await;
    world.check(&format!("{repo}/git/ref/heads/none"), &app, None, 404, json!({})).await;
    world
        .check(repo, &person("dana"), None, 200, json!({ "default_branch": "develop", "private": true }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_know_their_direction_and_their_limits() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    copy.write("keep.txt", "k\n");
    copy.write("gone.txt", "g\n");
    copy.write("old name.txt", "a text that is long enough to be found again\n");
    let first = copy.push_file("develop", "a.txt", "1\n").await;
    copy.git(&["rm", "--quiet", "gone.txt"]).await;
    copy.git(&["mv", "old name.txt", "new.txt"]).await;
    copy.write("b.txt", "1\n2\n");
    let second = copy.push_file("feature/x", "a.txt", "2\n").await;
    copy.git(&["checkout", "--quiet", "develop"]).await;
    let aside = copy.push_file("develop", "keep.txt", "other\n").await;
    let app = world.app().await;
    let cases = [
        (first.as_str(), second.as_str(), "ahead", 1, 0),
        (second.as_str(), first.as_str(), "behind", 0, 1),
        (second.as_str(), second.as_str(), "identical", 0, 0),
        ("develop", "feature/x", "diverged", 1, 1),
        ("acme:develop", "feature/x", "diverged", 1, 1),
    ];
    for (base, head, status, ahead, behind) in cases {
        let expected =
            json!({ "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead });
        world
            .check(&format!("GET /repos/acme/shop/compare/{base}...{head}"), &app, None, 200, expected)
            .await;
    }
    let expected = json!({
        "base_commit": { "sha": aside }, "merge_base_commit": { "sha": first }, "commits": [{ "sha": second }],
        "files": [
            { "filename": "a.txt", "status": "modified", "additions": 1, "deletions": 1, "changes": 2 },
            { "filename": "b.txt", "status": "added", "additions": 2 },
            { "filename": "gone.txt", "status": "removed", "deletions": 1 },
            { "filename": "new.txt", "status": "renamed", "previous_filename": "old name.txt", "changes": 0 },
        ],
    });
    world.check("GET /repos/acme/shop/compare/develop...feature/x", &app, None, 200, expected).await;
    for missing in ["none...develop", "develop...none", "develop", "nobody:develop...develop"] {
        world.check(&format!("GET /repos/acme/shop/compare/{missing}"), &app, None, 404, json!({})).await;
    }
    for number in 0..305 {
        copy.write(&format!("many/{number}.txt"), "m");
    }
    copy.push_file("many", "a.txt", "3\n").await;
    let line = format!("GET /repos/acme/shop/compare/{aside}...many");
    let body = world.check(&line, &app, None, 200, json!({ "status": "ahead" })).await;
    assert_eq!(body["files"].as_array().map(Vec::len), Some(300), "a comparison shows no more");

    copy.git(&["checkout", "--quiet", "--orphan", "island"]).await;
    copy.push_file("island", "a.txt", "4\n").await;
    world.check("GET /repos/acme/shop/compare/develop...island", &app, None, 404, json!({})).await;
}
