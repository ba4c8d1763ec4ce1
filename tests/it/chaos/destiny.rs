//! What a commit is destined to, and how builds and pods learn of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::{RunId, Stage};
use domain::run::{Run, RunOutcome, RunState};
use local::light::{BuildPretence, Fate, Outcome, PodFate, PodPretence};

/// The annotation of a pod template whose pods crash.
pub(super) const CRASHES: &str = "fate: crashes";
/// The longest that a build takes, in milliseconds.
const LONGEST_BUILD: u64 = 1500;

/// How a commit's run ends, unless a newer one overtakes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Destiny {
    /// Everything is fine.
    Good,
    /// The tests of a service are red.
    RedTests,
    /// CodeBuild loses the machine under a test.
    LostTest,
    /// An image cannot be built.
    RedImage,
    /// A service's pods crash.
    CrashingPods,
    /// The pipeline file is broken.
    BrokenFile,
}

impl Destiny {
    /// Half of all commits are good.
    pub(super) fn drawn(dice: &mut fastrand::Rng) -> Self {
        match dice.u32(..10) {
            0..5 => Self::Good,
            5 => Self::RedTests,
            6 => Self::LostTest,
            7 => Self::RedImage,
            8 => Self::CrashingPods,
            _ => Self::BrokenFile,
        }
    }

    /// What is wrong with how the run ended, if anything. `overtaken`: a newer commit may have been delivered first.
    pub(super) fn objection(self, head: &Run, overtaken: bool) -> Option<String> {
        let RunState::Finished(outcome) = &head.state else { return Some(format!("is {:?}", head.state)) };
        let delivered = head.delivery.is_some();
        let right = match (self, outcome) {
            (Self::BrokenFile, RunOutcome::Invalid(_))
            | (Self::RedTests | Self::LostTest, RunOutcome::Failed)
            | (Self::Good, RunOutcome::Passed) => true,
            (Self::RedImage | Self::CrashingPods, RunOutcome::Failed) => delivered,
            (Self::RedImage | Self::CrashingPods, RunOutcome::Passed) => !delivered,
            (Self::Good | Self::CrashingPods, RunOutcome::Superseded) => delivered && overtaken,
            _ => false,
        };
        (!right).then(|| format!("was destined to {self:?} and ended as {outcome:?}"))
    }
}

/// What the commits are destined to, told to the builds.
#[derive(Debug, Clone, Default)]
pub(super) struct Fates {
    known: Arc<Mutex<HashMap<String, (Destiny, String)>>>,
}

impl Fates {
    /// Destines a run; the service is the one that meets its fate.
    pub(super) fn destine(&self, run: &RunId, destiny: Destiny, service: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(run.sha.as_str().to_owned(), (destiny, service.to_owned()));
    }

    /// The rule of builds.
    pub(super) fn of_builds(&self) -> BuildPretence {
        let fates = self.clone();
        BuildPretence::new(move |task| Fate { outcome: fates.outcome(task), after: takes(task) })
    }

    fn outcome(&self, task: &str) -> Outcome {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, (destiny, service))) = known.iter().find(|(sha, _)| task.contains(sha.as_str())) else {
            return Outcome::Passes;
        };
        let is = |stage: Stage| task.contains(&format!("/{}/{service}/", stage.as_str()));
        match destiny {
            Destiny::RedTests if is(Stage::Test) => Outcome::Fails,
            Destiny::LostTest if is(Stage::Test) => Outcome::Faults,
            Destiny::RedImage if is(Stage::Build) => Outcome::Fails,
            _ => Outcome::Passes,
        }
    }
}

/// The rule of pods: the manifests of a commit say it.
pub(super) fn of_pods() -> PodPretence {
    PodPretence::new(|pod| match pod["metadata"]["annotations"]["fate"].as_str() {
        Some("crashes") => PodFate::Crashes { code: 3, lines: vec!["no database".to_owned()] },
        _ => PodFate::Ready(Duration::from_millis(200)),
    })
}

/// How long a build takes: always the same for the same task.
fn takes(task: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    task.hash(&mut hasher);
    Duration::from_millis(hasher.finish() % LONGEST_BUILD)
}
