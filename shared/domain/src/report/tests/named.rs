//! Reports that a task names, recognised by what they hold.

use super::*;

/// The reasons of tests whose command left one report of its own beside pytest's.
fn reasons_beside(report: Option<&str>) -> Vec<String> {
    let mut files = green();
    if let Some(text) = report {
        files.insert("reports/1-report".to_owned(), text.as_bytes().to_vec());
    }
    let report = judged(&naming(service(Some(80)), &["out/report"]), &files);
    assert_eq!(report.passed, report.reasons.is_empty());
    report.reasons
}

#[test]
fn a_report_is_known_by_what_it_holds() {
    for green in [
        GREEN,
        &format!("\u{feff}\n<?xml version='1.0'?><!-- made by x -->{GREEN}"),
        &covered(9, 10),
        "<coverage><class filename='a.py'><lines><line number='1' hits='1'/></lines></class></coverage>",
        r#"{"errors": [], "results": []}"#,
        r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}"#,
        "\u{feff}{\"errors\": [], \"results\": []}",
    ] {
        assert_eq!(reasons_beside(Some(green)), Vec::<String>::new(), "{green}");
    }
    let told: Vec<String> = [
        None,
        Some(""),
        Some(" \n"),
        Some("TN:\nSF:a.py\nDA:1,1\n"),
        Some("[{}]"),
        Some("{}"),
        Some("{\"runs\":"),
        Some("{\"results\": []}"),
        Some("<html></html>"),
        Some("<report name='jacoco'/>"),
        Some("<!-- nothing -->"),
        Some("<"),
        Some("<!DOCTYPE testsuite [<!ENTITY a 'b'>]><testsuite/>"),
        Some(&JUNIT[..900]),
        Some(JUNIT),
        Some(BANDIT),
    ]
    .into_iter()
    .map(|report| reasons_beside(report).join("; "))
    .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    the command left no `out/report`; `reports` names it: write it there, or take it from the list
    `out/report` cannot be read: it is empty
    `out/report` cannot be read: it is empty
    `out/report` cannot be read: it is neither XML nor a JSON object; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: it is neither XML nor a JSON object; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: it is JSON of another kind; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: EOF while parsing a value at line 1 column 8
    `out/report` cannot be read: it is JSON of another kind; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: its root is `html`; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: its root is `report`; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `out/report` cannot be read: it ends too early
    `out/report` cannot be read: syntax error: tag not closed: `>` not found before end of input
    `out/report` cannot be read: it has a document type
    `out/report` cannot be read: it ends too early
    3 of 6 tests failed
    `out/report` shows 2 problems of medium or high severity
    ");
}

#[test]
fn tests_of_several_reports_add_up() {
    let mut files = green();
    files.insert("reports/1-a.xml".to_owned(), GREEN.as_bytes().to_vec());
    files.insert("reports/2-a.xml".to_owned(), JUNIT.as_bytes().to_vec());
    let policy = naming(service(Some(80)), &["one/a.xml", "other/a.xml"]);
    let report = judged(&policy, &files);
    assert_eq!(report.tests, Some(TestCounts { passed: 5, failed: 3, skipped: 3, flaky: 0 }));
    // A report beside pytest's own says what pytest's exit code does not.
    assert_eq!(report.reasons, ["3 of 8 tests failed"]);
    assert_eq!(report.annotations.len(), 3);
}

#[test]
fn another_tool_for_tests_needs_no_report_of_pytests() {
    let check = |named: &str, exit_code: &str, expected: &[&str]| {
        let files = files(&[("reports/1-junit.xml", named), ("exit-code", exit_code)]);
        let report = judged(&naming(service(None), &["build/junit.xml"]), &files);
        assert_eq!(report.reasons, expected, "{exit_code} {named}");
        assert_eq!(report.tests.is_some(), named.contains("</testsuite>"));
    };
    let red = "<testsuite><testcase name='a'/><testcase name='b'><failure>a.js:3: x</failure></testcase></testsuite>";
    check(GREEN, "0", &[]);
    check(red, "1", &["1 of 2 tests failed"]);
    check(red, "7", &["1 of 2 tests failed"]);
    check(red, "0", &["1 of 2 tests failed"]);
    let unexplained =
        "the tests ended with exit code 2: no test is reported as failed; look at the log for what did";
    check(GREEN, "2", &[unexplained]);
    let killed =
        "the tests ended with exit code 137: the command was killed, most often because memory ran out";
    check(red, "137", &["1 of 2 tests failed", killed]);
    check("<testsuite></testsuite>", "0", &["no test ran"]);
    check("<testsuite>", "0", &["`build/junit.xml` cannot be read: it ends too early"]);
    // What is no report of tests does not stand in for one.
    let other = r#"{"errors": [], "results": []}"#;
    check(other, "0", &["the build left no `junit.xml`"]);
}

#[test]
fn a_command_is_one_of_the_checks() {
    let alone = checks(false, false, true);
    for (entries, expected) in [
        (vec![("command-exit-code", "0")], None),
        (vec![], Some("the build left no `command-exit-code`: the command did not come to its end")),
        (
            vec![("command-exit-code", "1")],
            Some(
                "the command ended with exit code 1: no finding in its reports explains it; look at the log",
            ),
        ),
        (
            vec![("command-exit-code", "-1")],
            Some(
                "the command ended with exit code -1: no finding in its reports explains it; look at the log",
            ),
        ),
    ] {
        let report = judged(&alone, &files(&entries));
        assert_eq!(report.reasons.first().map(String::as_str), expected, "{entries:?}");
    }
    // It runs beside the two others, and its reports add to theirs.
    let all = naming(checks(true, true, true), &["lint.xml", "scan.json"]);
    let entries = [
        ("flake8.txt", "a.py:1:1: F401 unused\n"),
        ("flake8-exit-code", "1"),
        ("bandit.json", BANDIT),
        ("bandit-exit-code", "1"),
        ("command-exit-code", "1"),
        (
            "reports/1-lint.xml",
            "<testsuite><testcase name='x'><failure>b.js:2: y</failure></testcase></testsuite>",
        ),
        ("reports/2-scan.json", BANDIT),
    ];
    let report = judged(&all, &files(&entries));
    insta::assert_snapshot!(report.reasons.join("\n"), @"
    flake8 found 1 problem
    bandit found 2 problems of medium or high severity
    1 of 1 tests failed
    `scan.json` shows 2 problems of medium or high severity
    ");
    assert_eq!((report.flake8, report.bandit, report.annotations.len()), (Some(1), Some(4), 6));
    // A linter's report without a case is a clean one.
    let clean = [("command-exit-code", "0"), ("reports/1-lint.xml", "<testsuites/>")];
    assert!(judged(&naming(alone, &["lint.xml"]), &files(&clean)).passed);
}

#[test]
fn bandits_findings_count_from_the_severity_that_is_asked_for() {
    let finding = |severity: &str| {
        format!(
            r#"{{"errors": [], "results": [{{"filename": "a.py", "line_number": 1, "issue_severity": "{severity}",
                "issue_text": "x", "test_id": "B1"}}]}}"#
        )
    };
    for (least, word, counts) in [
        (Severity::Low, "LOW", true),
        (Severity::Low, "UNDEFINED", true),
        (Severity::Medium, "LOW", false),
        (Severity::Medium, "MEDIUM", true),
        (Severity::High, "MEDIUM", false),
        (Severity::High, "HIGH", true),
        (Severity::High, "UNDEFINED", true),
        (Severity::High, "low", true),
    ] {
        let policy = Policy { severity: least, ..checks(false, true, false) };
        let report = judged(&policy, &files(&[("bandit.json", &finding(word)), ("bandit-exit-code", "1")]));
        assert_eq!((report.passed, report.bandit), (!counts, Some(u32::from(counts))), "{least:?} {word}");
    }
}
