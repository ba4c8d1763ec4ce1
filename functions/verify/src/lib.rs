//! Follows a rollout by its generation, fails fast on what will not heal, probes health, and records the verified
//! release.

use std::time::Duration;

use domain::ids::ServiceName;
use domain::next::Learned;
use domain::ports::{Answer, Cluster, Environments, Fault, Release, Rollout};
use domain::run::Delivery;
use domain::spec::{HealthSpec, ServiceSpec};
use domain::task::{Applied, Output, State, Verdict};
use lambda::{Case, StageWork};

/// How long one invocation watches.
const PATIENCE: Duration = Duration::from_secs(20);

/// When an unfinished rollout is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a rollout may take altogether: the default of `progressDeadlineSeconds`
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds>).
const ROLLOUT_LIMIT: Duration = Duration::from_mins(10);

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
                    return Ok(Learned::Concluded(Verdict::failed(summary, Output::Evidence(evidence))));
                }
                Rollout::Progressing(how_far) if watched > ROLLOUT_LIMIT => {
                    let summary = format!(
                        "{} `{}` was not rolled out after {} minutes: {how_far}",
                        workload.kind,
                        workload.name,
                        ROLLOUT_LIMIT.as_secs() / 60
                    );
                    return Ok(Learned::Concluded(Verdict::failed(summary, Output::Evidence(vec![how_far]))));
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
                return Ok(Learned::Concluded(Verdict::failed(
                    summary,
                    Output::Evidence(vec![seen, answer.body]),
                )));
            }
            evidence.push(seen);
        }
        let release = self.release(case, delivery, &service.name).await?;
        self.store.set_verified(&delivery.environment, &release).await?;
        let summary = evidence.last().cloned().unwrap_or_default();
        Ok(Learned::Concluded(Verdict::passed(summary, Output::Evidence(evidence))))
    }

    /// The release that this run's deploy recorded.
    async fn release(&self, case: &Case<'_>, delivery: &Delivery, service: &ServiceName) -> Answer<Release> {
        let (current, _) =
            self.store.releases(&case.head.id.repository, &delivery.environment, service).await?;
        current.filter(|release| release.run == case.head.id).ok_or_else(|| {
            Fault::reject(format!(
                "`{service}` in `{}` is no longer this run's release",
                delivery.environment
            ))
        })
    }
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
