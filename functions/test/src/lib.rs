//! Starts one build for each service, the repository-wide checks and the integration tests; reads what they left
//! behind and judges it.

mod request;

use domain::ids::Trust;
use domain::next::Learned;
use domain::ports::{Answer, Artifacts, BuildStart, BuildState, BuildStatus, Builds, Fault};
use domain::report::{Kind, ResultFiles, TestReport, judge};
use domain::task::{Output, TaskSpec, Verdict};
use lambda::{BUSY_DELAY, Case, StageWork, read_result, stop_builds};

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Tests<B, A> {
    /// The project that builds the repository's own commits.
    pub builds: B,
    /// The project that builds what strangers propose; its role reaches nothing but what is theirs.
    pub untrusted: B,
    /// Sources and results.
    pub artifacts: A,
    /// What the names of the secrets begin with that builds may be given.
    pub secrets_prefix: String,
}

impl<B: Builds, A: Artifacts> StageWork for Tests<B, A> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        let attempt = case.task.attempt_id();
        if adopt && let Some(handle) = self.project(case).find(&attempt).await? {
            return Ok(Learned::Started { handle });
        }
        let request = request::of(case.task, &self.artifacts, &self.secrets_prefix)?;
        Ok(match self.project(case).start(&request).await? {
            BuildStart::Started(handle) => Learned::Started { handle },
            BuildStart::Busy => Learned::InProgress { ask_again: Some(BUSY_DELAY) },
        })
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        let Some(status) = self.project(case).status(handle).await? else {
            return Err(Fault::reject(format!("CodeBuild does not know build `{handle}` any more")));
        };
        match status.state {
            BuildState::InProgress => Ok(Learned::InProgress { ask_again: None }),
            BuildState::Succeeded | BuildState::Failed => self.judged(case, status).await,
            BuildState::Refused | BuildState::TimedOut | BuildState::Stopped => {
                Ok(Learned::Concluded(without_result(&status)))
            }
            BuildState::Fault => Ok(Learned::Broken(without_result(&status))),
        }
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        stop_builds(self.project(case), &case.task.attempt_id(), handle).await
    }
}

impl<B: Builds, A: Artifacts> Tests<B, A> {
    /// Where the run's builds run.
    fn project(&self, case: &Case<'_>) -> &B {
        match case.head.id.trust {
            Trust::Trusted => &self.builds,
            Trust::Untrusted => &self.untrusted,
        }
    }

    async fn judged(&self, case: &Case<'_>, status: BuildStatus) -> Answer<Learned> {
        let files = read_result(&self.artifacts, &case.task.attempt_id(), status.digest.as_deref()).await?;
        Ok(Learned::Concluded(verdict(&case.task.spec, &files.unwrap_or_default(), status)))
    }
}

/// The verdict over what a build left behind.
fn verdict(spec: &TaskSpec, files: &ResultFiles, status: BuildStatus) -> Verdict {
    let mut report = judge(kind(spec), files);
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
    match (report.tests, report.coverage) {
        (Some(tests), Some(coverage)) => format!("{} tests passed, coverage {coverage:.1} %", tests.passed),
        (Some(tests), None) => format!("{} tests passed", tests.passed),
        _ => "no findings".to_owned(),
    }
}

/// The verdict over a build that came to no result.
fn without_result(status: &BuildStatus) -> Verdict {
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

fn kind(spec: &TaskSpec) -> Kind {
    match spec {
        TaskSpec::Service(service) => {
            Kind::Service { coverage: service.test.as_ref().and_then(|test| test.coverage) }
        }
        TaskSpec::Integration(_) => Kind::Integration,
        TaskSpec::Checks(checks) => {
            Kind::Checks { flake8: !checks.flake8.is_empty(), bandit: !checks.bandit.is_empty() }
        }
    }
}
