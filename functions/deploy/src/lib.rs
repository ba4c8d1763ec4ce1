//! Under lock and fence, applies a service's manifests with its image pinned by digest.

mod carry;
mod jobs;
mod preview;
mod render;
mod source;
mod substitute;
mod words;

use std::time::Duration;

use domain::ids::{EnvironmentName, RunId, ServiceName};
use domain::keys;
use domain::next::Learned;
use domain::policy::{Policy, violations};
use domain::ports::{
    Answer, Artifacts, Cluster, Environments, Fault, Leftover, Locking, Release, Runs, Standing, Written,
};
use domain::run::{Delivery, Preview, Run, Ticket};
use domain::spec::ServiceSpec;
use domain::task::{Applied, ObjectName, Output, PinnedImage, Verdict};
use lambda::{Case, StageWork};

use crate::carry::{Carried, Progress};
use crate::jobs::Steps;

pub use render::{Rendered, render};
pub use source::ManifestFile;
pub use substitute::Target;

/// How long a rollout waits before it asks for the lock again.
const WAITING: Duration = Duration::from_secs(15);

/// How long changes go out in one invocation, which has 120 s: the rest is left to the next.
const SLICE: Duration = Duration::from_secs(40);

/// The largest recorded manifests read, in bytes: a few hundred objects of the largest size.
const LARGEST_RELEASE: u64 = 64 * 1024 * 1024;

/// The most objects that a sentence names.
const MOST_NAMES: usize = 5;

/// So many turns has each attempt of a deploy; this one of them is that of its way back ([`Release::turn`]).
const TURNS: u32 = 4;
const WAY_BACK: u32 = 2;

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

impl<S: Environments + Runs, A: Artifacts, C: Cluster> StageWork for Deployment<S, A, C> {
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

    async fn rehearse(&self, case: &Case<'_>) -> Answer<Option<String>> {
        let delivery = delivery_of(case)?;
        let Prepared { service, rendered } = match self.prepared(case, delivery).await? {
            Ok(prepared) => prepared,
            Err(sentence) => return Ok(Some(format!("it would fail: {sentence}"))),
        };
        let objects = match Steps::forward(rendered.objects, &case.head.id.sha, case.task.attempt) {
            Ok(steps) => steps.all(),
            Err(sentence) => return Ok(Some(format!("it would fail: {sentence}"))),
        };
        let names: Vec<ObjectName> = objects.iter().map(ObjectName::of).collect();
        let repository = &case.head.id.repository;
        let (before, _) = self.store.releases(repository, &delivery.environment, &service.name).await?;
        let changes = self.cluster.rehearse(&objects, delivery.policy.conflicts).await?;
        let pruned = before.map(|before| before.left_over_by(&names)).unwrap_or_default();
        Ok(Some(words::rehearsed(&delivery.namespace, &names, &changes, &pruned)))
    }

    async fn preview(&self, head: &Run, preview: &Preview) -> Answer<Vec<String>> {
        self.previewed(head, preview).await
    }
}

impl<S: Environments + Runs, A: Artifacts, C: Cluster> Deployment<S, A, C> {
    /// None when the environment is this run's, else what that means for the task.
    async fn lock(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Option<Learned>> {
        let run = &case.head.id;
        let environment = &delivery.environment;
        let ticket = Ticket { number: delivery.fence, round: case.head.round };
        let waiting = delivery.policy.waiting;
        let locking = self.store.lock(&run.repository, environment, run, ticket, waiting).await?;
        let waits = |why: String| {
            tracing::info!(run = %run, environment = %environment, why, "waiting for the environment");
            Some(Learned::Waiting { why, ask_again: WAITING })
        };
        Ok(match locking {
            Locking::Held => None,
            Locking::HeldBy(other) => {
                waits(format!("the rollout of `{}` in `{environment}` to end", other.sha.short()))
            }
            Locking::Behind { number } => {
                waits(format!("number {number} to have its turn in `{environment}`"))
            }
            Locking::Outrun { by } => Some(Learned::Concluded(Verdict::superseded(format!(
                "number {by} waits for `{environment}` too and is newer; this run is number {}",
                delivery.fence
            )))),
            Locking::Overtaken { by } => Some(Learned::Concluded(overtaken(environment, delivery.fence, by))),
        })
    }

    /// Every effect here has a key, so that a repeated start ends in the same place.
    async fn apply(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Learned> {
        let service = service_of(case)?;
        let image = service.image.as_ref().map(|_| published(case)).transpose()?;
        let (objects, progress) = match Progress::of(case.task) {
            Some(progress) => (self.recorded(&progress.manifests).await?, progress),
            None => match self.prepared(case, delivery).await? {
                Ok(Prepared { rendered, .. }) => {
                    let text = rendered.text.clone().into_bytes();
                    self.artifacts.put(&keys::manifests(&rendered.hash), text).await?;
                    (rendered.objects, Progress::none(&rendered.hash))
                }
                Err(sentence) => return Ok(ended_badly(sentence)),
            },
        };
        let steps = match Steps::forward(objects, &case.head.id.sha, case.task.attempt) {
            Ok(steps) => steps,
            Err(sentence) => return Ok(ended_badly(sentence)),
        };
        let repository = &case.head.id.repository;
        let (before, verified) =
            self.store.releases(repository, &delivery.environment, &service.name).await?;
        let release = Release {
            service: service.name.clone(),
            run: case.head.id.clone(),
            fence: delivery.fence,
            turn: case.task.attempt * TURNS,
            image,
            manifests: progress.manifests.clone(),
            objects: steps.names(),
            leftovers: Vec::new(),
            at: case.task.started.unwrap_or(case.now),
        };
        let release = Release::followed_by(before.as_ref(), release);
        let turn = Turn { work: self, case, delivery, release: &release };
        match turn.carry(&steps, progress).await? {
            Carried::Later(learned) => Ok(learned),
            Carried::Bad(verdict) => {
                // Where nothing was ever verified, or the very same is, there is nothing to go back to.
                let back = verified.filter(|verified| verified.manifests != release.manifests);
                Ok(Learned::Concluded(verdict.falling_back(service.rollout.on_failure, back)))
            }
            Carried::Out(taken) => {
                let pruned = match self.prune(&turn).await? {
                    Ok(pruned) => pruned,
                    Err(waiting) => return Ok(waiting),
                };
                let summary = format!(
                    "{} objects applied in `{}`{}{}{pruned}",
                    steps.applied.len(),
                    delivery.namespace,
                    words::ended_well(&steps.jobs),
                    words::taken(&taken)
                );
                let manifests = release.manifests.clone();
                let objects = steps.applied.iter().map(ObjectName::of).collect();
                let applied = Applied { manifests, objects, after: steps.after };
                Ok(Learned::Concluded(Verdict::passed(summary, Output::Release(applied))))
            }
        }
    }

    /// What the task's manifests come to, or the sentence for the developer why nothing of them may be applied.
    async fn prepared<'a>(
        &self,
        case: &'a Case<'_>,
        delivery: &Delivery,
    ) -> Answer<Result<Prepared<'a>, String>> {
        let service = service_of(case)?;
        let image = service.image.as_ref().map(|_| published(case)).transpose()?;
        let run = &case.head.id;
        let files = match source::of_service(&self.store, &self.artifacts, run, service).await? {
            Ok(files) => files,
            Err(sentence) => return Ok(Err(sentence)),
        };
        let pin = service.image.as_ref().map(|spec| spec.repository.as_str()).zip(image.as_ref());
        let (environment, namespace) = (&delivery.environment, delivery.namespace.as_str());
        let cluster_wide = delivery.policy.cluster_wide;
        let target = Target { environment, namespace, sha: &run.sha, cluster_wide };
        let rendered = render(&files, &target, pin, service, &owner_of(run, &service.name));
        Ok(rendered.and_then(|rendered| {
            match against_policy(&rendered, &delivery.environment, &delivery.policy) {
                Some(sentence) => Err(sentence),
                None => Ok(Prepared { service, rendered }),
            }
        }))
    }

    /// Applies the recorded manifests of the release that the failed task names: nothing is rendered again.
    async fn roll_back(&self, case: &Case<'_>, delivery: &Delivery) -> Answer<Learned> {
        let failed = case.previous.and_then(|failed| failed.verdict());
        let target = failed
            .and_then(|verdict| verdict.roll_back.as_deref())
            .ok_or_else(|| Fault::reject(format!("task `{}` has no release to go back to", case.task.id)))?;
        let progress = Progress::of(case.task).unwrap_or_else(|| Progress::none(&target.manifests));
        let steps = Steps::back(self.recorded(&target.manifests).await?);
        let repository = &case.head.id.repository;
        let (current, _) = self.store.releases(repository, &delivery.environment, &target.service).await?;
        // Right after the release that is bad: an invocation that still works for that one comes too late.
        let is_bad = |current: &&Release| current.fence == delivery.fence;
        let bad = current.as_ref().filter(is_bad).map_or(0, |current| current.turn);
        let release = Release {
            fence: delivery.fence,
            turn: bad / TURNS * TURNS + WAY_BACK,
            objects: steps.names(),
            at: case.task.started.unwrap_or(case.now),
            ..target.clone()
        };
        let release = Release::followed_by(current.as_ref(), release);
        let turn = Turn { work: self, case, delivery, release: &release };
        match turn.carry(&steps, progress).await? {
            Carried::Later(learned) => Ok(learned),
            Carried::Bad(refused) => {
                let short = target.run.sha.short();
                Ok(ended_badly(format!("the way back to `{short}` is refused: {}", refused.summary)))
            }
            Carried::Out(taken) => {
                let pruned = match self.prune(&turn).await? {
                    Ok(pruned) => pruned,
                    Err(waiting) => return Ok(waiting),
                };
                let (short, taken) = (target.run.sha.short(), words::taken(&taken));
                let summary = format!("back to the release of `{short}`{taken}{pruned}");
                let (manifests, objects) = (release.manifests.clone(), release.objects.clone());
                let applied = Applied { manifests, objects, after: Vec::new() };
                Ok(Learned::Concluded(Verdict::passed(summary, Output::Release(applied))))
            }
        }
    }

    /// Deletes what earlier releases of the service applied and this one does not name; answers the words for people, or
    /// what it means for the task that the environment is another run's by now.
    async fn prune(&self, turn: &Turn<'_, S, A, C>) -> Answer<Result<String, Learned>> {
        let Turn { case, delivery, release, .. } = turn;
        if release.leftovers.is_empty() {
            return Ok(Ok(String::new()));
        }
        let owner = owner_of(&case.head.id, &release.service);
        let Some(outcomes) = self.cluster.prune(&owner, &release.leftovers, turn).await? else {
            return turn.passed_by().await.map(Err);
        };
        let outcomes: Vec<_> = release.leftovers.iter().zip(outcomes).collect();
        let words = words::pruned(&outcomes);
        let kept = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Leftover::Kept(_)));
        let kept: Vec<ObjectName> = kept.map(|(object, _)| (*object).clone()).collect();
        if kept != release.leftovers {
            // Whoever has recorded a later release meanwhile has taken these over from the earlier one.
            let (Written::Yes | Written::Conflict) =
                self.store.set_current(&delivery.environment, &(*release).clone().pruned(kept)).await?;
        }
        Ok(Ok(words))
    }

    /// The objects of recorded manifests.
    async fn recorded(&self, manifests: &str) -> Answer<Vec<serde_json::Value>> {
        let text = self.artifacts.get(&keys::manifests(manifests), LARGEST_RELEASE).await?;
        let text = text.ok_or_else(|| {
            Fault::reject(format!("the bucket no longer holds the manifests `{manifests}`"))
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| Fault::retry(format!("the manifests `{manifests}` cannot be read"), error))
    }
}

/// A service's manifests, ready to be applied.
struct Prepared<'a> {
    service: &'a ServiceSpec,
    rendered: Rendered,
}

/// A release's turn in its environment: it is recorded as the current one, and its run holds the lock.
struct Turn<'a, S, A, C> {
    work: &'a Deployment<S, A, C>,
    case: &'a Case<'a>,
    delivery: &'a Delivery,
    release: &'a Release,
}

impl<S: Environments + Runs, A: Artifacts, C: Cluster> Turn<'_, S, A, C> {
    /// Takes the turn, also where it had it before; answers what it means for the task that others have it by now: they
    /// may have brought the service on its way back, or the run to its end, while this one read, rendered or lay still.
    async fn taken(&self) -> Answer<Option<Learned>> {
        if self.work.store.set_current(&self.delivery.environment, self.release).await? == Written::Conflict {
            return Ok(Some(PASSED_BY));
        }
        self.work.lock(self.case, self.delivery).await
    }

    /// What it means for the task that the turn was lost under way.
    async fn passed_by(&self) -> Answer<Learned> {
        Ok(self.taken().await?.unwrap_or(Learned::InProgress { ask_again: Some(WAITING) }))
    }
}

impl<S: Environments + Runs, A: Artifacts, C: Cluster> Standing for Turn<'_, S, A, C> {
    async fn holds(&self) -> Answer<bool> {
        Ok(self.taken().await?.is_none())
    }

    fn patience(&self) -> Duration {
        SLICE
    }
}

/// What of the objects the environment's policy forbids; none where all of it may be applied.
fn against_policy(rendered: &Rendered, environment: &EnvironmentName, policy: &Policy) -> Option<String> {
    let forbidden: Vec<String> = rendered
        .names
        .iter()
        .zip(&rendered.objects)
        .flat_map(|(name, object)| {
            let violations = violations(object, policy);
            violations.into_iter().map(move |violation| format!("{name}: {violation}"))
        })
        .collect();
    let more = match forbidden.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let told = forbidden[..forbidden.len().min(MOST_NAMES)].join("; ");
    (!forbidden.is_empty()).then(|| format!("`{environment}` does not let this be applied. {told}{more}"))
}

/// What a service is called among all that are delivered.
fn owner_of(run: &RunId, service: &ServiceName) -> String {
    format!("{}/{service}", run.repository)
}

fn service_of<'a>(case: &Case<'a>) -> Answer<&'a ServiceSpec> {
    let service = case.task.spec.service();
    service.ok_or_else(|| Fault::reject(format!("task `{}` has no manifests", case.task.id)))
}

fn ended_badly(sentence: String) -> Learned {
    Learned::Concluded(Verdict::failed(sentence, Output::None))
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
