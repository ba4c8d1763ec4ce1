//! Tests that passed only on a retry.

use super::*;

const FLAKY: &str = include_str!("../fixtures/flaky.xml");

#[test]
fn a_test_that_passed_on_a_retry_passed_and_is_told_of() {
    let report = judged(&integration(), &files(&[("junit.xml", FLAKY), ("exit-code", "0")]));
    insta::assert_snapshot!(told(&report), @"
    passed
    2 passed, 0 failed, 0 skipped
    Warning backend/auth/tests/test_tokens.py:12 [backend.auth.tests.test_tokens::test_sometimes] passed only on a retry; before: AssertionError: the clock & the <cache> differ
    ");
    assert_eq!(report.tests.map(|tests| tests.flaky), Some(1));
    assert_eq!(report.flaky, ["backend.auth.tests.test_tokens::test_sometimes"]);
}

fn check(case: &str, passes: bool, told_of: &str) {
    let junit = format!("<testsuite><testcase name='a'/><testcase name='t'>{case}</testcase></testsuite>");
    let exit_code = if passes { "0" } else { "1" };
    let report = judged(&integration(), &files(&[("junit.xml", &junit), ("exit-code", exit_code)]));
    assert_eq!(told(&report), told_of, "{case}");
}

#[test]
fn other_tools_words_for_it_are_known() {
    let place = "backend/a.py:3: E";
    let warning = "passed\n2 passed, 0 failed, 0 skipped\n\
                   Warning backend/a.py:3 [t] passed only on a retry; before: m\n";
    for name in ["flakyFailure", "flakyError", "rerunFailure", "rerunError"] {
        check(&format!("<{name} message='m'>{place}</{name}>"), true, warning);
        let surefire = format!(
            "<{name} message='m'><stackTrace>{place}</stackTrace><system-out>b.py:9: E</system-out></{name}>"
        );
        check(&surefire, true, warning);
    }
    // The first failure is the one that is told.
    check(
        &format!(
            "<rerunFailure message='m'>{place}</rerunFailure><rerunFailure message='n'>b.py:1: E</rerunFailure>"
        ),
        true,
        warning,
    );
    // No line of the repository: counted and named, without an annotation.
    check("<flakyFailure/>", true, "passed\n2 passed, 0 failed, 0 skipped\n");
    // Retries that did not help.
    check(
        &format!("<failure message='x'>b.py:1: E</failure><rerunFailure message='m'>{place}</rerunFailure>"),
        false,
        "failed\nbecause 1 of 2 tests failed\n1 passed, 1 failed, 0 skipped\nFailure b.py:1 [t] x\n",
    );
    // What comes after a failed assertion, as in a test's cleaning up, does not move its place.
    check(
        "<failure message='x'>b.py:1: E</failure><error message='y'>c.py:2: E</error>",
        false,
        "failed\nbecause 1 of 2 tests failed\n1 passed, 1 failed, 0 skipped\nFailure b.py:1 [t] x\n",
    );
}

#[test]
fn names_are_kept_up_to_a_number() {
    let cases: Vec<String> =
        (0..30).map(|number| format!("<testcase name='t{number}'><flakyFailure/></testcase>")).collect();
    let junit = format!("<testsuite>{}</testsuite>", cases.concat());
    let report = judged(&integration(), &files(&[("junit.xml", &junit), ("exit-code", "0")]));
    assert!(report.passed);
    assert_eq!((report.flaky.len(), report.tests.map(|tests| tests.flaky)), (20, Some(30)));
}
