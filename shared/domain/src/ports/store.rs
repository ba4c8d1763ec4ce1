//! What is remembered: runs, deliveries, environments, and what people were told.

use std::collections::BTreeMap;
use std::future::Future;

use super::{Answer, Written};
use crate::ids::{DeliveryId, EnvironmentName, RepositoryName, RunId, ServiceName, Sha, Stage, TaskId};
use crate::policy::Waiting;
use crate::run::{Run, Ticket};
use crate::task::{ObjectName, PinnedImage, Task};
use crate::time::Timestamp;
use crate::timeline::Entry;

/// Runs and their tasks. Every write is conditional on the version before the one given.
pub trait Runs: Send + Sync {
    /// The head.
    fn run(&self, id: &RunId) -> impl Future<Output = Answer<Option<Run>>> + Send;
    /// Writes a head that must not exist yet (version 1).
    fn create_run(&self, run: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// Writes the next version of a head.
    fn write_run(&self, run: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// The head and those of a few tasks that exist, in the order asked for, by one request. It is no snapshot: each
    /// is as new as the call, but the head may be older than a task, and one task older than another.
    fn case(
        &self,
        run: &RunId,
        tasks: &[TaskId],
    ) -> impl Future<Output = Answer<(Option<Run>, Vec<Task>)>> + Send;
    /// Every task of a run, or those of one stage, in the order of their ids.
    fn tasks(&self, run: &RunId, stage: Option<Stage>) -> impl Future<Output = Answer<Vec<Task>>> + Send;
    /// Writes those of the tasks that are absent; leaves the others as they are.
    fn create_tasks(&self, tasks: &[Task]) -> impl Future<Output = Answer<()>> + Send;
    /// Writes the next version of a task.
    fn write_task(&self, task: &Task) -> impl Future<Output = Answer<Written>> + Send;
    /// Writes the next versions of a task and its head, both or neither.
    fn write_both(&self, task: &Task, head: &Run) -> impl Future<Output = Answer<Written>> + Send;
    /// Opens tasks of a run anew: writes the next versions of the head and of the tasks and the timeline's entry, all
    /// or nothing. An entry that is there already is a conflict.
    fn reopen(
        &self,
        head: &Run,
        tasks: &[Task],
        entry: &Entry,
    ) -> impl Future<Output = Answer<Written>> + Send;
    /// What has a due time before `now`, the longest due first, at most `limit`: one query, whatever there is.
    fn due(&self, now: Timestamp, limit: u32) -> impl Future<Output = Answer<Vec<Due>>> + Send;
}

/// The timeline of a run.
pub trait Timeline: Send + Sync {
    /// Adds an entry, unless there is one of its key.
    fn record(&self, run: &RunId, entry: &Entry) -> impl Future<Output = Answer<()>> + Send;
    /// The entry of a key.
    fn entry(&self, run: &RunId, key: &str) -> impl Future<Output = Answer<Option<Entry>>> + Send;
    /// Every entry, the oldest first.
    fn timeline(&self, run: &RunId) -> impl Future<Output = Answer<Vec<Entry>>> + Send;
}

/// What waits for sweep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A run that has been silent.
    Run(RunId),
    /// A repository whose branches are to be looked at.
    Repository(RepositoryName),
}

/// A webhook delivery as recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Delivery {
    /// GitHub's id, the same again on redelivery.
    pub id: DeliveryId,
    /// The event's name.
    pub event: String,
    /// SHA-256 of the body, hexadecimal.
    pub body: String,
    /// When it came first.
    pub received: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Recorded, not yet sent to plan.
    Received,
    /// Sent to plan.
    Enqueued,
    /// Nothing to do, and why.
    Ignored(String),
    /// plan has made a run of it.
    Planned(RunId),
}

/// What was known of a delivery when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Nothing; it is recorded now.
    New,
    /// Its id, as recorded here: GitHub delivers it again, or somebody else uses the id.
    Known(Delivery),
    /// Its body, under another id, as recorded here. Nothing is recorded under this one.
    Before(Delivery),
}

/// Webhook deliveries.
pub trait Deliveries: Send + Sync {
    /// Records a delivery and whose body that is, if id and body are new; else tells what is known and changes nothing.
    fn receive(&self, delivery: &Delivery) -> impl Future<Output = Answer<Receipt>> + Send;
    /// Records a delivery under its id alone, if that is new; answers what is recorded now. Its body may come again
    /// under other ids.
    fn record(&self, delivery: &Delivery) -> impl Future<Output = Answer<Delivery>> + Send;
    /// Notes what became of it.
    fn note(&self, id: &DeliveryId, state: &DeliveryState) -> impl Future<Output = Answer<()>> + Send;
}

/// A number drawn in an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fence {
    /// It only grows.
    pub number: u64,
    /// The commit that drew it.
    pub sha: Sha,
    /// The run that drew it.
    pub run: RunId,
}

/// How an attempt at the lock ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locking {
    /// It is this run's.
    Held,
    /// Another rollout has it.
    HeldBy(RunId),
    /// Nobody has it, but the rollout of this number has waited for it longer, and each is to have its turn.
    Behind {
        /// The lowest number that waits.
        number: u64,
    },
    /// A newer rollout waits for it too, and only the newest is to have its turn.
    Outrun {
        /// The highest number that waits.
        by: u64,
    },
    /// A higher number has taken the lock before: this run is out of date.
    Overtaken {
        /// The highest number that has taken it.
        by: u64,
    },
}

/// What a service runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Release {
    /// The service or component.
    pub service: ServiceName,
    /// The run that made it.
    pub run: RunId,
    /// The run's number there.
    pub fence: u64,
    /// The order among releases of one number: four times the attempt of the deploy, two more for its way back, and one
    /// more once what was left over is pruned.
    #[serde(default)]
    pub turn: u32,
    /// The image; a component has none.
    pub image: Option<PinnedImage>,
    /// SHA-256 of the rendered manifests.
    pub manifests: String,
    /// What was applied.
    pub objects: Vec<ObjectName>,
    /// What earlier releases applied and this one does not name; empty once it is pruned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<ObjectName>,
    /// When.
    pub at: Timestamp,
}

/// The last bit of a turn: what was left over is pruned.
const PRUNED: u32 = 1;

impl Release {
    /// The release that takes this one's place with these objects: in its turn with what is left over of this one, or,
    /// where this one is the same release and pruned already, as it stands.
    pub fn followed_by(before: Option<&Self>, mut next: Self) -> Self {
        let pruned = |known: &&Self| known.place() == (next.fence, next.turn | PRUNED);
        match before.filter(pruned) {
            Some(same) => (next.turn, next.leftovers) = (same.turn, same.leftovers.clone()),
            None => {
                next.leftovers = before.map(|known| known.left_over_by(&next.objects)).unwrap_or_default();
            }
        }
        next
    }

    /// The release once what was left over is pruned, but for what had to be kept.
    #[must_use]
    pub fn pruned(self, kept: Vec<ObjectName>) -> Self {
        Self { turn: self.turn | PRUNED, leftovers: kept, ..self }
    }

    /// What is left over of this release, and of those before it, where another one takes its place with these objects.
    pub fn left_over_by(&self, objects: &[ObjectName]) -> Vec<ObjectName> {
        let mut left: Vec<ObjectName> = self.objects.iter().chain(&self.leftovers).cloned().collect();
        left.retain(|object| !objects.contains(object));
        left.sort();
        left.dedup();
        left
    }

    /// Its place in the order of the service's releases in the environment.
    pub fn place(&self) -> (u64, u32) {
        (self.fence, self.turn)
    }
}

/// Lock, fence and releases of an environment.
pub trait Environments: Send + Sync {
    /// The last number drawn.
    fn fence(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
    ) -> impl Future<Output = Answer<Option<Fence>>> + Send;
    /// Draws `fence.number`, on condition that the number before it is the last one drawn.
    fn draw(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        fence: &Fence,
    ) -> impl Future<Output = Answer<Written>> + Send;
    /// Takes the lock for a run under its ticket, or says who has it. While it is held it is taken again without
    /// harm; once it was freed, the same ticket has overtaken itself: whoever still works for a run that has ended
    /// gets no lock that nobody would free. A run that is opened anew comes with the next round. Who does not get it
    /// stands in line from then on ([`crate::run::Lock`]).
    fn lock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
        waiting: Waiting,
    ) -> impl Future<Output = Answer<Locking>> + Send;
    /// Frees the lock if the run holds it, and not in a later round; else the run stands in line no more. Answers who may
    /// have the next turn, where it was this run's.
    fn unlock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> impl Future<Output = Answer<Vec<RunId>>> + Send;
    /// Records what a service runs from now on; a lower place ([`Release::place`]) never replaces a higher one, which is
    /// a conflict.
    fn set_current(
        &self,
        environment: &EnvironmentName,
        release: &Release,
    ) -> impl Future<Output = Answer<Written>> + Send;
    /// Records the current release as the last verified one; a lower place is simply not recorded.
    fn set_verified(
        &self,
        environment: &EnvironmentName,
        release: &Release,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// (current, last verified) release of a service.
    fn releases(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> impl Future<Output = Answer<(Option<Release>, Option<Release>)>> + Send;
}

/// What notify has said of a run, so that it says nothing twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// Grows by one with every write.
    pub version: u64,
    /// For each thing said (a check run's name, `slack`, `mail`): where it lies and the hash of what was said.
    pub said: BTreeMap<String, Said>,
    /// How often in a row telling has failed.
    #[serde(default)]
    pub failures: u32,
    /// Who is at work.
    pub lease: Option<Lease>,
    /// Until when telling is put off, because a channel is out of order or wants fewer requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
}

/// Telling that is put off.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parked {
    /// Since when it has been put off again and again.
    pub since: Timestamp,
    /// Before then nothing is tried.
    pub until: Timestamp,
    /// When the delayed message comes that looks again; nobody else need do so before.
    pub looks: Timestamp,
    /// How often in a row it was put off before.
    pub times: u32,
}

/// A thing said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// The channel's own name for it (a check run's id, a Slack timestamp).
    pub place: String,
    /// SHA-256 of the content, hexadecimal.
    pub content: String,
}

/// The right to tell a run, while nobody else does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// Who has it.
    pub holder: String,
    /// Until when nobody else takes it.
    pub until: Timestamp,
    /// What he is about to say: hashes of contents, as in [`Told::said`]. Where he died it may have been said.
    pub saying: BTreeMap<String, String>,
    /// Whether somebody came meanwhile with something else to say: the holder looks again.
    #[serde(default)]
    pub again: bool,
}

/// What there is to tell of a run, and what was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The head.
    pub head: Run,
    /// Every task, in the order of their ids.
    pub tasks: Vec<Task>,
    /// What has been said; empty at first.
    pub told: Told,
}

/// How a write of the book ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It is written.
    Yes,
    /// Somebody else has written it, and this is what he wrote.
    Conflict(Told),
}

/// notify's own book.
pub trait NoticeBook: Send + Sync {
    /// Book, head and tasks by one request, none where the run has no head. It is no snapshot: the book is the oldest
    /// of them, then the head, then the tasks; each is at least as new as the call.
    fn picture(&self, run: &RunId) -> impl Future<Output = Answer<Option<Picture>>> + Send;
    /// Writes the next version of the book.
    fn write_told(&self, run: &RunId, told: &Told) -> impl Future<Output = Answer<Noted>> + Send;
}
