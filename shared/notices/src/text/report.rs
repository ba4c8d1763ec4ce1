//! A test's report in words: tests, coverage and its change, lint, security.

use std::fmt::Write as _;

use domain::report::{MOST_ANNOTATIONS, TestReport};

use super::markdown::code;
use super::words::plural;

/// Names of flaky tests shown.
const FLAKY: usize = 20;

/// A change of coverage below this, in percent, is none.
const LEAST_CHANGE: f64 = 0.05;

/// Everything that the report says, as a table.
pub(super) fn summary(report: &TestReport) -> String {
    let rows = [
        ("tests", all_tests(report)),
        ("line coverage", judged_coverage(report)),
        ("new lines", new_lines(report)),
        ("flake8", report.flake8.map(findings)),
        ("bandit", report.bandit.map(findings)),
        ("SARIF", report.sarif.map(findings)),
    ];
    let rows: Vec<String> = rows
        .into_iter()
        .filter_map(|(what, result)| result.map(|result| format!("| {what} | {result} |\n")))
        .collect();
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str("| what | result |\n| --- | --- |\n");
        text.push_str(&rows.concat());
    }
    text.push_str(&flaky(report));
    let beyond = u32::try_from(report.annotations.len().saturating_sub(MOST_ANNOTATIONS)).unwrap_or(u32::MAX);
    let omitted = report.annotations_omitted.saturating_add(beyond);
    if omitted > 0 {
        let _ = writeln!(text, "\n{omitted} more findings are not shown as annotations.");
    }
    text
}

/// Tests by result in a few words, without what there is none of.
pub(super) fn tests(report: &TestReport) -> Option<String> {
    let tests = report.tests?;
    let mut words = format!("{} passed", tests.passed);
    for (number, word) in [(tests.failed, "failed"), (tests.skipped, "skipped"), (tests.flaky, "flaky")] {
        if number > 0 {
            let _ = write!(words, ", {number} {word}");
        }
    }
    Some(words)
}

/// Coverage, its change against the base, and how much of the new lines is covered.
pub(super) fn coverage(report: &TestReport) -> Option<String> {
    let mut words = percent(report.coverage?);
    if let Some(change) = change(report) {
        let _ = write!(words, " ({change})");
    }
    if let Some(lines) = new_lines(report) {
        let _ = write!(words, ", new lines: {lines}");
    }
    Some(words)
}

/// What flake8 found.
pub(super) fn lint(report: &TestReport) -> Option<String> {
    report.flake8.map(found)
}

/// What security tools found, all of them together.
pub(super) fn security(report: &TestReport) -> Option<String> {
    let counts = [report.bandit, report.sarif];
    counts
        .iter()
        .any(Option::is_some)
        .then(|| found(counts.into_iter().flatten().fold(0, u32::saturating_add)))
}

fn all_tests(report: &TestReport) -> Option<String> {
    let tests = report.tests?;
    let flaky = if tests.flaky > 0 { format!(", {} flaky", tests.flaky) } else { String::new() };
    Some(format!("{} passed, {} failed, {} skipped{flaky}", tests.passed, tests.failed, tests.skipped))
}

fn judged_coverage(report: &TestReport) -> Option<String> {
    let mut words = percent(report.coverage?);
    let demanded = report.coverage_demanded.map(|demanded| format!("at least {demanded} % demanded"));
    let base = report.coverage_base.map(|base| {
        let change = change(report).map(|change| format!(", {change}")).unwrap_or_default();
        format!("the base has {}{change}", percent(base))
    });
    let remarks: Vec<String> = demanded.into_iter().chain(base).collect();
    if !remarks.is_empty() {
        let _ = write!(words, " ({})", remarks.join("; "));
    }
    Some(words)
}

/// Rounded down: 79.96 % must not look like the 80 % that are demanded.
fn percent(value: f64) -> String {
    format!("{:.1} %", (value * 10.0).floor() / 10.0)
}

fn change(report: &TestReport) -> Option<String> {
    let change = report.coverage? - report.coverage_base?;
    Some(if change.abs() < LEAST_CHANGE { "±0".to_owned() } else { format!("{change:+.1}") })
}

fn new_lines(report: &TestReport) -> Option<String> {
    let (run, not_run) = report.new_lines?;
    let all = run.saturating_add(not_run);
    (all > 0).then(|| format!("{run} of {all} covered"))
}

fn flaky(report: &TestReport) -> String {
    if report.flaky.is_empty() {
        return String::new();
    }
    let names: Vec<String> = report.flaky.iter().take(FLAKY).map(|name| code(name)).collect();
    let all = report.tests.map_or(0, |tests| tests.flaky as usize).max(report.flaky.len());
    let more = match all - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("\nPassed only on a retry: {}{more}.\n", names.join(", "))
}

fn findings(number: u32) -> String {
    plural(number as usize, "finding")
}

fn found(number: u32) -> String {
    if number == 0 { "clean".to_owned() } else { findings(number) }
}
