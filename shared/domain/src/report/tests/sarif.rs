//! SARIF of any tool.

use serde_json::{Value, json};

use super::*;

const BANDIT_SARIF: &str = include_str!("../fixtures/bandit.sarif");

/// The report of checks whose command left this SARIF and exit code.
fn of_sarif(severity: Severity, sarif: &str, exit_code: &str) -> TestReport {
    let policy = Policy { severity, ..naming(checks(false, false, true), &["out/scan.sarif"]) };
    judged(&policy, &files(&[("reports/1-scan.sarif", sarif), ("command-exit-code", exit_code)]))
}

fn log(results: &Value) -> Value {
    json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan"}}, "results": results}]})
}

#[test]
fn findings_at_or_above_the_severity_fail() {
    insta::assert_snapshot!(told(&of_sarif(Severity::Medium, BANDIT_SARIF, "1")), @"
    failed
    because `out/scan.sarif` shows 2 problems of medium or high severity
    Failure backend/auth/tokens.py:11 [Bandit B324 (high)] Use of weak MD5 hash for security. Consider usedforsecurity=False
    Failure backend/auth/tokens.py:16 [Bandit B605 (high)] Starting a process with a shell, possible injection detected, security issue.
    ");
    let low = of_sarif(Severity::Low, BANDIT_SARIF, "1");
    assert_eq!((low.sarif, low.reasons), (Some(4), vec!["`out/scan.sarif` shows 4 problems".to_owned()]));
}

/// The weights of results in a run with rules: `-` counts nowhere, `low` below the severity, else what is shown.
fn weight(result: &Value) -> String {
    let rules = json!([
        {"id": "note", "defaultConfiguration": {"level": "note"}},
        {"id": "error", "defaultConfiguration": {"level": "error"}},
        {"id": "critical", "properties": {"security-severity": "9.8"}},
        {"id": "minor", "properties": {"security-severity": "3.9"}, "defaultConfiguration": {"level": "error"}},
        {"id": "zero", "properties": {"security-severity": "0.0"}, "defaultConfiguration": {"level": "error"}},
    ]);
    let extension = json!({"name": "pack", "rules": [{"id": "other"}, {"id": "packed", "properties": {"security-severity": "7.0"}}]});
    let run = json!({"results": [result], "tool": {"driver": {"name": "scan", "rules": rules}, "extensions": [extension]}});
    let report = of_sarif(Severity::Medium, &json!({"runs": [run], "version": "2.1.0"}).to_string(), "1");
    match report.sarif {
        Some(1) => report.reasons[1].clone(),
        Some(0) if report.passed => "low".to_owned(),
        Some(0) => "-".to_owned(),
        other => panic!("{other:?}: {:?}", report.reasons),
    }
}

#[test]
fn levels_and_scores_become_severities() {
    let check = |result: Value, expected: &str| {
        let shown = weight(&result);
        let shown =
            shown.split(" (").nth(1).map_or(shown.as_str(), |rest| rest.split(')').next().unwrap_or(rest));
        assert_eq!(shown, expected, "{result}");
    };
    check(json!({}), "medium");
    check(json!({"level": "error"}), "high");
    check(json!({"level": "warning"}), "medium");
    check(json!({"level": "note"}), "low");
    check(json!({"level": "none"}), "-");
    check(json!({"level": "notice"}), "of unknown severity");
    // The rule's level, by index or id, where the result has none.
    check(json!({"ruleIndex": 0}), "low");
    check(json!({"ruleIndex": 1}), "high");
    check(json!({"ruleId": "note"}), "low");
    check(json!({"ruleId": "note/part/of-it"}), "low");
    check(json!({"ruleId": "notes"}), "medium");
    check(json!({"rule": {"id": "error"}}), "high");
    check(json!({"ruleIndex": -1, "ruleId": "error"}), "high");
    check(json!({"ruleIndex": 99, "ruleId": "nobody"}), "medium");
    check(json!({"level": "note", "ruleId": "error"}), "low");
    // Scores win over levels, the result's over the rule's; what is no score is none.
    check(json!({"ruleId": "critical", "level": "note"}), "high");
    check(json!({"ruleId": "minor"}), "low");
    check(json!({"ruleId": "zero"}), "high");
    check(json!({"rule": {"index": 1, "toolComponent": {"index": 0}}}), "high");
    check(json!({"rule": {"index": 1, "toolComponent": {"index": 7}}}), "medium");
    check(json!({"ruleId": "critical", "properties": {"security-severity": 4}}), "medium");
    check(json!({"properties": {"security-severity": "6.9"}}), "medium");
    check(json!({"properties": {"security-severity": 10.0}}), "high");
    for none in [
        json!("NaN"),
        json!("inf"),
        json!(-3),
        json!("1e400"),
        json!(11),
        json!(""),
        json!([9]),
        json!({"a": 9}),
        json!(null),
        json!(true),
    ] {
        check(json!({"level": "note", "properties": {"security-severity": none}}), "low");
    }
    // Not every result is a problem.
    for kind in ["pass", "informational", "notApplicable", "open", "review"] {
        check(json!({"kind": kind}), "-");
    }
    check(json!({"kind": "pass", "level": "error"}), "-");
    check(json!({"kind": "review", "level": "warning"}), "medium");
    check(json!({"kind": "strange"}), "of unknown severity");
    check(json!({"kind": "fail", "level": "error", "baselineState": "unchanged"}), "high");
    check(json!({"level": "error", "baselineState": "absent"}), "-");
    // Suppressed only where everybody agrees.
    check(json!({"level": "error", "suppressions": [{"kind": "inSource"}]}), "-");
    check(json!({"level": "error", "suppressions": [{"kind": "external", "status": "accepted"}]}), "-");
    check(json!({"level": "error", "suppressions": []}), "high");
    check(json!({"level": "error", "suppressions": null}), "high");
    check(json!({"level": "error", "suppressions": [{"status": "underReview"}]}), "high");
    check(json!({"level": "error", "suppressions": [{}, {"status": "rejected"}]}), "high");
}

/// Where a result lies, in a run with base ids.
fn place(location: &Value) -> String {
    let root = "file:///codebuild/output/src1/src/vive-sphere-bot-manager-9c2e4d81b57a36f0/";
    let run = json!({
        "tool": {"driver": {"name": "scan"}},
        "originalUriBaseIds": {
            "%SRCROOT%": {"uri": "file:///src/"},
            "REPO": {"uri": root},
            "AUTH": {"uri": "backend/auth/", "uriBaseId": "REPO"},
            "PYTHON": {"uri": "file:///usr/lib/"},
            "LOOP": {"uri": "a/", "uriBaseId": "LOOP"},
            "NOWHERE": {},
        },
        "artifacts": [{"location": {"uri": "backend/b.py"}}, {}],
        "results": [{"message": {"text": "m"}, "locations": [{"physicalLocation": location}, {"physicalLocation": {}}]}],
    });
    let sarif = json!({"version": "2.1.0", "runs": [run]}).to_string();
    let report = of_sarif(Severity::Medium, &sarif, "1");
    match report.annotations.first() {
        Some(annotation) => format!("{}:{}", annotation.path, annotation.line),
        None => report.reasons[1].clone(),
    }
}

#[test]
fn places_come_back_to_the_repository() {
    let nowhere = "`out/scan.sarif`: scan finding (medium): m";
    let check = |location: &Value, expected: &str| assert_eq!(place(location), expected, "{location}");
    let at = |uri: &str, base: Option<&str>| match base {
        Some(base) => {
            json!({"artifactLocation": {"uri": uri, "uriBaseId": base}, "region": {"startLine": 3}})
        }
        None => json!({"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}),
    };
    check(&at("backend/a%20b.py", None), "backend/a b.py:3");
    check(&at("./backend/a.py", None), "backend/a.py:3");
    check(&at("file:///codebuild/src/o-r-9c2e4d81b57a36f0/lib/a.py", None), "lib/a.py:3");
    check(&at("file://localhost/tmp/x/backend/a.py", None), "backend/a.py:3");
    check(&at("file:/tmp/x/backend/a.py", None), "backend/a.py:3");
    check(&at("lib/a.py", Some("%SRCROOT%")), "lib/a.py:3");
    check(&at("lib/a.py", Some("UNSAID")), "lib/a.py:3");
    check(&at("lib/a.py", Some("NOWHERE")), "lib/a.py:3");
    check(&at("lib/a.py", Some("REPO")), "lib/a.py:3");
    check(&at("a.py", Some("AUTH")), "backend/auth/a.py:3");
    check(&json!({"artifactLocation": {"index": 0}}), "backend/b.py:1");
    check(&json!({"artifactLocation": {"uri": "a.py"}, "region": {"startLine": -7}}), "a.py:1");
    check(
        &json!({"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 99_999_999_999_i64}}),
        "a.py:4294967295",
    );
    for location in [
        at("python3/json/decoder.py", Some("PYTHON")),
        at("a.py", Some("LOOP")),
        at("../../etc/passwd", None),
        at("%2e%2e/%2e%2e/etc/passwd", None),
        at("a%00.py", None),
        at("a%ff.py", None),
        at("a%2", None),
        at("https://evil.example/a.py", None),
        at("file://", None),
        at("file:///etc/passwd", None),
        at("", None),
        json!({"artifactLocation": {"index": 1}}),
        json!({"artifactLocation": {"index": 2}}),
        json!({"artifactLocation": {}}),
        json!({}),
    ] {
        check(&location, nowhere);
    }
}

#[test]
fn a_tool_that_did_not_do_its_work_is_no_pass() {
    let driver = json!({"driver": {"name": "scan"}});
    let run = |more: Value| {
        let mut run = json!({"tool": driver, "results": []});
        run.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"version": "2.1.0", "runs": [run]})
    };
    let check = |sarif: Value, expected: &[&str]| {
        assert_eq!(of_sarif(Severity::Medium, &sarif.to_string(), "0").reasons, expected, "{sarif}");
    };
    check(run(json!({})), &[]);
    check(run(json!({"invocations": [{"executionSuccessful": true}]})), &[]);
    check(
        run(json!({"invocations": [{"executionSuccessful": false}]})),
        &["`out/scan.sarif`: scan says that it did not run to its end"],
    );
    check(
        run(json!({"results": null})),
        &["`out/scan.sarif`: scan left no `results`: it looked for nothing"],
    );
    check(json!({"version": "2.1.0", "runs": []}), &["`out/scan.sarif` cannot be read: it has no run"]);
    check(
        json!({"version": "1.0.0", "runs": []}),
        &["`out/scan.sarif` cannot be read: it is SARIF `1.0.0`; write 2.1.0"],
    );
    check(
        json!({"runs": []}),
        &["`out/scan.sarif` cannot be read: missing field `version` at line 1 column 11"],
    );
    // Whose levels are overridden elsewhere may weigh anything.
    let overrides =
        json!({"invocations": [{"ruleConfigurationOverrides": [{}]}], "results": [{}, {"level": "note"}]});
    assert_eq!(of_sarif(Severity::High, &run(overrides).to_string(), "0").sarif, Some(1));
}

#[test]
fn the_exit_code_must_be_explained() {
    let low = log(&json!([{"level": "note"}])).to_string();
    let high = log(&json!([{"level": "error"}])).to_string();
    let clean = log(&json!([])).to_string();
    let check = |sarif: &str, exit_code: &str, expected: &str| {
        let report = of_sarif(Severity::Medium, sarif, exit_code);
        let told = report.reasons.first().map_or("passed", String::as_str);
        assert_eq!(told, expected, "{exit_code} {sarif}");
    };
    check(&clean, "0", "passed");
    check(&low, "0", "passed");
    check(&low, "1", "passed");
    check(&high, "0", "`out/scan.sarif` shows 1 problem of medium or high severity");
    check(&high, "2", "`out/scan.sarif` shows 1 problem of medium or high severity");
    check(
        &clean,
        "1",
        "the command ended with exit code 1: no finding in its reports explains it; look at the log",
    );
    check(
        &low,
        "2",
        "the command ended with exit code 2: no finding in its reports explains it; look at the log",
    );
    check(
        &low,
        "127",
        "the command ended with exit code 127: the command was not found; is it in the requirements?",
    );
    check(
        &high,
        "137",
        "the command ended with exit code 137: the command was killed, most often because memory ran out",
    );
    check(&low, "", "`command-exit-code` holds no number");
}
