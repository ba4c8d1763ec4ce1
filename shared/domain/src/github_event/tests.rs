//! GitHub's events as they come, and as they must not come.

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

const PUSH: &str = include_str!("../../../../events/github-push.json");
const PULL_REQUEST: &str = include_str!("../../../../events/github-pull-request.json");
const PING: &str = include_str!("../../../../events/github-ping.json");

/// The header with the event's name, and the body, of an API Gateway event.
fn fixture(file: &str) -> (String, Value) {
    let event: Value = serde_json::from_str(file).expect("the fixture is JSON");
    let name = event["headers"]["x-github-event"].as_str().expect("a name").to_owned();
    let body = event["body"].as_str().expect("a body");
    (name, serde_json::from_str(body).expect("the body is JSON"))
}

fn parse_fixture(file: &str) -> GithubEvent {
    let (name, body) = fixture(file);
    parse(&name, body.to_string().as_bytes()).expect("the fixture is what GitHub sends")
}

#[test]
fn fixtures_are_signed_with_the_local_secret() {
    for file in [PUSH, PULL_REQUEST, PING] {
        let event: Value = serde_json::from_str(file).expect("the fixture is JSON");
        let body = event["body"].as_str().expect("a body");
        let mut mac =
            Hmac::<Sha256>::new_from_slice(b"slipway-local-webhook-secret").expect("any length will do");
        mac.update(body.as_bytes());
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(event["headers"]["x-hub-signature-256"], expected.as_str());
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["isBase64Encoded"], false);
    }
}

#[test]
fn a_push_is_read() {
    insta::assert_debug_snapshot!(parse_fixture(PUSH), @r#"
    Push(
        Push {
            repository: RepositoryName(
                "vive-sphere/bot-manager",
            ),
            installation: 1,
            branch: BranchName(
                "develop",
            ),
            before: Some(
                Sha(
                    "5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310",
                ),
            ),
            after: Sha(
                "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
            ),
            forced: false,
            sender: "mara-lindqvist",
            title: "Answer 401 for an expired token",
        },
    )
    "#);
}

#[test]
fn a_pull_request_is_read() {
    insta::assert_debug_snapshot!(parse_fixture(PULL_REQUEST), @r#"
    PullRequest(
        PullRequest {
            action: Opened,
            repository: RepositoryName(
                "vive-sphere/bot-manager",
            ),
            installation: 1,
            number: 42,
            head_sha: Sha(
                "3b7a90d2e45c18f6a0d9b3c7e812f4a6570c9de1",
            ),
            head_repository: Some(
                RepositoryName(
                    "vive-sphere/bot-manager",
                ),
            ),
            head_branch: BranchName(
                "avatar-limit",
            ),
            base_branch: BranchName(
                "develop",
            ),
            base_sha: Sha(
                "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
            ),
            sender: "mara-lindqvist",
            draft: false,
            title: "Limit the size of a bot's avatar",
        },
    )
    "#);
}

#[test]
fn a_ping_is_read() {
    insta::assert_debug_snapshot!(parse_fixture(PING), @"
    Ping {
        hook: 512880417,
    }
    ");
}

/// What becomes of a fixture when one of its fields is changed; a missing value removes the field.
fn changed(file: &str, pointer: &str, value: Option<Value>) -> String {
    let (name, mut body) = fixture(file);
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is there");
    match value {
        Some(value) => parent.insert(field.to_owned(), value),
        None => parent.remove(field),
    };
    match parse(&name, body.to_string().as_bytes()) {
        Ok(GithubEvent::Ignored { event, reason }) => format!("ignored {event}: {reason}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn what_is_not_for_slipway_is_ignored_with_a_reason() {
    let zeros = "0".repeat(40);
    let (name, mut deleted) = fixture(PUSH);
    deleted["deleted"] = json!(true);
    deleted["after"] = json!(zeros);
    deleted["head_commit"] = json!(null);
    let deleted = parse(&name, deleted.to_string().as_bytes());
    assert!(
        matches!(deleted, Ok(GithubEvent::Ignored { reason, .. }) if reason == "branch `develop` was deleted")
    );

    for (file, pointer, value, expected) in [
        (PUSH, "/ref", Some(json!("refs/tags/v1")), "ignored push: `refs/tags/v1` is not a branch"),
        (
            PUSH,
            "/installation",
            None,
            "ignored push: it names no installation: only the webhook of a GitHub App is served",
        ),
        (
            PULL_REQUEST,
            "/action",
            Some(json!("labeled")),
            "ignored pull_request.labeled: this action brings no commit to judge",
        ),
        (
            PULL_REQUEST,
            "/installation",
            Some(json!(null)),
            "ignored pull_request: it names no installation: only the webhook of a GitHub App is served",
        ),
    ] {
        assert_eq!(changed(file, pointer, value), expected);
    }
    let stars = parse("star", b"{}");
    assert!(matches!(stars, Ok(GithubEvent::Ignored { event, .. }) if event == "star"));
}

#[test]
fn hostile_fields_are_refused_by_name() {
    for (file, pointer, value, expected) in [
        (
            PUSH,
            "/after",
            json!("0".repeat(40)),
            "error: field `after`: it must be zeros exactly when `deleted` is true",
        ),
        (
            PUSH,
            "/after",
            json!("$(id)"),
            "error: field `after`: `$(id)` is not a valid commit SHA: 40 lower-case hexadecimal digits",
        ),
        (
            PUSH,
            "/before",
            json!("HEAD"),
            "error: field `before`: `HEAD` is not a valid commit SHA: 40 lower-case hexadecimal digits",
        ),
        (
            PUSH,
            "/ref",
            json!("refs/heads/a b"),
            "error: field `ref`: `a b` is not a valid branch name: what `git check-ref-format --branch` accepts, at most 255 bytes",
        ),
        (
            PUSH,
            "/repository/full_name",
            json!("a/../b"),
            "error: field `repository.full_name`: `a/../b` is not a valid repository: `owner/name` as GitHub spells it",
        ),
        (
            PUSH,
            "/sender/login",
            json!("a\nb"),
            "error: field `sender.login`: a login has 1 to 100 letters, digits, `-` and `_`",
        ),
        (
            PUSH,
            "/installation/id",
            json!(-1),
            "error: the body is not a `push` event: invalid value: integer `-1`, expected u64 at line 1 column ",
        ),
        (
            PULL_REQUEST,
            "/pull_request/head/sha",
            json!("A".repeat(40)),
            "error: field `pull_request.head.sha`: ",
        ),
        (PULL_REQUEST, "/pull_request/base/ref", json!("-f"), "error: field `pull_request.base.ref`: "),
    ] {
        let result = changed(file, pointer, Some(value));
        assert!(result.starts_with(expected), "{result}");
    }
    assert!(parse("push", b"payload=%7B%7D").is_err());
    assert!(parse("unheard_of", b"payload=%7B%7D").is_err());
    assert!(parse("push", b"{}").is_err());
}

#[test]
fn a_pull_request_from_a_fork_or_a_deleted_one_is_from_elsewhere() {
    let from_elsewhere = |repository: Value| {
        let (name, mut body) = fixture(PULL_REQUEST);
        body["pull_request"]["head"]["repo"] = repository;
        match parse(&name, body.to_string().as_bytes()) {
            Ok(GithubEvent::PullRequest(pull_request)) => pull_request.is_from_elsewhere(),
            other => panic!("{other:?}"),
        }
    };
    assert!(from_elsewhere(json!({"full_name": "stranger/bot-manager"})));
    assert!(from_elsewhere(json!(null)));
    assert!(!from_elsewhere(json!({"full_name": "vive-sphere/bot-manager"})));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(event in "push|pull_request|ping|.{0,20}", body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&event, &body);
    }

    #[test]
    fn a_damaged_body_never_panics(cut in 0_usize..4000, byte in any::<u8>()) {
        let (name, body) = fixture(PUSH);
        let mut body = body.to_string().into_bytes();
        let place = cut % body.len();
        body[place] = byte;
        let _ = parse(&name, &body);
        prop_assert!(parse(&name, &body[..place]).is_err());
    }
}
