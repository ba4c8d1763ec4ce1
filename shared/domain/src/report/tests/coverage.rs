//! Coverage against what is demanded, the base, and the lines of the change.

use super::*;

const COBERTURA: &str = include_str!("../fixtures/coverage.xml");

/// The report of a service whose command left this Cobertura XML.
fn of_cobertura(xml: &str) -> TestReport {
    let mut files = green();
    files.remove("coverage.json");
    files.insert("reports/1-coverage.xml".to_owned(), xml.as_bytes().to_vec());
    judged(&naming(service(Some(80)), &["out/coverage.xml"]), &files)
}

#[test]
fn cobertura_stands_in_for_pytests_own() {
    let report = of_cobertura(COBERTURA);
    insta::assert_snapshot!(told(&report), @"
    failed
    because coverage 77.7 % is below the 80 % demanded
    2 passed, 0 failed, 1 skipped
    Notice backend/auth/tokens.py:11 [coverage] 4 lines of this file are not run by the tests; this is the first
    | all well
    ");
    assert_eq!(report.coverage, Some(1400.0 / 18.0));
}

/// A Cobertura report with one class.
fn class(head: &str, body: &str) -> String {
    format!(
        "{head}<coverage><packages><package><classes><class filename='a.py'>{body}</class></classes></package></packages></coverage>"
    )
}

#[test]
fn lines_of_classes_count_once() {
    let check = |body: &str, expected: f64| {
        assert_eq!(of_cobertura(&class("", body)).coverage, Some(expected), "{body}");
    };
    check("<lines><line number='1' hits='2'/><line number='2' hits='0'/></lines>", 50.0);
    let method = "<methods><method><lines><line number='2' hits='0'/></lines></method></methods>";
    check(&format!("{method}<lines><line number='1' hits='1'/></lines>"), 100.0);
    check("<lines><line number='1' hits='0'/><line number='1' hits='1'/></lines>", 100.0);
    check(
        "<lines><line number='1' hits='00'/><line number='2' hits='99999999999999999999999'/></lines>",
        50.0,
    );
}

#[test]
fn cobertura_that_says_nothing_or_lies_is_told() {
    let line = "<lines><line number='1' hits='1'/></lines>";
    let mut told: Vec<String> = Vec::new();
    for xml in [
        class("", ""),
        class("", "<lines><line number='1'/></lines>"),
        class("", "<lines><line number='1' hits='NaN'/></lines>"),
        class("", "<lines><line number='1' hits='-1'/></lines>"),
        class("", "<lines><line number='1' hits='1e400'/></lines>"),
        class("", "<lines><line number='-4' hits='1'/></lines>"),
        class("", line).replace(" filename='a.py'", ""),
        class("<!DOCTYPE coverage [<!ENTITY a 'aaa'>]>", line),
        class("", line)[..100].to_owned(),
        format!("{0}{0}", class("", line)),
        "<coverage>".repeat(17),
        "<coverage>&a;</coverage>".to_owned(),
        "<coverage line-rate='0.9'/>".to_owned(),
    ] {
        let report = of_cobertura(&xml);
        assert_eq!((report.passed, report.coverage), (false, None), "{xml}");
        told.extend(report.reasons);
    }
    insta::assert_snapshot!(told.join("\n"), @"
    `out/coverage.xml` cannot be read: it measured no line; look at what the command measures
    `out/coverage.xml` cannot be read: line 1 of `a.py` has no whole number of `hits`
    `out/coverage.xml` cannot be read: line 1 of `a.py` has no whole number of `hits`
    `out/coverage.xml` cannot be read: line 1 of `a.py` has no whole number of `hits`
    `out/coverage.xml` cannot be read: line 1 of `a.py` has no whole number of `hits`
    `out/coverage.xml` cannot be read: a line of `a.py` has no `number`
    `out/coverage.xml` cannot be read: a class has no `filename`
    `out/coverage.xml` cannot be read: its document type declares entities or elements of its own
    `out/coverage.xml` cannot be read: syntax error: tag not closed: `>` not found before end of input
    `out/coverage.xml` cannot be read: it is not one `coverage` element
    `out/coverage.xml` cannot be read: it is nested too deeply
    `out/coverage.xml` cannot be read: it has an unknown entity `&a;`
    `out/coverage.xml` cannot be read: it measured no line; look at what the command measures
    ");
    let document_type = "<?xml version='1.0'?><!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>";
    assert_eq!(of_cobertura(&class(document_type, line)).coverage, Some(100.0));
}

#[test]
fn several_reports_add_their_lines_up() {
    let policy = naming(service(Some(80)), &["a.json", "b.xml"]);
    let mut files = green();
    files.insert("reports/1-a.json".to_owned(), covered(20, 100).into_bytes());
    files.insert("reports/2-b.xml".to_owned(), COBERTURA.as_bytes().to_vec());
    let report = judged(&policy, &files);
    assert_eq!(report.coverage, Some(100.0 * (80.0 + 20.0 + 14.0) / (100.0 + 100.0 + 18.0)));
    assert_eq!(report.reasons, ["coverage 52.2 % is below the 80 % demanded"]);
}

#[test]
fn coverage_may_not_fall_below_the_base_where_that_is_asked_for() {
    let check = |asked: bool, base: Option<f64>, (run, all), expected: &[&str]| {
        let policy = Policy { not_below_base: asked, ..service(None) };
        let mut files = green();
        files.insert("coverage.json".to_owned(), covered(run, all).into_bytes());
        let report = judge(&policy, &files, &Beside { base_coverage: base, new_lines: None });
        assert_eq!(report.reasons, expected, "{base:?} {run}/{all}");
        let is_real = base.is_some_and(|base| (0.0..=100.0).contains(&base));
        assert_eq!(report.coverage_base, base.filter(|_| is_real));
    };
    check(true, Some(85.0), (842, 1_000), &["coverage 84.2 % is below the base's 85.0 %"]);
    check(false, Some(85.0), (842, 1_000), &[]);
    check(true, None, (842, 1_000), &[]);
    check(true, Some(84.2), (842, 1_000), &[]);
    check(true, Some(84.2), (843, 1_000), &[]);
    // What a division or JSON may lose, and one line of very many.
    check(true, Some(200.0 / 3.0 + 1e-9), (2, 3), &[]);
    check(true, Some(84.205), (842, 1_000), &[]);
    check(true, Some(84.23), (842, 1_000), &["coverage 84.20 % is below the base's 84.23 %"]);
    check(true, Some(f64::NAN), (1, 1_000), &[]);
    check(true, Some(1e9), (1, 1_000), &[]);
    check(true, Some(-1.0), (0, 1_000), &[]);
}

#[test]
fn what_is_held_against_the_base_must_be_there() {
    let policy = Policy { not_below_base: true, ..service(None) };
    let mut files = green();
    files.remove("coverage.json");
    let with_base = judge(&policy, &files, &Beside { base_coverage: Some(70.0), new_lines: None });
    assert_eq!(with_base.reasons, ["the build left no `coverage.json`"]);
    assert!(judged(&policy, &files).passed);
}

/// What the reports say of a change that adds lines 5 to 12 and 20 of a file, and one line of another.
fn of_change(reports: &[(&str, &str)]) -> TestReport {
    let mut new_lines = NewLines::default();
    let added = "+x\n".repeat(8);
    let patch = format!("@@ -4,0 +5,8 @@\n{added}@@ -10,0 +20,1 @@\n+x");
    new_lines.add("backend/auth/a.py", &patch);
    new_lines.add("docs/b.md", "@@ -1,0 +2,1 @@\n+x");
    let names: Vec<String> = (1..=reports.len()).map(|number| format!("{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let folder = Some("backend/auth".parse().expect("a path"));
    let policy = Policy { folder, ..naming(service(None), &names) };
    let mut results = green();
    results.remove("coverage.json");
    for (index, (_, text)) in reports.iter().enumerate() {
        results.insert(format!("reports/{0}-{0}", index + 1), text.as_bytes().to_vec());
    }
    judge(&policy, &results, &Beside { base_coverage: None, new_lines: Some(&new_lines) })
}

fn json(path: &str, run: &str, not_run: &str) -> String {
    format!(
        r#"{{"totals": {{"covered_lines": 9, "num_statements": 10}},
            "files": {{"{path}": {{"executed_lines": [{run}], "missing_lines": [{not_run}]}}}}}}"#
    )
}

#[test]
fn new_lines_that_no_test_ran_are_pointed_at_and_fail_nothing() {
    let report = of_change(&[("json", &json("backend/auth/a.py", "1, 5, 6, 10", "4, 7, 9, 11, 12, 13, 20"))]);
    insta::assert_snapshot!(told(&report), @"
    passed
    2 passed, 0 failed, 1 skipped
    Warning backend/auth/a.py:7 [coverage] the new lines 7 to 9 are not run by the tests
    Warning backend/auth/a.py:11 [coverage] the new lines 11 to 12 are not run by the tests
    Warning backend/auth/a.py:20 [coverage] this new line is not run by the tests
    ");
    assert_eq!(report.new_lines, Some((3, 5)));
}

#[test]
fn new_lines_are_found_however_a_report_names_their_file() {
    let cobertura = |source: &str, file: &str| {
        format!(
            "<coverage><sources><source>/usr/lib</source><source>{source}</source></sources><class filename='{file}'>\
             <lines><line number='5' hits='0'/></lines></class></coverage>"
        )
    };
    let root = "/codebuild/output/src1/src/vive-sphere-bot-manager-9c2e4d81b57a36f0";
    for report in [
        json("backend/auth/a.py", "", "5"),
        json("./backend/auth/a.py", "", "5"),
        json("a.py", "", "5"),
        json(&format!("{root}/backend/auth/a.py"), "", "5"),
        cobertura(&format!("{root}/backend/auth"), "a.py"),
        cobertura(root, "backend/auth/a.py"),
        cobertura(".", "backend/auth/a.py"),
        cobertura("", "a.py"),
        cobertura("/elsewhere", &format!("{root}/backend/auth/a.py")),
    ] {
        assert_eq!(of_change(&[("one", &report)]).new_lines, Some((0, 1)), "{report}");
    }
    for report in
        [json("b.py", "5", ""), json("backend/auth/a.py", "1", "13"), cobertura("/usr/lib", "x/a.py")]
    {
        assert_eq!(of_change(&[("one", &report)]).new_lines, None, "{report}");
    }
}

#[test]
fn a_new_line_is_run_where_any_report_says_so() {
    let one = json("backend/auth/a.py", "5", "6, 7");
    let other = json("a.py", "6", "5, 8");
    let report = of_change(&[("one", &one), ("other", &other)]);
    assert_eq!(report.new_lines, Some((2, 2)));
    assert_eq!(report.annotations.len(), 1);
}

#[test]
fn the_files_with_the_largest_gaps_are_pointed_at() {
    let files: Vec<String> = (1..=30)
        .map(|file| {
            let missing: Vec<String> = (0..file).map(|line| (line + 7).to_string()).collect();
            format!(r#""f{file}.py": {{"missing_lines": [{}]}}"#, missing.join(","))
        })
        .collect();
    let coverage = format!(
        r#"{{"files": {{{}, "/usr/lib/x.py": {{"missing_lines": [{}1]}}}}, "totals": {{"covered_lines": 1, "num_statements": 9}}}}"#,
        files.join(","),
        "1,".repeat(99)
    );
    let mut results = green();
    results.insert("coverage.json".to_owned(), coverage.into_bytes());
    let report = judged(&service(Some(80)), &results);
    let pointed: Vec<String> =
        report.annotations.iter().map(|one| format!("{}:{} {}", one.path, one.line, one.message)).collect();
    assert_eq!(pointed.len(), 10);
    assert_eq!(pointed[0], "f30.py:7 30 lines of this file are not run by the tests; this is the first");
    assert!(pointed[9].starts_with("f21.py:7 21 lines"));
}
