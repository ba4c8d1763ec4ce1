//! Verdicts over what test builds leave behind.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::policy::Ran;
use super::*;
use crate::spec::Severity;

pub(super) const JUNIT: &str = include_str!("fixtures/junit.xml");
pub(super) const COVERAGE: &str = include_str!("fixtures/coverage.json");
pub(super) const BANDIT: &str = include_str!("fixtures/bandit.json");
pub(super) const GREEN: &str = r#"<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="3">
  <testcase classname="backend.auth.tests.test_a" name="test_one" time="0.1" />
  <testcase classname="backend.auth.tests.test_a" name="test_two[&lt;b&gt;]" time="0.1"></testcase>
  <testcase classname="backend.auth.tests.test_a" name="test_xfail"><skipped type="pytest.xfail" message=""/></testcase>
</testsuite></testsuites>"#;

/// The policy of a service's tests.
pub(super) fn service(coverage: Option<u8>) -> Policy {
    let ran = Ran::Tests;
    let severity = Severity::default();
    Policy { ran, coverage, not_below_base: false, severity, reports: Vec::new(), folder: None }
}

/// The policy of the integration tests.
pub(super) fn integration() -> Policy {
    service(None)
}

/// The policy of the checks.
pub(super) fn checks(flake8: bool, bandit: bool, command: bool) -> Policy {
    Policy { ran: Ran::Checks { flake8, bandit, command }, ..service(None) }
}

/// The policy with these reports named.
pub(super) fn naming(policy: Policy, reports: &[&str]) -> Policy {
    let reports = reports.iter().map(|path| path.parse().expect("a path")).collect();
    Policy { reports, ..policy }
}

/// The verdict where nothing else is known.
pub(super) fn judged(policy: &Policy, files: &ResultFiles) -> TestReport {
    judge(policy, files, &Beside::default())
}

pub(super) fn files(entries: &[(&str, &str)]) -> ResultFiles {
    entries.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

pub(super) fn covered(covered: u32, statements: u32) -> String {
    format!(r#"{{"totals": {{"covered_lines": {covered}, "num_statements": {statements}}}}}"#)
}

/// The report as a person would tell it.
pub(super) fn told(report: &TestReport) -> String {
    let mut told = format!("{}\n", if report.passed { "passed" } else { "failed" });
    report.reasons.iter().for_each(|reason| {
        let _ = writeln!(told, "because {reason}");
    });
    if let Some(tests) = report.tests {
        let _ = writeln!(told, "{} passed, {} failed, {} skipped", tests.passed, tests.failed, tests.skipped);
    }
    for annotation in &report.annotations {
        let Annotation { path, line, level, title, message } = annotation;
        let _ = writeln!(told, "{level:?} {path}:{line} [{title}] {message}");
    }
    report.log_tail.iter().for_each(|line| {
        let _ = writeln!(told, "| {line}");
    });
    told
}

pub(super) fn green() -> ResultFiles {
    files(&[
        ("junit.xml", GREEN),
        ("exit-code", "0\n"),
        ("coverage.json", &covered(80, 100)),
        ("log.txt", "all well"),
    ])
}

#[test]
fn a_green_service_passes() {
    let report = judged(&service(Some(80)), &green());
    assert_eq!(told(&report), "passed\n2 passed, 0 failed, 1 skipped\n");
    assert_eq!((report.coverage, report.coverage_demanded), (Some(80.0), Some(80)));
}

#[test]
fn a_red_service_points_at_its_lines() {
    let log = "\u{1b}[1mcollecting\u{1b}[0m\r\n10%\r100%\n\u{1b}[31mFAILED\u{1b}[0m test_value";
    let entries = [("junit.xml", JUNIT), ("exit-code", "1"), ("coverage.json", COVERAGE), ("log.txt", log)];
    insta::assert_snapshot!(told(&judged(&service(Some(90)), &files(&entries))), @r#"
    failed
    because 3 of 4 tests failed
    because coverage 78.5 % is below the 90 % demanded
    1 passed, 3 failed, 1 skipped
    Failure backend/auth/tests/test_tokens.py:11 [backend.auth.tests.test_tokens::test_value] assert {'a': 3} == {'a': '<1> & "2"'}
    Failure backend/auth/tokens.py:7 [backend.auth.tests.test_tokens::test_broken] json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
    Failure backend/auth/tests/test_tokens.py:25 [backend.auth.tests.test_tokens::test_fixture] failed on setup with "RuntimeError: no database"
    Notice backend/auth/tokens.py:11 [coverage] 4 lines of this file are not run by the tests; this is the first
    Notice backend/auth/tests/test_tokens.py:20 [coverage] 2 lines of this file are not run by the tests; this is the first
    | collecting
    | 100%
    | FAILED test_value
    "#);
}

#[test]
fn checks_are_judged_by_their_findings() {
    let flake8 = "./backend/auth/tokens.py:2:1: F401 'os' imported but unused\nbackend/b.py:7:80: E501 line too long: 90 > 79\n";
    let red = [
        ("flake8.txt", flake8),
        ("flake8-exit-code", "1"),
        ("bandit.json", BANDIT),
        ("bandit-exit-code", "1"),
    ];
    insta::assert_snapshot!(told(&judged(&checks(true, true, false), &files(&red))), @"
    failed
    because flake8 found 2 problems
    because bandit found 2 problems of medium or high severity
    Failure backend/auth/tokens.py:2 [flake8 F401] 'os' imported but unused
    Failure backend/b.py:7 [flake8 E501] line too long: 90 > 79
    Failure backend/auth/tokens.py:11 [bandit B324 (high)] Use of weak MD5 hash for security. Consider usedforsecurity=False
    Failure backend/auth/tokens.py:16 [bandit B605 (high)] Starting a process with a shell, possible injection detected, security issue.
    ");

    let low = r#"{"errors": [], "results": [{"filename": "a.py", "line_number": 1, "issue_severity": "LOW",
        "issue_text": "assert", "test_id": "B101"}]}"#;
    let green =
        [("flake8.txt", ""), ("flake8-exit-code", "0"), ("bandit.json", low), ("bandit-exit-code", "1")];
    assert_eq!(told(&judged(&checks(true, true, false), &files(&green))), "passed\n");
}

/// The reasons when one entry of a green result is replaced, or removed where there is no text.
fn reasons(policy: &Policy, green: &ResultFiles, name: &str, text: Option<&str>) -> String {
    let mut files = green.clone();
    match text {
        Some(text) => files.insert(name.to_owned(), text.as_bytes().to_vec()),
        None => files.remove(name),
    };
    let report = judged(policy, &files);
    assert_eq!(report.passed, report.reasons.is_empty());
    format!("{name}: {}", report.reasons.join("; "))
}

#[test]
fn what_is_missing_or_mangled_is_told() {
    let none_ran = "<testsuites><testsuite><testcase name='a'><skipped/></testcase></testsuite></testsuites>";
    let contradiction = "<testsuites><testsuite failures='2'><testcase name='a'/></testsuite></testsuites>";
    let bomb = "<!DOCTYPE a [<!ENTITY a 'aaa'><!ENTITY b '&a;&a;'>]><testsuites>&b;</testsuites>";
    let elsewhere = "<testsuite><testcase name='a'><failure message='boom'>/usr/lib/x.py:3: Error</failure></testcase></testsuite>";
    let huge = " ".repeat(9 * 1024 * 1024);
    let mut told: Vec<String> = [
        ("junit.xml", None),
        ("junit.xml", Some("")),
        ("junit.xml", Some("<testsuites/>")),
        ("junit.xml", Some("<html></html>")),
        ("junit.xml", Some(&GREEN[..300])),
        ("junit.xml", Some("<testsuites>&unknown;</testsuites>")),
        ("junit.xml", Some("<testsuites><a></b></testsuites>")),
        ("junit.xml", Some(none_ran)),
        ("junit.xml", Some(contradiction)),
        ("junit.xml", Some(bomb)),
        ("junit.xml", Some(elsewhere)),
        ("junit.xml", Some(&huge)),
        ("exit-code", None),
        ("exit-code", Some("")),
        ("exit-code", Some("1")),
        ("exit-code", Some("2")),
        ("exit-code", Some("5")),
        ("exit-code", Some("137")),
        ("coverage.json", None),
        ("coverage.json", Some("")),
        ("coverage.json", Some("{}")),
        ("coverage.json", Some(&covered(0, 0))),
        ("coverage.json", Some(&covered(5, 4))),
        ("coverage.json", Some(&covered(713, 1000))),
        ("coverage.json", Some(&covered(79_999, 100_000))),
    ]
    .into_iter()
    .map(|(name, text)| reasons(&service(Some(80)), &green(), name, text))
    .collect();

    let none = r#"{"errors": [], "results": []}"#;
    let unread = r#"{"errors": [{"filename": "a.py", "reason": "syntax error while parsing AST from file"}], "results": []}"#;
    let clean = files(&[
        ("flake8.txt", ""),
        ("flake8-exit-code", "0"),
        ("bandit.json", none),
        ("bandit-exit-code", "0"),
    ]);
    told.extend(
        [
            ("flake8.txt", None),
            ("flake8.txt", Some("Traceback (most recent call last):")),
            ("flake8-exit-code", None),
            ("flake8-exit-code", Some("1")),
            ("bandit.json", None),
            ("bandit.json", Some("[[], []]")),
            ("bandit.json", Some("{}")),
            ("bandit.json", Some(unread)),
            ("bandit-exit-code", Some("2")),
        ]
        .into_iter()
        .map(|(name, text)| reasons(&checks(true, true, false), &clean, name, text)),
    );
    insta::assert_snapshot!(told.join("\n"), @r#"
    junit.xml: the build left no `junit.xml`
    junit.xml: `junit.xml` cannot be read: it ends too early
    junit.xml: no test ran
    junit.xml: `junit.xml` cannot be read: it is not one `testsuites` element
    junit.xml: `junit.xml` cannot be read: syntax error: attribute value not closed: `"` not found before end of input
    junit.xml: `junit.xml` cannot be read: it has an unknown entity `&unknown;`
    junit.xml: `junit.xml` cannot be read: ill-formed document: expected `</a>`, but `</b>` was found
    junit.xml: no test ran, 1 skipped
    junit.xml: `junit.xml` cannot be read: it counts 2 failed tests and shows none
    junit.xml: `junit.xml` cannot be read: it has a document type
    junit.xml: 1 of 1 tests failed; test `a`: boom
    junit.xml: `junit.xml` is larger than 8 MiB and was not read
    exit-code: the build left no `exit-code`: the command did not come to its end
    exit-code: `exit-code` holds no number
    exit-code: the tests ended with exit code 1: no test is reported as failed, but pytest or a plugin (such as a coverage limit) says so
    exit-code: the tests ended with exit code 2: pytest was interrupted, or tests could not be collected
    exit-code: the tests ended with exit code 5: pytest found no tests
    exit-code: the tests ended with exit code 137: the command was killed, most often because memory ran out
    coverage.json: the build left no `coverage.json`
    coverage.json: `coverage.json` cannot be read: it is no JSON object
    coverage.json: `coverage.json` cannot be read: missing field `totals` at line 1 column 2
    coverage.json: `coverage.json` cannot be read: it measured no line; look at what `--cov` names
    coverage.json: `coverage.json` cannot be read: it has 5 covered lines of 4
    coverage.json: coverage 71.3 % is below the 80 % demanded
    coverage.json: coverage 79.9 % is below the 80 % demanded
    flake8.txt: the build left no `flake8.txt`
    flake8.txt: `flake8.txt` holds what is no finding: `Traceback (most recent call last):`
    flake8-exit-code: the build left no `flake8-exit-code`: the command did not come to its end
    flake8-exit-code: flake8 ended with exit code 1 without a finding
    bandit.json: the build left no `bandit.json`
    bandit.json: `bandit.json` cannot be read: it is no JSON object
    bandit.json: `bandit.json` cannot be read: missing field `errors` at line 1 column 2
    bandit.json: bandit could not read `a.py`: syntax error while parsing AST from file
    bandit-exit-code: bandit ended with exit code 2 without a finding
    "#);
}

#[test]
fn coverage_that_is_not_judged_changes_nothing() {
    let policy = service(None);
    assert_eq!(reasons(&policy, &green(), "coverage.json", None), "coverage.json: ");
    assert_eq!(reasons(&policy, &green(), "coverage.json", Some("{")), "coverage.json: ");
    assert_eq!(
        judged(
            &policy,
            &files(&[("junit.xml", GREEN), ("exit-code", "0"), ("coverage.json", &covered(1, 4))])
        )
        .coverage,
        Some(25.0)
    );
}

#[test]
fn annotations_are_counted_beyond_the_most_kept_and_assertions_come_first() {
    let case = |number: usize, kind: &str| {
        format!("<testcase name='t{number}'><{kind} message='m'>backend/a.py:{number}: E</{kind}></testcase>")
    };
    let cases: String =
        (1..=70).map(|number| case(number, if number == 70 { "failure" } else { "error" })).collect();
    let junit = format!("<testsuite>{cases}</testsuite>");
    let report = judged(&integration(), &files(&[("junit.xml", &junit), ("exit-code", "1")]));
    assert_eq!((report.annotations.len(), report.annotations_omitted), (MOST_ANNOTATIONS, 20));
    assert_eq!(report.annotations[0].line, 70);
    assert_eq!(report.reasons, ["70 of 70 tests failed"]);
}

#[test]
fn the_first_family_of_junit_names_lines_itself() {
    let junit = "<testsuite><testcase classname='t' name='a' file='backend/t.py' line='4'><failure message='m'/></testcase></testsuite>";
    let report = judged(&integration(), &files(&[("junit.xml", junit), ("exit-code", "1")]));
    assert_eq!(
        told(&report),
        "failed\nbecause 1 of 1 tests failed\n0 passed, 1 failed, 0 skipped\nFailure backend/t.py:5 [t::a] m\n"
    );
}

#[test]
fn the_log_is_cut_to_its_end() {
    let lines: Vec<String> = (1..=1_000).map(|line| format!("line {line} {}", "ü".repeat(700))).collect();
    let log = lines.join("\n");
    let report = judged(&integration(), &files(&[("log.txt", &log)]));
    assert_eq!(report.log_tail.len(), 40);
    assert!(report.log_tail[39].starts_with("line 1000 ü"));
    assert!(report.log_tail.iter().all(|line| line.chars().count() <= 500));
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        prop::option::of(0_u8..=100).prop_map(service),
        Just(integration()),
        any::<[bool; 3]>().prop_map(|[flake8, bandit, command]| checks(flake8, bandit, command)),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_pass(
        policy in any_policy(),
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        text in "[<>&;a-z'\"=/:!\\[\\]{}0-9 ]{0,80}",
    ) {
        for content in [bytes, text.into_bytes()] {
            let names = ["junit.xml", "coverage.json", "flake8.txt", "bandit.json", "log.txt"];
            let mut files: ResultFiles = names.into_iter().map(|name| (name.to_owned(), content.clone())).collect();
            prop_assert!(!judged(&policy, &files).passed);
            // Even a command that says that all went well needs a report that says so.
            for name in ["exit-code", "flake8-exit-code", "bandit-exit-code", "command-exit-code"] {
                files.insert(name.to_owned(), b"0".to_vec());
            }
            // An empty `flake8.txt` (or a bare count) is what flake8 leaves when it finds nothing.
            let text = String::from_utf8_lossy(&content);
            let is_quiet = text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace());
            // A command of the repository's own need not leave any report.
            let is_clean = (is_quiet || matches!(policy.ran, Ran::Checks { flake8: false, .. })) && matches!(policy.ran, Ran::Checks { bandit: false, flake8, command } if flake8 || command);
            prop_assert_eq!(judged(&policy, &files).passed, is_clean);
        }
    }

    #[test]
    fn a_cut_report_never_passes(place in 0..GREEN.len()) {
        let mut files = green();
        files.insert("junit.xml".to_owned(), GREEN.as_bytes()[..place].to_vec());
        prop_assert!(!judged(&service(Some(80)), &files).passed);
        files.insert("junit.xml".to_owned(), JUNIT.as_bytes()[..place.min(JUNIT.len())].to_vec());
        prop_assert!(!judged(&service(Some(80)), &files).passed);
    }

    #[test]
    fn a_damaged_red_report_never_passes(place in 0..JUNIT.len(), byte in any::<u8>()) {
        let mut junit = JUNIT.as_bytes().to_vec();
        junit[place] = byte;
        let mut files = green();
        files.insert("junit.xml".to_owned(), junit);
        prop_assert!(!judged(&service(Some(80)), &files).passed);
    }
}

mod coverage;
mod flaky;
mod hostile;
mod named;
mod sarif;
