//! Under lock and fence, applies a service's manifests with its image pinned by digest.

mod render;
mod source;

use std::time::Duration;

use domain::ids::{EnvironmentName, RunId, ServiceName};
use domain::keys;
use domain::next::Learned;
use domain::ports::{
    Answer, Application, Artifacts, Cluster, Environments, Fault, Locking, Release, Written,
};
use domain::run::{Delivery, Ticket};
use domain::task::{Applied, Output, PinnedImage, Verdict};
use lambda::{Case, StageWork};

pub use render::{Rendered, render};
pub use source::ManifestFile;

/// How long a rollout waits before it asks for the lock again.
const WAITING: Duration = Duration::from_secs(15);

/// The largest recorded manifests read, in bytes: a few hundred objects of the largest size.
const LARGEST_RELEASE: u64 = 64 * 1024 * 1024;

/// What is left to an invocation that comes after a later release of its service: whoever recorded that is at work.
const PASSED_BY: Learned = Learned::InProgress { ask_again: None };

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Deployment<S, A, C> {
    /// Locks and releases.
    pub store: S,
    /// Sources and rendered manifests.
    pub artifacts: A,
    /// The cluster.
    pub cluster: C,
}

impl<S: Environments, A: Artifacts, C: Cluster> StageWork for Deployment<S, A, C> {
    async fn start(&self, case: &Case<'_>, _adopt: bool) -> Answer<Learned> {
        let delivery = delivery_of(case)?;
        match self.lock(case, delivery).await? {
            Some(waiting) => Ok(waiting),
            None if case.task.id.subject.is_rollback() => self.roll_back(case, delivery).await,
            None => self.apply(case, delivery).await,
        }
    }

    async fn observe(&self, case: &Case<'_>, _handle: &str) -> Answer<Learned> {
        self.start(case, true).await
    }
}

impl<S: Environments, A: Artifacts, C: Cluster> Deployment<S, A, C> {
    /// None when the environment is this run's, else what that means for the task.
    async fn lock(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Option<Learned>> {
        let run = &case.head.id;
        let environment = &delivery.environment;
        let ticket = Ticket { number: delivery.fence, round: case.head.round };
        Ok(match self.store.lock(&run.repository, environment, run, ticket).await? {
            Locking::Held => None,
            Locking::HeldBy(other) => {
                tracing::info!(run = %run, holder = %other, environment = %environment, "waiting for the environment's lock");
                Some(Learned::InProgress { ask_again: Some(WAITING) })
            }
            Locking::Overtaken { by } => Some(Learned::Concluded(overtaken(environment, delivery.fence, by))),
        })
    }

    /// Every effect here has a key, so that a repeated start ends in the same place.
    async fn apply(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Learned> {
        let service = case
            .task
            .spec
            .service()
            .ok_or_else(|| Fault::reject(format!("task `{}` has no manifests", case.task.id)))?;
        let image = match &service.image {
            Some(spec) => Some((spec.repository.as_str(), published(case)?)),
            None => None,
        };
        let files = source::files(&self.artifacts, &case.head.id, &service.manifests).await?;
        let pin = image.as_ref().map(|(name, pinned)| (*name, pinned));
        let rendered = match render(&files, &delivery.namespace, pin, service) {
            Ok(rendered) => rendered,
            Err(sentence) => return Ok(Learned::Concluded(Verdict::failed(sentence, Output::None))),
        };
        self.artifacts.put(&keys::manifests(&rendered.hash), rendered.text.clone().into_bytes()).await?;
        let release = Release {
            service: service.name.clone(),
            run: case.head.id.clone(),
            fence: delivery.fence,
            turn: case.task.attempt * 2,
            image: image.map(|(_, pinned)| pinned),
            manifests: rendered.hash.clone(),
            objects: rendered.names.clone(),
            at: case.task.started.unwrap_or(case.now),
        };
        // Others may have brought the service on its way back, or the run to its end, while this one read and rendered.
        if self.store.set_current(&delivery.environment, &release).await? == Written::Conflict {
            return Ok(PASSED_BY);
        }
        if let Some(waiting) = self.lock(case, delivery).await? {
            return Ok(waiting);
        }
        Ok(Learned::Concluded(match self.cluster.apply(&rendered.objects).await? {
            Application::Done => {
                let summary =
                    format!("{} objects applied in `{}`", rendered.objects.len(), delivery.namespace);
                Verdict::passed(
                    summary,
                    Output::Release(Applied { manifests: rendered.hash, objects: rendered.names }),
                )
            }
            Application::Refused(sentence) => {
                let back = self.verified_before(case, delivery, &service.name, &release.manifests).await?;
                Verdict::failed(sentence, Output::None).rolling_back(back)
            }
        }))
    }

    /// The release to go back to; none where nothing was ever verified, or the very same is.
    async fn verified_before(
        &self,
        case: &Case<'_>,
        delivery: &Delivery,
        service: &ServiceName,
        manifests: &str,
    ) -> Answer<Option<Release>> {
        let repository = &case.head.id.repository;
        let (_, verified) = self.store.releases(repository, &delivery.environment, service).await?;
        Ok(verified.filter(|verified| verified.manifests != manifests))
    }

    /// Applies the recorded manifests of the release that the failed task names: nothing is rendered again.
    async fn roll_back(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Learned> {
        let failed = case.previous.and_then(|failed| failed.verdict());
        let target = failed
            .and_then(|verdict| verdict.roll_back.as_deref())
            .ok_or_else(|| Fault::reject(format!("task `{}` has no release to go back to", case.task.id)))?;
        let objects = self.recorded(target).await?;
        let repository = &case.head.id.repository;
        let (current, _) = self.store.releases(repository, &delivery.environment, &target.service).await?;
        // Right after the release that is bad: an invocation that still works for that one comes too late.
        let bad = current.filter(|current| current.fence == delivery.fence).map_or(0, |current| current.turn);
        let release = Release {
            fence: delivery.fence,
            turn: bad | 1,
            at: case.task.started.unwrap_or(case.now),
            ..target.clone()
        };
        if self.store.set_current(&delivery.environment, &release).await? == Written::Conflict {
            return Ok(PASSED_BY);
        }
        if let Some(waiting) = self.lock(case, delivery).await? {
            return Ok(waiting);
        }
        Ok(Learned::Concluded(match self.cluster.apply(&objects).await? {
            Application::Done => Verdict::passed(
                format!("back to the release of `{}`", target.run.sha.short()),
                Output::Release(Applied { manifests: release.manifests, objects: release.objects }),
            ),
            Application::Refused(sentence) => Verdict::failed(
                format!("the way back to `{}` is refused: {sentence}", target.run.sha.short()),
                Output::None,
            ),
        }))
    }

    /// The objects of a release as they were applied.
    async fn recorded(&self, release: &Release) -> Answer<Vec<serde_json::Value>> {
        let key = keys::manifests(&release.manifests);
        let text = self.artifacts.get(&key, LARGEST_RELEASE).await?.ok_or_else(|| {
            Fault::reject(format!("the bucket no longer holds the manifests `{}`", release.manifests))
        })?;
        serde_json::from_slice(&text).map_err(|error| {
            Fault::retry(format!("the manifests `{}` cannot be read", release.manifests), error)
        })
    }
}

/// The image that publish let through.
fn published(case: &Case<'_>) -> Answer<PinnedImage> {
    match case.previous.and_then(|publish| publish.verdict()).map(|verdict| &verdict.output) {
        Some(Output::Image { image, .. }) => Ok(image.clone()),
        _ => Err(Fault::reject(format!("no published image for task `{}`", case.task.id))),
    }
}

fn delivery_of<'a>(case: &Case<'a>) -> Answer<&'a Delivery> {
    case.head.delivery.as_ref().ok_or_else(|| no_delivery(&case.head.id))
}

fn no_delivery(run: &RunId) -> Fault {
    Fault::reject(format!("run `{run}` is not delivered anywhere"))
}

fn overtaken(environment: &EnvironmentName, fence: u64, by: u64) -> Verdict {
    if by == fence {
        return Verdict::superseded(format!("this run has left `{environment}` meanwhile"));
    }
    Verdict::superseded(format!(
        "number {by} has been deployed to `{environment}` since; this run is number {fence}"
    ))
}
