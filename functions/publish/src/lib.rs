//! Reads the built image back from the registry by its digest, waits for the registry's scan of it, and tags it for
//! people. What the registry does not hold, and what the scan finds too bad, does not pass.

mod tags;

use std::time::Duration;

use domain::message::{Scanned, Verified, Wake};
use domain::next::Learned;
use domain::ports::{Answer, Environments, Fault, Images, Runs, Scans};
use domain::scan::Gate;
use domain::task::{Output, PinnedImage, State, Verdict};
use lambda::{Case, StageWork};

/// When the scan is asked for again where no event tells its end: events are sent at best effort, and scans of the
/// enhanced kind end without one.
const AGAIN: Duration = Duration::from_mins(1);

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Publishing<S, I> {
    /// Runs, verified releases, and who waits for a scan.
    pub store: S,
    /// The registry.
    pub images: I,
}

impl<S: Runs + Environments + Scans, I: Images> StageWork for Publishing<S, I> {
    async fn start(&self, case: &Case<'_>, _adopt: bool) -> Answer<Learned> {
        let image = Built::of(case)?;
        match self.look(case, &image, Duration::ZERO).await? {
            Seen::Ended(verdict) => Ok(Learned::Concluded(*verdict)),
            // The state remembers since when the scan is waited for.
            Seen::Waits(_) => Ok(Learned::Started { handle: "scan".to_owned() }),
        }
    }

    async fn observe(&self, case: &Case<'_>, _handle: &str) -> Answer<Learned> {
        let image = Built::of(case)?;
        let waited = match case.task.state {
            State::Running { since, .. } => case.now.since(since),
            _ => Duration::ZERO,
        };
        // Before it is asked for: whatever ends after that finds who waits.
        let waiting = Wake { run: case.task.run.clone(), task: case.task.id.clone(), timer: None };
        let awaited = Scanned { repository: image.name.to_owned(), digest: image.pinned.digest.clone() };
        self.store.await_scan(&awaited, &waiting, case.now).await?;
        match self.look(case, &image, waited).await? {
            Seen::Ended(verdict) => Ok(Learned::Concluded(*verdict)),
            Seen::Waits(longest) => Ok(Learned::InProgress { ask_again: Some(AGAIN.min(longest)) }),
        }
    }

    async fn verified(&self, verified: &Verified) -> Answer<()> {
        tags::follow(&self.store, &self.images, verified).await
    }

    async fn awaiting(&self, scanned: &Scanned) -> Answer<Vec<Wake>> {
        self.store.awaiting_scan(scanned).await
    }
}

/// What the registry says of an image.
enum Seen {
    /// Enough for a verdict.
    Ended(Box<Verdict>),
    /// Its scan goes on; it is waited for so long at most.
    Waits(Duration),
}

impl Seen {
    fn ended(verdict: Verdict) -> Self {
        Self::Ended(Box::new(verdict))
    }
}

impl<S: Runs + Environments + Scans, I: Images> Publishing<S, I> {
    async fn look(&self, case: &Case<'_>, image: &Built<'_>, waited: Duration) -> Answer<Seen> {
        let Built { name, pinned } = *image;
        if !self.images.holds(name, &pinned.digest).await? {
            let summary =
                format!("the registry does not hold `{pinned}`; somebody deleted it after its build");
            return Ok(Seen::ended(Verdict::failed(summary, Output::None)));
        }
        let policy = case.head.delivery.as_ref().map(|delivery| delivery.policy.scan).unwrap_or_default();
        let mut words = String::new();
        if policy.asks() {
            match policy.judge(&self.images.scan(name, &pinned.digest).await?, waited) {
                Gate::Open(said) => words = format!("; {said}"),
                Gate::Wait(longest) => return Ok(Seen::Waits(longest)),
                Gate::Shut { summary, evidence } => {
                    return Ok(Seen::ended(Verdict::failed(summary, Output::Evidence(evidence))));
                }
            }
        }
        let head = case.head;
        let tag = tags::for_people(&head.origin.branch, head.created, head.id.sha.short());
        self.images.tag(name, &pinned.digest, &tag).await?;
        let output = Output::Image { image: pinned.clone(), log: None };
        Ok(Seen::ended(Verdict::passed(format!("published as `{tag}`{words}"), output)))
    }
}

/// The image that the task's build has made.
#[derive(Clone, Copy)]
struct Built<'a> {
    /// The registry's repository.
    name: &'a str,
    pinned: &'a PinnedImage,
}

impl<'a> Built<'a> {
    fn of(case: &Case<'a>) -> Answer<Self> {
        let Some(Output::Image { image, .. }) =
            case.previous.and_then(|build| build.verdict()).map(|verdict| &verdict.output)
        else {
            return Err(Fault::reject(format!("task `{}` follows no built image", case.task.id)));
        };
        let Some(spec) = case.task.spec.service().and_then(|service| service.image.as_ref()) else {
            return Err(Fault::reject(format!("task `{}` has no image", case.task.id)));
        };
        Ok(Self { name: &spec.repository, pinned: image })
    }
}
