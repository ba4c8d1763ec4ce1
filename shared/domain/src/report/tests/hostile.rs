//! Reports made to do harm: too large, too many, absurd, broken. Whatever comes, there is a verdict, it is small, and
//! it is no pass that nobody earned.

use super::*;

fn size(report: &TestReport) -> usize {
    serde_json::to_vec(report).expect("a report is JSON").len()
}

#[test]
fn many_findings_are_counted_and_few_are_kept() {
    let flake8 = "a.py:1:1: E1 x\n".repeat(500_000);
    let report =
        judged(&checks(true, false, false), &files(&[("flake8.txt", &flake8), ("flake8-exit-code", "1")]));
    assert_eq!((report.flake8, report.annotations.len()), (Some(500_000), MOST_ANNOTATIONS));
    assert_eq!(report.annotations_omitted, 499_950);

    let results = r#"{"level":"error"},"#.repeat(300_000);
    let sarif =
        format!(r#"{{"version":"2.1.0","runs":[{{"results":[{results}{{}}],"tool":{{"driver":{{}}}}}}]}}"#);
    let policy = naming(checks(false, false, true), &["a"]);
    let report = judged(&policy, &files(&[("reports/1-a", &sarif), ("command-exit-code", "1")]));
    assert_eq!((report.sarif, report.reasons.len()), (Some(300_001), 6));

    let cases = "<testcase name='a'><failure>b.py:1: x</failure></testcase>".repeat(100_000);
    let junit = format!("<testsuite>{cases}</testsuite>");
    let report = judged(&integration(), &files(&[("junit.xml", &junit), ("exit-code", "1")]));
    assert_eq!(report.tests.map(|tests| tests.failed), Some(100_000));
    assert_eq!((report.annotations.len(), report.annotations_omitted), (50, 99_950));

    let unread = r#"{"filename":"a","reason":"b"},"#.repeat(100_000);
    let bandit = format!(r#"{{"errors":[{unread}{{"filename":"a","reason":"b"}}],"results":[]}}"#);
    let report =
        judged(&checks(false, true, false), &files(&[("bandit.json", &bandit), ("bandit-exit-code", "0")]));
    assert_eq!(report.reasons.last().map(String::as_str), Some("bandit could not read 99996 more files"));
}

#[test]
fn failures_are_kept_before_warnings_and_notices() {
    let flaky = "<testcase name='f'><flakyFailure>a.py:1: x</flakyFailure></testcase>".repeat(60);
    let junit =
        format!("<testsuite>{flaky}<testcase name='red'><failure>b.py:2: x</failure></testcase></testsuite>");
    let report = judged(&integration(), &files(&[("junit.xml", &junit), ("exit-code", "1")]));
    assert_eq!((report.annotations.len(), report.annotations_omitted), (50, 11));
    assert_eq!(report.annotations[0].path, "b.py");
}

#[test]
fn a_report_fits_into_its_item() {
    let wide = "\u{1f980}".repeat(700);
    let case = |number: usize| {
        let failure = format!("<failure message='{wide}'>{}/{number}.py:7: x</failure>", "ä".repeat(100));
        format!("<testcase name='{wide}'>{failure}</testcase>")
    };
    let lost = format!("<testcase name='{wide}'><failure message='{wide}'/></testcase>").repeat(6);
    let cases: Vec<String> = (0..60).map(case).collect();
    let junit = format!("<testsuite>{}{lost}</testsuite>", cases.concat());
    let log = format!("{wide}\n").repeat(50);
    let names: Vec<String> = (0..60).map(|number| format!("{number}{}", "ü".repeat(100))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let policy = naming(integration(), &names);
    let report = judged(&policy, &files(&[("junit.xml", &junit), ("exit-code", "1"), ("log.txt", &log)]));
    assert!(size(&report) <= bounds::MOST_BYTES, "{} bytes", size(&report));
    let shown = u32::try_from(report.annotations.len()).expect("few");
    assert_eq!(shown + report.annotations_omitted, 60);
    assert!(report.log_tail.iter().all(|line| line.chars().count() <= 160), "lines are cut first");
    assert_eq!(report.reasons.len(), 41);
    assert_eq!(report.reasons[40], "26 more reasons are left out");
}

#[test]
fn annotations_that_still_do_not_fit_are_counted() {
    let annotation = Annotation {
        path: "a".repeat(8_000),
        line: 1,
        level: AnnotationLevel::Failure,
        title: String::new(),
        message: "b".repeat(9_000),
    };
    let mut report =
        TestReport { annotations: vec![annotation; 50], annotations_omitted: 7, ..TestReport::default() };
    bounds::fit(&mut report);
    assert!(size(&report) <= bounds::MOST_BYTES);
    assert_eq!((report.annotations.len(), report.annotations_omitted), (24, 33));
}

#[test]
fn sizes_are_bounded_one_by_one_and_in_sum() {
    let large = format!("{}{}", GREEN, " ".repeat(7 * 1024 * 1024));
    let names = ["1", "2", "3", "4", "5"];
    let mut entries = vec![("junit.xml", GREEN), ("exit-code", "0")];
    let reports: Vec<String> = (1..=5).map(|number| format!("reports/{number}-{number}")).collect();
    entries.extend(reports.iter().map(|name| (name.as_str(), large.as_str())));
    let report = judged(&naming(integration(), &names), &files(&entries));
    assert!(
        report
            .reasons
            .iter()
            .any(|reason| { reason == "`5` was not read: the reports are larger than 32 MiB together" }),
        "{:?}",
        report.reasons
    );
    let large = " ".repeat(9 * 1024 * 1024);
    let report = judged(&naming(service(None), &["a/b.xml"]), &files(&[("reports/1-b.xml", &large)]));
    assert!(report.reasons.contains(&"`a/b.xml` is larger than 8 MiB and was not read".to_owned()));
}

/// What the reading of one report of this text brings, as a reason.
fn told_of(text: &[u8]) -> String {
    let mut files = green();
    files.insert("reports/1-a".to_owned(), text.to_vec());
    let report = judged(&naming(service(Some(80)), &["a"]), &files);
    assert!(!report.passed, "{}", String::from_utf8_lossy(&text[..text.len().min(200)]));
    report.reasons.join("; ")
}

#[test]
fn absurd_reports_are_explained() {
    let deep_json = format!("{{\"totals\": {}", "[".repeat(100_000));
    let deep_xml = "<testsuite>".repeat(100_000);
    let totals =
        |covered: &str| format!(r#"{{"totals": {{"covered_lines": {covered}, "num_statements": 5}}}}"#);
    let objects = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"rules":[{}{{}}]}}}}}}]}}"#,
        "{},".repeat(500_000)
    );
    let rules = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"rules":[{}{{}}]}}}}}}]}}"#,
        "{},".repeat(20_000)
    );
    let twice = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":[{}],"results":[]}]}"#;
    let classes: String =
        "<class filename='NUMBER'><lines><line number='1' hits='1'/></lines></class>".to_owned();
    let classes: Vec<String> =
        (0..50_001).map(|number| classes.replace("NUMBER", &number.to_string())).collect();
    let told: Vec<String> = [
        deep_json.into_bytes(),
        deep_xml.into_bytes(),
        totals("1e400").into_bytes(),
        totals("-1").into_bytes(),
        totals("NaN").into_bytes(),
        totals("99999999999").into_bytes(),
        totals("\"4\"").into_bytes(),
        objects.into_bytes(),
        rules.into_bytes(),
        twice.as_bytes().to_vec(),
        format!("<coverage>{}</coverage>", classes.concat()).into_bytes(),
        b"\x7fELF\x02\x01\x01\0\0".to_vec(),
        b"{\"totals\": {\"covered_lines\": 4, \"num_statements\": 5}, \"files\": {\"\xff\": {}}}".to_vec(),
        b"\xff\xfe<\0t\0e\0s\0t\0s\0u\0i\0t\0e\0".to_vec(),
    ]
    .iter()
    .map(|text| told_of(text))
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    `a` cannot be read: EOF while parsing a list at line 1 column 100011
    `a` cannot be read: it is nested too deeply
    `a` cannot be read: number out of range at line 1 column 34
    `a` cannot be read: invalid value: integer `-1`, expected u32 at line 1 column 31
    `a` cannot be read: expected value at line 1 column 30
    `a` cannot be read: invalid value: integer `99999999999`, expected u32 at line 1 column 40
    `a` cannot be read: invalid type: string "4", expected u32 at line 1 column 32
    `a` cannot be read: it holds more than 400000 objects
    `a` cannot be read: a list of more than 20000 elements at line 1 column 60059
    `a` cannot be read: duplicate field `results` at line 1 column 73
    `a` cannot be read: it has more than 50000 files
    `a` cannot be read: it is neither XML nor a JSON object; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    `a` cannot be read: invalid unicode code point at line 1 column 66
    `a` cannot be read: it is neither XML nor a JSON object; JUnit XML, Cobertura XML, coverage.py's JSON, bandit's JSON and SARIF 2.1.0 are read
    "#);
}

const KINDS: [&str; 5] = [
    "<testsuites><testsuite failures='1'><testcase name='a'><failure message='m'>a.py:1: x</failure></testcase></testsuite></testsuites>",
    "<coverage><class filename='a.py'><lines><line number='1' hits='0'/></lines></class></coverage>",
    r#"{"totals": {"covered_lines": 0, "num_statements": 5}, "files": {"a.py": {"missing_lines": [1]}}}"#,
    r#"{"errors": [], "results": [{"filename": "a.py", "line_number": 1, "issue_severity": "HIGH", "issue_text": "x", "test_id": "B1"}]}"#,
    r#"{"version": "2.1.0", "runs": [{"results": [{"level": "error", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}}}]}], "tool": {"driver": {"name": "x"}}}]}"#,
];

proptest! {
    #[test]
    fn a_red_report_that_is_cut_or_damaged_never_passes_for_lack_of_form(
        kind in 0..KINDS.len(),
        place in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let whole = KINDS[kind].as_bytes();
        let place = place.index(whole.len());
        // A cut report says that it is cut.
        prop_assert!(!told_of(&whole[..place]).is_empty());
        // A damaged one may say something else, but there is a verdict, and it is small.
        let damaged = [&whole[..place], &bytes, &whole[(place + 1).min(whole.len())..]].concat();
        let mut files = green();
        files.insert("reports/1-a".to_owned(), damaged);
        let report = judged(&naming(service(Some(80)), &["a"]), &files);
        prop_assert_eq!(report.passed, report.reasons.is_empty());
        prop_assert!(size(&report) <= bounds::MOST_BYTES);
    }

    #[test]
    fn any_bytes_in_a_named_report_are_a_failure(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[<>&;a-z'\"=/:!\\[\\]{}0-9, ]{0,120}",
        coverage in prop::option::of(0_u8..=100),
    ) {
        for content in [bytes, text.into_bytes()] {
            let mut files = green();
            files.insert("reports/1-a".to_owned(), content);
            for policy in [service(coverage), integration(), checks(false, false, true)] {
                files.insert("command-exit-code".to_owned(), b"0".to_vec());
                let report = judged(&naming(policy, &["a"]), &files);
                prop_assert!(!report.passed);
                prop_assert!(size(&report) <= bounds::MOST_BYTES);
            }
        }
    }

    #[test]
    fn any_bytes_in_any_file_have_a_small_verdict(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 9),
        base in prop::option::of(any::<f64>()),
    ) {
        let names = [
            "junit.xml", "coverage.json", "flake8.txt", "bandit.json", "log.txt", "exit-code", "flake8-exit-code",
            "command-exit-code", "reports/1-a",
        ];
        let files: ResultFiles = names.iter().map(|name| (*name).to_owned()).zip(contents).collect();
        for policy in [service(Some(1)), integration(), checks(true, true, true)] {
            let policy = Policy { not_below_base: true, ..naming(policy, &["a"]) };
            let report = judge(&policy, &files, &Beside { base_coverage: base, new_lines: None });
            prop_assert!(!report.passed && !report.reasons.is_empty());
            prop_assert!(size(&report) <= bounds::MOST_BYTES);
        }
    }
}
