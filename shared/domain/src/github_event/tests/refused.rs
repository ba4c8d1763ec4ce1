//! What is ignored, and what is refused by name.

use serde_json::json;

use super::*;

#[test]
fn what_is_not_for_slipway_is_ignored_with_a_reason() {
    const NOT_OURS: &str = "the check is none of Slipway's: its `external_id` names no run";
    for (file, pointer, value, expected) in [
        (PUSH, "/installation", None, NO_INSTALLATION),
        (DELETED, "/installation", None, NO_INSTALLATION),
        (PULL_REQUEST, "/installation", Some(json!(null)), NO_INSTALLATION),
        (CLOSED, "/installation", None, NO_INSTALLATION),
        (MERGE_GROUP, "/installation", None, NO_INSTALLATION),
        (CHECK_RUN, "/installation", None, NO_INSTALLATION),
        (CHECK_SUITE, "/installation", None, NO_INSTALLATION),
        (COMMENT, "/installation", None, NO_INSTALLATION),
        (MERGE_GROUP, "/action", Some(json!("renamed")), "this action brings no commit to judge"),
        (CHECK_RUN, "/action", Some(json!("completed")), "nobody asks for anything"),
        (CHECK_RUN, "/check_run/external_id", Some(json!("")), NOT_OURS),
        (CHECK_RUN, "/check_run/external_id", Some(json!(null)), NOT_OURS),
        (CHECK_RUN, "/check_run/external_id", None, NOT_OURS),
        (CHECK_RUN, "/repository/full_name", Some(json!("vive-sphere/other")), NOT_OURS),
        (
            CHECK_RUN,
            "/check_run/name",
            Some(json!("slipway / deliver development")),
            "of this check nothing is run again from GitHub",
        ),
        (CHECK_SUITE, "/action", Some(json!("completed")), "nobody asks for anything; the push is judged"),
        (COMMENT, "/action", Some(json!("edited")), "only a new comment can ask for something"),
        (COMMENT, "/action", Some(json!("deleted")), "only a new comment can ask for something"),
        (COMMENT, "/issue/pull_request", None, "it is on an issue, not on a pull request"),
        (COMMENT, "/comment/user/type", Some(json!("Bot")), "it was not written by a person"),
        (COMMENT, "/comment/user", Some(json!(null)), "it was not written by a person"),
        (COMMENT, "/comment/body", Some(json!("> /retest")), "it holds no command"),
        (COMMENT, "/comment/body", Some(json!(null)), "it holds no command"),
    ] {
        let found = changed(file, pointer, value.clone());
        let reason = found.strip_prefix("ignored ").and_then(|found| found.split_once(": "));
        assert_eq!(reason.map(|(_, reason)| reason), Some(expected), "{pointer} {value:?}: {found}");
    }
    for (event, expected) in [
        ("star", "ignored star.created: this kind of event is not handled"),
        (
            "installation",
            "ignored installation.created: the operator's file, not the installation, says which repositories are served",
        ),
        (
            "installation_repositories",
            "ignored installation_repositories.created: the operator's file, not the installation, says which repositories are served",
        ),
    ] {
        assert_eq!(told(event, &json!({"action": "created"})), expected);
    }
    for file in [INSTALLATION, REPOSITORIES] {
        assert!(matches!(parse_fixture(file), GithubEvent::Ignored { .. }));
    }
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
            "error: the body is not a `push` event: field `installation.id`: invalid value: integer `-1`, expected u64 at line 1 column ",
        ),
        (
            PULL_REQUEST,
            "/pull_request/head/sha",
            json!("A".repeat(40)),
            "error: field `pull_request.head.sha`: ",
        ),
        (PULL_REQUEST, "/pull_request/base/ref", json!("-f"), "error: field `pull_request.base.ref`: "),
        (TAG, "/head_commit/id", json!("v1"), "error: field `head_commit.id`: "),
        (TAG, "/ref", json!("refs/tags/a..b"), "error: field `ref`: "),
        (DELETED, "/after", json!("5".repeat(40)), "error: field `after`: it must be zeros exactly when"),
        (DELETED, "/deleted", json!(false), "error: field `after`: it must be zeros exactly when"),
        (MERGE_GROUP, "/merge_group/head_sha", json!("HEAD"), "error: field `merge_group.head_sha`: "),
        (
            MERGE_GROUP,
            "/merge_group/head_ref",
            json!("refs/heads/ "),
            "error: field `merge_group.head_ref`: ",
        ),
        (MERGE_GROUP, "/sender", json!(null), "error: field `sender`: it is missing"),
        (CHECK_RUN, "/check_run/name", json!(null), "error: field `check_run.name`: it is missing"),
        (
            CHECK_RUN,
            "/check_run/name",
            json!(["slipway"]),
            "error: the body is not a `check_run` event: field `check_run.name`: ",
        ),
        (BUTTON, "/requested_action", json!(null), "error: field `requested_action`: it is missing"),
        (
            CHECK_SUITE,
            "/check_suite/head_sha",
            json!(7),
            "error: the body is not a `check_suite` event: field `check_suite.head_sha`: ",
        ),
        (CHECK_SUITE, "/check_suite/head_sha", json!("7"), "error: field `check_suite.head_sha`: "),
        (CHECK_SUITE, "/sender/login", json!("<b>"), "error: field `sender.login`: "),
        (COMMENT, "/comment/user/login", json!("a b"), "error: field `comment.user.login`: "),
        (
            COMMENT,
            "/comment/id",
            json!("1"),
            "error: the body is not a `issue_comment` event: field `comment.id`: ",
        ),
    ] {
        let result = changed(file, pointer, Some(value));
        assert!(result.starts_with(expected), "{result}");
    }
    let form = parse("push", b"payload=%7B%7D").map_err(|error| error.to_string());
    let expected =
        "the body is not a `push` event: it is a form; set the webhook's content type to `application/json`";
    assert_eq!(form, Err(expected.to_owned()));
    assert!(parse("push", b"{} {}").is_err());
    assert!(parse("unheard_of", b"payload=%7B%7D").is_err());
    assert!(parse("push", b"{}").is_err());
}
