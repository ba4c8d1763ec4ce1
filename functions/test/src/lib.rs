//! Starts one build for each service, the repository-wide checks and the integration tests; reads what they left
//! behind and judges it.

use std::collections::BTreeMap;

use domain::keys;
use domain::next::Learned;
use domain::ports::{
    Answer, Artifacts, BuildOptions, BuildRequest, BuildStart, BuildState, BuildStatus, Builds, Fault,
};
use domain::report::{Beside, Policy, ResultFiles, TestReport, judge};
use domain::spec::{ChecksSpec, IntegrationSpec, TestSpec};
use domain::task::{Output, Task, TaskSpec, Verdict};
use lambda::{BUSY_DELAY, Case, StageWork, read_result};

/// What every test build does.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/test.yml");

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Tests<B, A> {
    /// The test project.
    pub builds: B,
    /// Sources and results.
    pub artifacts: A,
}

impl<B: Builds, A: Artifacts> StageWork for Tests<B, A> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        let attempt = case.task.attempt_id();
        if adopt && let Some(handle) = self.builds.find(&attempt).await? {
            return Ok(Learned::Started { handle });
        }
        let request = BuildRequest {
            source: self.artifacts.place(&keys::source(&attempt.run)),
            buildspec: BUILDSPEC,
            variables: variables(case.task)?,
            options: BuildOptions::default(),
            result: keys::result_folder(&attempt),
            attempt,
        };
        Ok(match self.builds.start(&request).await? {
            BuildStart::Started(handle) => Learned::Started { handle },
            BuildStart::Busy => Learned::InProgress { ask_again: Some(BUSY_DELAY) },
        })
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        let Some(status) = self.builds.status(handle).await? else {
            return Err(Fault::reject(format!("CodeBuild does not know build `{handle}` any more")));
        };
        match status.state {
            BuildState::InProgress => Ok(Learned::InProgress { ask_again: None }),
            BuildState::Succeeded | BuildState::Failed => self.judged(case, status).await,
            BuildState::Fault | BuildState::TimedOut | BuildState::Stopped => {
                Ok(Learned::Concluded(machinery(&status)))
            }
        }
    }
}

impl<B: Builds, A: Artifacts> Tests<B, A> {
    async fn judged(&self, case: &Case<'_>, status: BuildStatus) -> Answer<Learned> {
        let files = read_result(&self.artifacts, &case.task.attempt_id()).await?;
        Ok(Learned::Concluded(verdict(&case.task.spec, &files.unwrap_or_default(), status)))
    }
}

/// The verdict over what a build left behind.
fn verdict(spec: &TaskSpec, files: &ResultFiles, status: BuildStatus) -> Verdict {
    let mut report = judge(&Policy::of(spec), files, &Beside::default());
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

fn machinery(status: &BuildStatus) -> Verdict {
    let what = match status.state {
        BuildState::TimedOut => "the build took longer than its project allows",
        BuildState::Stopped => "the build was stopped",
        _ => "CodeBuild itself failed",
    };
    let summary =
        status.reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}"));
    let report = TestReport { reasons: vec![summary.clone()], ..TestReport::default() };
    Verdict::failed(summary, Output::Report { report, log: status.log.clone() })
}

/// The build's variables: a pure function of the task, so that a repeated start is the same start.
fn variables(task: &Task) -> Answer<BTreeMap<String, String>> {
    let pairs = match &task.spec {
        TaskSpec::Service(service) => match &service.test {
            Some(TestSpec { command, requirements, .. }) => vec![
                ("SLIPWAY_KIND", "service".to_owned()),
                ("SLIPWAY_COMMAND", command.clone()),
                ("SLIPWAY_REQUIREMENTS", joined(requirements)),
            ],
            None => return Err(Fault::reject(format!("`{}` has nothing to test", service.name))),
        },
        TaskSpec::Integration(IntegrationSpec { command, requirements, .. }) => vec![
            ("SLIPWAY_KIND", "integration".to_owned()),
            ("SLIPWAY_COMMAND", command.clone()),
            ("SLIPWAY_REQUIREMENTS", joined(requirements)),
        ],
        TaskSpec::Checks(ChecksSpec { flake8, bandit, .. }) => vec![
            ("SLIPWAY_KIND", "checks".to_owned()),
            ("SLIPWAY_FLAKE8_PATHS", joined(flake8)),
            ("SLIPWAY_BANDIT_PATHS", joined(bandit)),
        ],
    };
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn joined(paths: &[domain::ids::RepositoryPath]) -> String {
    paths.iter().map(domain::ids::RepositoryPath::as_str).collect::<Vec<_>>().join(" ")
}
