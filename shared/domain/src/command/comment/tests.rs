//! Comments as people write them, and as they must not be read.

use proptest::prelude::*;

use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// The commands, one a line.
fn told(comment: &str) -> String {
    let told = |command: Command| match command {
        Command::Retest => "retest".to_owned(),
        Command::Test(subject) => format!("test {subject}"),
        Command::TestAll => "test all".to_owned(),
        Command::Cancel => "cancel".to_owned(),
        Command::OkToTest(sha) => format!("admit {sha}"),
        Command::Malformed(sentence) => sentence,
    };
    commands(comment).into_iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_are_read_line_by_line() {
    for (comment, expected) in [
        ("/retest", "retest"),
        ("Flaky, I think.\r\n\r\n  /retest  \r\nThanks!", "retest"),
        ("/Retest", "retest"),
        ("/test authentication", "test authentication"),
        ("/test checks\n/test integration\n/cancel", "test +checks\ntest +integration\ncancel"),
        (
            "/ok-to-test 0123456789ABCDEF0123456789abcdef01234567",
            "admit 0123456789abcdef0123456789abcdef01234567",
        ),
        ("a\n<!-- a note --> b\n/cancel", "cancel"),
        ("```\nlog\n```\n/retest", "retest"),
        ("```a``` is code\n/retest", "retest"),
    ] {
        assert_eq!(told(comment), expected, "{comment:?}");
    }
}

#[test]
fn what_is_no_command_of_ours_is_nothing() {
    for comment in [
        "",
        "please /retest",
        "//retest",
        "/",
        "/ retest",
        "/lgtm",
        "/approve",
        "/hold",
        "/assign @ada",
        "/rebase",
        "/test/authentication/test_login.py fails",
        "/retest/",
        "/text",
        "/etc/passwd",
        "> /retest",
        ">/cancel",
        "    /retest",
        "\t/retest",
        "  \t/retest",
        "```\n/retest\n```",
        "```sh\n/retest",
        "~~~~\n/retest\n~~~\n/cancel",
        "````\n```\n/retest\n````",
        "<!--\n/ok-to-test 0123456789abcdef0123456789abcdef01234567\n-->",
        "a <!-- b\n/cancel",
        "`/retest`",
        "- /retest",
    ] {
        assert_eq!(told(comment), "", "{comment:?}");
    }
}

#[test]
fn what_is_nearly_a_command_says_what_to_write() {
    let long = format!("/test {}", "x".repeat(300));
    let hostile =
        "/test `@everyone`\n/test <img>\n/ok-to-test \u{1b}[31m`zz\u{202e}\n/test a+rollback\n/test +checks";
    let missing = "/test\n/test a b\n/retest now\n/cancel it";
    let slips = "/re-test\n/retset\n/ok-to-tset abc\n/cancle\n/tests a";
    insta::assert_snapshot!(told(missing), @"
    `/test` wants to know what: write `/test <service>`, `/test checks` or `/test integration`; `/retest` takes all that failed.
    `/test` takes one name; write `/test <service>`, `/test checks` or `/test integration`, each on a line of its own.
    `/retest` stands alone on its line and runs every failed test again; for one test write `/test <service>`.
    `/cancel` stands alone on its line and stops the whole run.
    ");
    insta::assert_snapshot!(told(slips), @"
    `/re-test` is no command; did you mean `/retest`?
    `/retset` is no command; did you mean `/retest`?
    `/ok-to-tset` is no command; did you mean `/ok-to-test`?
    `/cancle` is no command; did you mean `/cancel`?
    `/tests` is no command; did you mean `/test`?
    ");
    insta::assert_snapshot!(told("/ok-to-test\n/ok-to-test 0123456\n/ok-to-test master\n/ok-to-test 0123456789abcdef0123456789abcdef012345678"), @"
    `/ok-to-test` admits one commit, so that a push after it does not slip through: write `/ok-to-test` and the commit's 40 digits, nothing else.
    `0123456` is only the beginning of a commit's id, and another commit can be made that begins so: write `/ok-to-test` and the commit's 40 digits, nothing else.
    `master` is no commit's id: write `/ok-to-test` and the commit's 40 digits, nothing else.
    `0123456789abcdef0123456789abcdef0123456…` is no commit's id: write `/ok-to-test` and the commit's 40 digits, nothing else.
    ");
    insta::assert_snapshot!(told(&format!("/ok-to-test {SHA} please")), @"`/ok-to-test` admits one commit, so that a push after it does not slip through: write `/ok-to-test` and the commit's 40 digits, nothing else.");
    insta::assert_snapshot!(told(hostile), @"
    `'@everyone'` is no service's name: write `/test <service>`, `/test checks` or `/test integration`.
    `<img>` is no service's name: write `/test <service>`, `/test checks` or `/test integration`.
    `'zz` is no commit's id: write `/ok-to-test` and the commit's 40 digits, nothing else.
    `a+rollback` is no service's name: write `/test <service>`, `/test checks` or `/test integration`.
    `+checks` is no service's name: write `/test <service>`, `/test checks` or `/test integration`.
    ");
    insta::assert_snapshot!(told(&long), @"`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is no service's name: write `/test <service>`, `/test checks` or `/test integration`.");
}

#[test]
fn a_comment_has_at_most_five_commands() {
    insta::assert_snapshot!(told(&"/retest\n".repeat(5)), @"
    retest
    retest
    retest
    retest
    retest
    ");
    insta::assert_snapshot!(told(&"/retest\n".repeat(10_000)), @"
    retest
    retest
    retest
    retest
    retest
    Only the first 5 commands of a comment are carried out; write the others in another comment.
    ");
}

proptest! {
    #[test]
    fn arbitrary_comments_never_panic(comment in "([/`~<>! \\-\n]|test|retest|ok-to-|\\PC){0,60}") {
        for command in commands(&comment) {
            if let Command::Malformed(sentence) = command {
                prop_assert!(sentence.len() < 400 && !sentence.contains('\n'), "{sentence}");
                prop_assert_eq!(sentence.matches('`').count() % 2, 0, "{}", sentence);
            }
        }
    }
}
