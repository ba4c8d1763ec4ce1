//! What each event means.

use serde_json::json;

use super::*;

#[test]
fn what_is_deleted_closed_or_dropped_is_gone() {
    let (name, deleted) = fixture(DELETED);
    assert_eq!(told(&name, &deleted), "branch:avatar-limit is gone: the branch was deleted");
    let tag = changed(DELETED, "/ref", Some(json!("refs/tags/v1")));
    assert_eq!(tag, "tag:v1 is gone: the tag was deleted");
    let queue = changed(DELETED, "/ref", Some(json!("refs/heads/gh-readonly-queue/main/pr-1")));
    assert_eq!(queue, "ignored push: a merge queue's end is told by its `merge_group` event");
    let (name, closed) = fixture(CLOSED);
    assert_eq!(told(&name, &closed), "pull:43 is gone: the pull request was closed");
    let own =
        changed(CLOSED, "/pull_request/head/repo", Some(json!({"full_name": "vive-sphere/bot-manager"})));
    assert_eq!(own, "ignored pull_request.closed: its branch is there until it is deleted");
    for (pointer, value, expected) in [
        ("/pull_request/merged", json!(true), "pull:43 is gone: the pull request was merged"),
        ("/pull_request/head/repo", json!(null), "pull:43 is gone: the pull request was closed"),
        (
            "/pull_request/number",
            json!(-1),
            "error: the body is not a `pull_request` event: field `pull_request.number`: invalid value: integer `-1`, expected u64 at line 1 column ",
        ),
    ] {
        let found = changed(CLOSED, pointer, Some(value));
        assert!(found.starts_with(expected), "{found}");
    }
    for (reason, expected) in [
        (json!("dequeued"), "it was taken out of the merge queue"),
        (json!("merged"), "the merge queue has merged it"),
        (json!("invalidated"), "the merge queue has dropped it: what it stands on has changed"),
        (json!("of another kind"), "the merge queue has dropped it"),
        (json!(null), "the merge queue has dropped it"),
    ] {
        let found = changed(DESTROYED, "/reason", Some(reason));
        let line = "branch:gh-readonly-queue/main/pr-42-5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310";
        assert_eq!(found, format!("{line} is gone: {expected}"));
    }
}

#[test]
fn a_merge_queue_has_its_own_event() {
    insta::assert_debug_snapshot!(parse_fixture(MERGE_GROUP), @r#"
    MergeGroup(
        MergeGroup {
            repository: RepositoryName(
                "vive-sphere/bot-manager",
            ),
            installation: 1,
            branch: BranchName(
                "gh-readonly-queue/main/pr-42-5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310",
            ),
            sha: Sha(
                "e1d1c26ccc9bd7991dc8c04883817dddde98e128",
            ),
            base: Base {
                branch: BranchName(
                    "main",
                ),
                sha: Sha(
                    "5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310",
                ),
            },
            sender: "mara-lindqvist",
            title: "Merge pull request #42 from vive-sphere/avatar-limit",
        },
    )
    "#);
    let push = changed(PUSH, "/ref", Some(json!("refs/heads/gh-readonly-queue/main/pr-1-5f0c1b7")));
    assert_eq!(push, "ignored push: a merge queue's branch is judged by its `merge_group` event");
    let alike = changed(PUSH, "/ref", Some(json!("refs/heads/gh-readonly-queues")));
    assert!(alike.starts_with("Push("), "{alike}");
}

#[test]
fn pull_requests_tell_what_changed() {
    let told = |action: &str, more: Value| {
        let (name, mut body) = fixture(PULL_REQUEST);
        body["action"] = json!(action);
        body.as_object_mut().expect("fields").extend(more.as_object().cloned().expect("fields"));
        match parse(&name, body.to_string().as_bytes()) {
            Ok(GithubEvent::PullRequest(request)) => format!("{:?} {:?}", request.action, request.before),
            Ok(GithubEvent::Ignored { reason, .. }) => reason,
            other => format!("{other:?}"),
        }
    };
    let before = json!({"before": "5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310"});
    for (action, more, expected) in [
        ("opened", json!({}), "Opened None"),
        (
            "synchronize",
            before.clone(),
            "Synchronize Some(Sha(\"5f0c1b7f0e0d3a6f3a1c8b1de6f4f8a9c2b7d310\"))",
        ),
        ("synchronize", json!({}), "Synchronize None"),
        ("reopened", before, "Reopened None"),
        ("ready_for_review", json!({}), "ReadyForReview None"),
        ("converted_to_draft", json!({}), "ConvertedToDraft None"),
        ("edited", json!({"changes": {"base": {"ref": {"from": "main"}}}}), "BaseChanged None"),
        (
            "edited",
            json!({"changes": {"title": {"from": "A"}}}),
            "only words were edited; the commit is judged already",
        ),
        ("labeled", json!({}), "labels decide nothing; the commit is judged already"),
        ("unlabeled", json!({}), "labels decide nothing; the commit is judged already"),
        ("milestoned", json!({}), "this action brings no commit to judge"),
    ] {
        assert_eq!(told(action, more), expected, "{action}");
    }
}

#[test]
fn buttons_re_runs_and_comments_are_wishes() {
    let run = "Run(RunId { repository: RepositoryName(\"vive-sphere/bot-manager\"), sha: Sha(\"e1d1c26ccc9bd7991dc8c04883817dddde98e128\"), trust: Trusted })";
    let (name, check) = fixture(CHECK_RUN);
    let service = "Test(Service(ServiceName(\"authentication\")))";
    assert_eq!(told(&name, &check), format!("mara-lindqvist asks of {run} None: [{service}]"));
    for (check, expected) in [
        ("slipway", "Retest"),
        ("slipway / checks", "Test(Checks)"),
        ("slipway / integration tests", "Test(Integration)"),
    ] {
        let found = changed(CHECK_RUN, "/check_run/name", Some(json!(check)));
        assert_eq!(found, format!("mara-lindqvist asks of {run} None: [{expected}]"));
    }
    let pressed = |identifier: &str, check: &str| {
        let (name, mut body) = fixture(BUTTON);
        body["check_run"]["name"] = json!(check);
        body["requested_action"]["identifier"] = json!(identifier);
        told(&name, &body)
    };
    let nothing = "ignored check_run.requested_action: of this check nothing is run again from GitHub";
    for (identifier, check, expected) in [
        ("retest", "slipway", Some("Retest")),
        ("test-all", "slipway", Some("TestAll")),
        ("cancel", "slipway / checks", Some("Cancel")),
        ("test", "slipway / checks", Some("Test(Checks)")),
        ("test", "slipway", None),
        ("test", "slipway / deliver development", None),
        ("$(id)", "slipway", None),
    ] {
        let expected = expected.map(|command| format!("mara-lindqvist asks of {run} None: [{command}]"));
        assert_eq!(pressed(identifier, check), expected.unwrap_or_else(|| nothing.to_owned()));
    }
    let (name, suite) = fixture(CHECK_SUITE);
    insta::assert_snapshot!(told(&name, &suite), @r#"mara-lindqvist asks of Commit(Sha("e1d1c26ccc9bd7991dc8c04883817dddde98e128")) None: [TestAll]"#);
    let (name, comment) = fixture(COMMENT);
    insta::assert_snapshot!(told(&name, &comment), @"mara-lindqvist asks of Pull(42) Some(3488120977): [Retest, Test(Integration)]");
}

#[test]
fn words_that_ask_for_no_run_are_found_in_the_whole_message() {
    let (name, mut body) = fixture(PUSH);
    body["head_commit"]["message"] = json!("A title\n\nMore words.\n[Skip CI]");
    let Ok(GithubEvent::Push(push)) = parse(&name, body.to_string().as_bytes()) else { panic!("a push") };
    assert_eq!((push.skip.as_deref(), push.title.as_str()), (Some("[skip ci]"), "A title"));
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
    assert!(from_elsewhere(json!({"full_name": "../vive-sphere/bot-manager"})));
    assert!(!from_elsewhere(json!({"full_name": "vive-sphere/bot-manager"})));
}
