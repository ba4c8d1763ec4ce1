//! GitHub's events as they come, and as they must not come.

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

mod meant;
mod refused;

macro_rules! fixtures {
    ($($name:ident: $file:literal),+ $(,)?) => {
        $(const $name: &str = include_str!(concat!("../../../../events/github-", $file, ".json"));)+
        const ALL: &[&str] = &[$($name),+];
    };
}

fixtures! {
    PUSH: "push",
    TAG: "push-tag",
    DELETED: "push-deleted",
    PULL_REQUEST: "pull-request",
    CLOSED: "pull-request-closed",
    MERGE_GROUP: "merge-group",
    DESTROYED: "merge-group-destroyed",
    CHECK_RUN: "check-run",
    BUTTON: "check-run-button",
    CHECK_SUITE: "check-suite",
    COMMENT: "issue-comment",
    INSTALLATION: "installation",
    REPOSITORIES: "installation-repositories",
    PING: "ping",
}

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
    for file in ALL {
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
            tag: false,
            before: Some(
                Sha(
                    "5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310",
                ),
            ),
            after: Sha(
                "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
            ),
            forced: false,
            skip: None,
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
            before: None,
            head_repository: Some(
                RepositoryName(
                    "vive-sphere/bot-manager",
                ),
            ),
            head_branch: BranchName(
                "avatar-limit",
            ),
            base: Base {
                branch: BranchName(
                    "develop",
                ),
                sha: Sha(
                    "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
                ),
            },
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
    told(&name, &body)
}

/// What the body makes of itself after a change, in one line.
fn told(event: &str, body: &Value) -> String {
    match parse(event, body.to_string().as_bytes()) {
        Ok(GithubEvent::Ignored { event, reason }) => format!("ignored {event}: {reason}"),
        Ok(GithubEvent::Gone(gone)) => format!("{} is gone: {}", gone.line, gone.why),
        Ok(GithubEvent::Wish(wish)) => {
            let Wish { by, about, comment, commands, .. } = wish;
            format!("{by} asks of {about:?} {comment:?}: {commands:?}")
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_tag_names_the_commit_beside_it_and_not_its_own_object() {
    insta::assert_debug_snapshot!(parse_fixture(TAG), @r#"
    Push(
        Push {
            repository: RepositoryName(
                "vive-sphere/bot-manager",
            ),
            installation: 1,
            branch: BranchName(
                "v1.4.0",
            ),
            tag: true,
            before: None,
            after: Sha(
                "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
            ),
            forced: false,
            skip: None,
            sender: "mara-lindqvist",
            title: "Answer 401 for an expired token",
        },
    )
    "#);
    for (pointer, value, expected) in [
        ("/head_commit", json!(null), "ignored push: the tag `v1.4.0` names no commit"),
        (
            "/ref",
            json!("refs/notes/commits"),
            "ignored push: `refs/notes/commits` is neither a branch nor a tag",
        ),
    ] {
        assert_eq!(changed(TAG, pointer, Some(value)), expected);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        event in "push|pull_request|merge_group|check_run|check_suite|issue_comment|ping|.{0,20}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = parse(&event, &body);
    }

    #[test]
    fn a_damaged_body_never_panics(file in prop::sample::select(ALL), cut in 0_usize..8000, byte in any::<u8>()) {
        let (name, body) = fixture(file);
        let mut body = body.to_string().into_bytes();
        let place = cut % body.len();
        body[place] = byte;
        let _ = parse(&name, &body);
        prop_assert!(parse(&name, &body[..place]).is_err());
    }
}
