//! Follows a rollout by its generation, fails fast on what will not heal, probes health, and records the verified
//! release.

use std::time::Duration;

use domain::next::Learned;
use domain::ports::{Answer, Application, Cluster, Environments, Fault, Release, Rollout, Standing};
use domain::run::Delivery;
use domain::spec::{HealthSpec, ServiceSpec};
use domain::task::{Applied, ObjectName, Output, State, Verdict};
use lambda::{Case, StageWork};

/// How long one invocation watches.
const PATIENCE: Duration = Duration::from_secs(20);

/// When an unfinished rollout is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a rollout may take altogether: the default of `progressDeadlineSeconds`
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds>).
const ROLLOUT_LIMIT: Duration = Duration::from_mins(10);

/// How long the Jobs may take that come once the release serves, counted from the rollout's begin.
const JOB_LIMIT: Duration = Duration::from_hours(1);

/// How long a rolled-out service may answer badly before it counts as unhealthy.
const HEALTH_LIMIT: Duration = Duration::from_mins(1);

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Verification<S, C> {
    /// Releases.
    pub store: S,
    /// The cluster.
    pub cluster: C,
}

impl<S: Environments, C: Cluster> StageWork for Verification<S, C> {
    async fn start(&self, _case: &Case<'_>, _adopt: bool) -> Answer<Learned> {
        // Nothing is to be started; the state remembers since when the rollout has been watched.
        Ok(Learned::Started { handle: "watch".to_owned() })
    }

    async fn observe(&self, case: &Case<'_>, _handle: &str) -> Answer<Learned> {
        let (delivery, service, applied) = subject_of(case)?;
        let watched = match case.task.state {
            State::Running { since, .. } => case.now.since(since),
            _ => Duration::ZERO,
        };
        for workload in &applied.objects {
            match self.cluster.rollout(workload, PATIENCE).await? {
                Rollout::Complete => {}
                Rollout::Hopeless(evidence) => {
                    let summary = format!(
                        "{} `{}` will not get healthy: {}",
                        workload.kind,
                        workload.name,
                        evidence.first().map_or("no evidence", String::as_str)
                    );
                    let verdict = Verdict::failed(summary, Output::Evidence(evidence));
                    return self.failed(case, delivery, applied, verdict).await;
                }
                Rollout::Progressing(how_far) if watched > ROLLOUT_LIMIT => {
                    let summary = format!(
                        "{} `{}` was not rolled out after {} minutes: {how_far}",
                        workload.kind,
                        workload.name,
                        ROLLOUT_LIMIT.as_secs() / 60
                    );
                    let verdict = Verdict::failed(summary, Output::Evidence(vec![how_far]));
                    return self.failed(case, delivery, applied, verdict).await;
                }
                Rollout::Progressing(how_far) => {
                    tracing::info!(run = %case.head.id, task = %case.task.id, how_far, "rolling out");
                    return Ok(Learned::InProgress { ask_again: Some(AGAIN) });
                }
            }
        }
        self.probed(case, delivery, service, applied, watched).await
    }
}

impl<S: Environments, C: Cluster> Verification<S, C> {
    async fn probed(
        &self,
        case: &Case<'_>,
        delivery: &Delivery,
        service: &ServiceSpec,
        applied: &Applied,
        watched: Duration,
    ) -> Answer<Learned> {
        let mut evidence = vec![format!("{} objects rolled out", applied.objects.len())];
        if let Some(HealthSpec { path, service: asked, port }) = &service.health {
            let answer = self.cluster.probe(&delivery.namespace, asked, *port, path).await?;
            let seen = format!("GET {path} on service {asked}:{port} answered {}", answer.status);
            if !(200..300).contains(&answer.status) {
                if watched < HEALTH_LIMIT {
                    return Ok(Learned::InProgress { ask_again: Some(AGAIN) });
                }
                let summary = format!("`{}` is rolled out but not healthy: {seen}", service.name);
                let verdict = Verdict::failed(summary, Output::Evidence(vec![seen, answer.body]));
                return self.failed(case, delivery, applied, verdict).await;
            }
            evidence.push(seen);
        }
        if let Some(early) = self.jobs_end(case, delivery, applied, watched, &mut evidence).await? {
            return Ok(early);
        }
        let release = match self.current(case, delivery, applied).await? {
            Claim::Own(release, _) => release,
            Claim::Overtaken(verdict) => return Ok(Learned::Concluded(verdict)),
        };
        self.store.set_verified(&delivery.environment, &release).await?;
        let summary = evidence.last().cloned().unwrap_or_default();
        Ok(Learned::Concluded(Verdict::passed(summary, Output::Evidence(evidence))))
    }

    /// Runs the Jobs that come once the release serves; none when each has ended well, or there are none.
    async fn jobs_end(
        &self,
        case: &Case<'_>,
        delivery: &Delivery,
        applied: &Applied,
        watched: Duration,
        evidence: &mut Vec<String>,
    ) -> Answer<Option<Learned>> {
        if applied.after.is_empty() {
            return Ok(None);
        }
        let watch = Watch { work: self, case, delivery, applied };
        let bad = match self.cluster.apply(&applied.after, delivery.policy.conflicts, &watch).await? {
            Application::Done(_) => self.first_bad(applied, watched, evidence).await?,
            Application::Refused(sentence) => Jobs::bad(sentence, Output::None),
            Application::Partly { .. } => Jobs::Going,
            // What it means is found out from what is recorded.
            Application::Overtaken => return Ok(None),
        };
        match bad {
            Jobs::Ended => Ok(None),
            Jobs::Going => Ok(Some(Learned::InProgress { ask_again: Some(AGAIN) })),
            Jobs::Bad(verdict) => self.failed(case, delivery, applied, *verdict).await.map(Some),
        }
    }

    async fn first_bad(
        &self,
        applied: &Applied,
        watched: Duration,
        evidence: &mut Vec<String>,
    ) -> Answer<Jobs> {
        for job in applied.after.iter().map(ObjectName::of) {
            match self.cluster.rollout(&job, PATIENCE).await? {
                Rollout::Complete => evidence.push(format!("{job} ended well")),
                Rollout::Progressing(how_far) if watched > JOB_LIMIT => {
                    let minutes = JOB_LIMIT.as_secs() / 60;
                    let summary = format!("{job} has not ended after {minutes} minutes: {how_far}");
                    return Ok(Jobs::bad(summary, Output::Evidence(vec![how_far])));
                }
                Rollout::Progressing(how_far) => {
                    tracing::info!(job = %job, how_far, "waiting for a Job");
                    return Ok(Jobs::Going);
                }
                Rollout::Hopeless(lines) => {
                    let first = lines.first().map_or("no evidence", String::as_str);
                    let summary = format!("{job}: {first}");
                    return Ok(Jobs::bad(summary, Output::Evidence(lines)));
                }
            }
        }
        Ok(Jobs::Ended)
    }

    /// A bad verdict, with the last verified release to go back to where there is another one. A way back that fails
    /// has no way back of its own.
    async fn failed(
        &self,
        case: &Case<'_>,
        delivery: &Delivery,
        applied: &Applied,
        verdict: Verdict,
    ) -> Answer<Learned> {
        if case.task.id.subject.is_rollback() {
            return Ok(Learned::Concluded(verdict));
        }
        let verified = match self.current(case, delivery, applied).await? {
            Claim::Own(_, verified) => verified,
            Claim::Overtaken(verdict) => return Ok(Learned::Concluded(verdict)),
        };
        let back = verified.filter(|verified| verified.manifests != applied.manifests);
        let on_failure =
            case.task.spec.service().map(|service| service.rollout.on_failure).unwrap_or_default();
        Ok(Learned::Concluded(verdict.falling_back(on_failure, back)))
    }

    /// Whether the release that this run's deploy recorded is still the one that the environment runs.
    async fn current(&self, case: &Case<'_>, delivery: &Delivery, applied: &Applied) -> Answer<Claim> {
        let service = case
            .task
            .id
            .subject
            .service()
            .ok_or_else(|| Fault::reject(format!("task `{}` is about no service", case.task.id)))?;
        let (current, verified) =
            self.store.releases(&case.head.id.repository, &delivery.environment, service).await?;
        let own =
            |release: &Release| release.fence == delivery.fence && release.manifests == applied.manifests;
        match current {
            Some(current) if own(&current) => Ok(Claim::Own(current, verified)),
            // Verified once more after the run had let go of the environment.
            Some(current) if current.fence > delivery.fence => {
                Ok(Claim::Overtaken(Verdict::superseded(format!(
                    "number {} has been deployed to `{}` since; this run is number {}",
                    current.fence, delivery.environment, delivery.fence
                ))))
            }
            _ => Err(Fault::reject(format!(
                "`{service}` in `{}` is no longer this run's release",
                delivery.environment
            ))),
        }
    }
}

/// How the Jobs fare that come once the release serves.
enum Jobs {
    /// Each has ended well.
    Ended,
    Going,
    Bad(Box<Verdict>),
}

impl Jobs {
    fn bad(summary: String, output: Output) -> Self {
        Self::Bad(Box::new(Verdict::failed(summary, output)))
    }
}

/// A Job is wanted as long as the release is the current one.
struct Watch<'a, S, C> {
    work: &'a Verification<S, C>,
    case: &'a Case<'a>,
    delivery: &'a Delivery,
    applied: &'a Applied,
}

impl<S: Environments, C: Cluster> Standing for Watch<'_, S, C> {
    async fn holds(&self) -> Answer<bool> {
        let claim = self.work.current(self.case, self.delivery, self.applied).await?;
        Ok(matches!(claim, Claim::Own(..)))
    }
}

/// What became of the release that is to be verified.
enum Claim {
    /// It is the current one; with the last verified release.
    Own(Release, Option<Release>),
    /// A newer run has the environment.
    Overtaken(Verdict),
}

fn subject_of<'a>(case: &Case<'a>) -> Answer<(&'a Delivery, &'a ServiceSpec, &'a Applied)> {
    let applied = match case.previous.and_then(|deploy| deploy.verdict()).map(|verdict| &verdict.output) {
        Some(Output::Release(applied)) => Some(applied),
        _ => None,
    };
    match (&case.head.delivery, case.task.spec.service(), applied) {
        (Some(delivery), Some(service), Some(applied)) => Ok((delivery, service, applied)),
        _ => Err(Fault::reject(format!("task `{}` follows no deploy", case.task.id))),
    }
}
