//! What a build's end means for its task.

use domain::ports::{BuildState, BuildStatus};
use domain::report::{Beside, Policy, ResultFiles, TestReport, judge};
use domain::task::{Output, TaskSpec, Verdict};

/// The verdict over what a build left behind.
pub(crate) fn over_report(
    spec: &TaskSpec,
    files: &ResultFiles,
    beside: &Beside<'_>,
    status: BuildStatus,
) -> Verdict {
    let mut report = judge(&Policy::of(spec), files, beside);
    if report.passed && status.state != BuildState::Succeeded {
        // Reports that look green beside a red build prove nothing.
        report.passed = false;
        report.reasons.push(format!(
            "the build failed although its reports are green: {}",
            status.reason.unwrap_or_default()
        ));
    }
    let summary = summary(&report);
    let output = Output::Report { log: status.log, report: report.clone() };
    if report.passed { Verdict::passed(summary, output) } else { Verdict::failed(summary, output) }
}

fn summary(report: &TestReport) -> String {
    if !report.passed {
        return report.reasons.first().cloned().unwrap_or_else(|| "the report was not accepted".to_owned());
    }
    let Some(tests) = report.tests else { return "no findings".to_owned() };
    let retried = match tests.flaky {
        0 => String::new(),
        flaky => format!(", {flaky} of them only on a retry"),
    };
    let coverage = report.coverage.map(|coverage| format!(", coverage {coverage:.1} %")).unwrap_or_default();
    format!("{} tests passed{retried}{coverage}", tests.passed)
}

/// The verdict over a build that came to no result.
pub(crate) fn without_result(status: &BuildStatus) -> Verdict {
    let reason = status.reason.as_deref();
    let summary = match (status.state, reason) {
        (BuildState::Refused, Some(reason)) => reason.to_owned(),
        (state, Some(reason)) => format!("{}: {reason}", ending(state)),
        (state, None) => ending(state).to_owned(),
    };
    let report = TestReport { reasons: vec![summary.clone()], ..TestReport::default() };
    Verdict::failed(summary, Output::Report { report, log: status.log.clone() })
}

fn ending(state: BuildState) -> &'static str {
    match state {
        BuildState::TimedOut => "the build took longer than its `timeout` allows",
        BuildState::Stopped => "the build was stopped",
        BuildState::Refused => "the build got no image or secret that it asks for",
        _ => "CodeBuild itself failed",
    }
}
