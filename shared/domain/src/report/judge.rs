//! The verdict: what the files of a test build say, held against the policy.

use super::coverage::{self, Measured, Sought};
use super::findings::Findings;
use super::junit::{self, Tests};
use super::policy::Ran;
use super::reports::{self, Reports};
use super::verdict::{Verdict, counted};
use super::{Beside, Policy, ResultFiles, TestReport, bandit, exit, flake8};

/// Reads what a test build left behind and judges it. What is missing or cannot be read is a failure with its own
/// words, never a pass.
///
/// The reports that the task names stand beside pytest's own, flake8's and bandit's: tests add up over all reports,
/// and so do lines of coverage and findings. Where one of them has tests, pytest need not have left its own; the same
/// holds for coverage. Findings of SARIF and bandit reports fail tests and checks alike.
pub fn judge(policy: &Policy, files: &ResultFiles, beside: &Beside<'_>) -> TestReport {
    let sought = Sought { new_lines: beside.new_lines, folder: policy.folder.as_ref() };
    let mut verdict = Verdict::new(policy, files);
    let mut reports = reports::read(&mut verdict, &sought);
    match policy.ran {
        Ran::Tests => {
            own_tests(&mut verdict, &mut reports);
            own_coverage(&mut verdict, &mut reports, beside, &sought);
        }
        Ran::Checks { flake8, bandit, command } => {
            if flake8 {
                run_flake8(&mut verdict);
            }
            if bandit {
                run_bandit(&mut verdict);
            }
            if let Some(tests) = reports.tests.take() {
                take_tests(&mut verdict, tests);
            }
            if command {
                command_ended(&mut verdict, &reports);
            }
            if !flake8 && !bandit && !command {
                verdict.fail("no check was asked for");
            }
        }
    }
    take_coverage(&mut verdict, &reports.coverage, beside, &sought);
    reports.end(&mut verdict);
    verdict.finish()
}

/// pytest's report, those beside it, and how the command ended.
fn own_tests(verdict: &mut Verdict<'_>, reports: &mut Reports) {
    let is_pytest = verdict.files.contains_key("junit.xml");
    let own = if is_pytest || !reports.has_tests {
        verdict.file("junit.xml").and_then(|bytes| {
            junit::read(&String::from_utf8_lossy(bytes))
                .map_err(|problem| format!("`junit.xml` cannot be read: {problem}"))
        })
    } else {
        Ok(Tests::default())
    };
    let mut is_complete = true;
    let tests = match (own, reports.tests.take()) {
        (Ok(mut tests), named) => {
            tests.add(named.unwrap_or_default());
            Some(tests)
        }
        (Err(problem), named) => {
            verdict.fail(problem);
            is_complete = false;
            named
        }
    };
    // Without a report that can be read nothing is known of tests; why there is none is told already, or later.
    let mut failed = 0;
    if let Some(tests) = tests.filter(|tests| tests.reports > 0) {
        let counts = tests.counts;
        failed = counts.failed;
        if counts.passed.saturating_add(counts.failed) == 0 && is_complete {
            match counts.skipped {
                0 => verdict.fail("no test ran"),
                skipped => verdict.fail(format!("no test ran, {skipped} skipped")),
            }
        }
        take_tests(verdict, tests);
    }
    match verdict.exit_code("exit-code") {
        Ok(code) => {
            let says = if is_pytest || !reports.has_tests { exit::of_pytest } else { exit::of_others };
            if let Some(meaning) = says(code, failed) {
                verdict.fail(format!("the tests ended with exit code {code}: {meaning}"));
            }
        }
        Err(problem) => verdict.fail(problem),
    }
}

fn take_tests(verdict: &mut Verdict<'_>, tests: Tests) {
    let counts = tests.counts;
    verdict.report.tests = Some(counts);
    let ran = counts.passed.saturating_add(counts.failed);
    if counts.failed > 0 {
        verdict.fail(format!("{} of {ran} tests failed", counts.failed));
    }
    for reason in tests.without_place {
        verdict.fail(reason);
    }
    verdict.report.flaky = tests.flaky;
    for findings in [tests.failures, tests.errors, tests.retries] {
        verdict.findings.append(findings);
    }
}

/// pytest's coverage, where it is judged or there.
fn own_coverage(verdict: &mut Verdict<'_>, reports: &mut Reports, beside: &Beside<'_>, sought: &Sought<'_>) {
    let policy = verdict.policy;
    verdict.report.coverage_demanded = policy.coverage;
    let is_judged = policy.coverage.is_some() || (policy.not_below_base && base(beside).is_some());
    let is_there = verdict.files.contains_key("coverage.json");
    if !is_there && (!is_judged || reports.has_coverage) {
        return;
    }
    let measured = verdict.file("coverage.json").and_then(|bytes| {
        coverage::read_json(bytes, sought)
            .map_err(|problem| format!("`coverage.json` cannot be read: {problem}"))
    });
    match measured {
        Ok(measured) => reports.coverage.add(measured),
        Err(problem) if is_judged => verdict.fail(problem),
        // Not judged: a report that cannot be read changes nothing.
        Err(_) => {}
    }
}

/// Holds what was measured against what is demanded, the base, and the change.
fn take_coverage(verdict: &mut Verdict<'_>, measured: &Measured, beside: &Beside<'_>, sought: &Sought<'_>) {
    let base = base(beside);
    verdict.report.coverage_base = base;
    let Some(percent) = measured.percent() else { return };
    verdict.report.coverage = Some(percent);
    if let Some((counts, findings)) = measured.new_lines(sought) {
        verdict.report.new_lines = Some(counts);
        verdict.findings.append(findings);
    }
    let policy = verdict.policy;
    let mut is_too_low = false;
    if let Some(demanded) = policy.coverage.filter(|demanded| percent < f64::from(*demanded)) {
        let shown = coverage::shown(percent);
        verdict.fail(format!("coverage {shown} % is below the {demanded} % demanded"));
        is_too_low = true;
    }
    if let Some(base) = base.filter(|base| policy.not_below_base && coverage::is_below(percent, *base)) {
        let (shown, base) = coverage::shown_apart(percent, base);
        verdict.fail(format!("coverage {shown} % is below the base's {base} %"));
        is_too_low = true;
    }
    if is_too_low {
        let mut gaps = Findings::default();
        measured.gaps().for_each(|gap| gaps.push(gap));
        verdict.findings.append(gaps);
    }
}

/// The base's coverage, where it is one.
fn base(beside: &Beside<'_>) -> Option<f64> {
    beside.base_coverage.filter(|percent| (0.0..=100.0).contains(percent))
}

fn run_flake8(verdict: &mut Verdict<'_>) {
    let mut found = None;
    match verdict.file("flake8.txt") {
        Ok(bytes) => {
            let flake8::Output { findings, strange } = flake8::read(&String::from_utf8_lossy(bytes));
            let count = findings.count();
            verdict.report.flake8 = Some(count);
            found = Some(count);
            if count > 0 {
                verdict.fail(format!("flake8 found {}", counted(count, "problem")));
            } else if let Some(line) = strange {
                verdict.fail(format!("`flake8.txt` holds what is no finding: `{line}`"));
            }
            verdict.findings.append(findings);
        }
        Err(problem) => verdict.fail(problem),
    }
    tool_ended(verdict, "flake8", found);
}

fn run_bandit(verdict: &mut Verdict<'_>) {
    let severity = verdict.policy.severity;
    let found = verdict.file("bandit.json").and_then(|bytes| {
        bandit::read(bytes, severity).map_err(|problem| format!("`bandit.json` cannot be read: {problem}"))
    });
    let found = match found {
        // Bandit's exit code speaks of what does not count too.
        Ok(found) => Some(reports::take_bandit(verdict, "bandit found", found)),
        Err(problem) => {
            verdict.fail(problem);
            None
        }
    };
    tool_ended(verdict, "bandit", found);
}

/// How flake8 or bandit ended: 1 stands for findings of any kind.
fn tool_ended(verdict: &mut Verdict<'_>, tool: &str, found: Option<u32>) {
    match (verdict.exit_code(&format!("{tool}-exit-code")), found) {
        (Ok(0), _) | (Ok(1), Some(1..)) => {}
        (Ok(code), found) => {
            let unexplained = if found == Some(0) { " without a finding" } else { "" };
            verdict.fail(format!("{tool} ended with exit code {code}{unexplained}"));
        }
        (Err(problem), _) => verdict.fail(problem),
    }
}

/// How the repository's own check ended.
fn command_ended(verdict: &mut Verdict<'_>, reports: &Reports) {
    match verdict.exit_code("command-exit-code") {
        Ok(code) => {
            let failed = verdict.report.tests.map_or(0, |tests| tests.failed);
            if let Some(meaning) = exit::of_check(code, reports.counted.saturating_add(failed), reports.below)
            {
                verdict.fail(format!("the command ended with exit code {code}: {meaning}"));
            }
        }
        Err(problem) => verdict.fail(problem),
    }
}
