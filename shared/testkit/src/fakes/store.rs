//! Runs, tasks and notify's book under the very conditions of the table's writes; deliveries and environments lie
//! beside them.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{
    DeliveryId, Digest, EnvironmentName, Line, RepositoryName, RunId, ServiceName, Stage, Subject, TaskId,
};
use domain::ports::{
    Answer, Delivery, Due, Fence, Front, Green, Noted, NoticeBook, Picture, Release, Runs, Timeline, Told,
    Written,
};
use domain::run::{Lock, Run};
use domain::task::Task;
use domain::time::Timestamp;
use domain::timeline::Entry;
use domain::tips::Tips;

use super::shared::Shared;
use super::wire::{Guard, Wire};

/// The table. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    pub(super) wire: Wire,
    pub(super) tables: Shared<Tables>,
}

pub(super) type Place = (RepositoryName, EnvironmentName);

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) history: BTreeMap<RunId, Vec<Run>>,
    pub(super) tasks: BTreeMap<RunId, BTreeMap<TaskId, Task>>,
    pub(super) told: BTreeMap<RunId, Told>,
    pub(super) timelines: BTreeMap<RunId, BTreeMap<String, Entry>>,
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    /// The delivery that brought a body first, by the body's hash.
    pub(super) bodies: BTreeMap<String, DeliveryId>,
    pub(super) watched: BTreeMap<RepositoryName, Timestamp>,
    pub(super) tips: BTreeMap<RepositoryName, Tips>,
    pub(super) fronts: BTreeMap<(RepositoryName, Line), Front>,
    pub(super) greens: BTreeMap<(RepositoryName, Subject, String), Green>,
    pub(super) fences: BTreeMap<Place, Fence>,
    pub(super) locks: BTreeMap<Place, Lock>,
    pub(super) releases: BTreeMap<(Place, ServiceName, &'static str), Release>,
    /// The tasks that wait for the scan of an image, by repository and digest.
    pub(super) awaited: BTreeMap<(String, Digest), BTreeSet<(RunId, TaskId)>>,
}

impl MemoryStore {
    /// An empty table on that wire.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), tables: Shared::default() }
    }

    /// Every head, past the wire.
    pub fn heads(&self) -> Vec<Run> {
        self.tables.with(|tables| tables.runs.values().cloned().collect())
    }

    /// Every version that a run's head has had, past the wire.
    pub fn history(&self, run: &RunId) -> Vec<Run> {
        self.tables.with(|tables| tables.history.get(run).cloned().unwrap_or_default())
    }

    /// Every task of a run, past the wire.
    pub fn tasks_of(&self, run: &RunId) -> Vec<Task> {
        self.tables.with(|tables| {
            tables.tasks.get(run).map(|tasks| tasks.values().cloned().collect()).unwrap_or_default()
        })
    }

    /// The timeline of a run by key, past the wire.
    pub fn entries(&self, run: &RunId) -> Vec<Entry> {
        self.tables.with(|tables| {
            tables.timelines.get(run).map(|entries| entries.values().cloned().collect()).unwrap_or_default()
        })
    }

    /// What a test wants to be there, past the wire and every condition.
    pub fn put(&self, head: &Run, tasks: &[Task]) {
        self.tables.with(|tables| {
            tables.runs.insert(head.id.clone(), head.clone());
            let of_run = tables.tasks.entry(head.id.clone()).or_default();
            of_run.extend(tasks.iter().map(|task| (task.id.clone(), task.clone())));
        });
    }

    /// The runs that hold a lock, past the wire.
    pub fn lock_holders(&self) -> Vec<RunId> {
        self.tables.with(|tables| tables.locks.values().filter_map(|lock| lock.holder.clone()).collect())
    }
}

impl Tables {
    fn follows_run(&self, run: &Run) -> bool {
        self.runs.get(&run.id).map_or(0, |known| known.version) + 1 == run.version
    }

    fn follows_task(&self, task: &Task) -> bool {
        let known = self.tasks.get(&task.run).and_then(|tasks| tasks.get(&task.id));
        known.map_or(0, |known| known.version) + 1 == task.version
    }

    fn set_task(&mut self, task: &Task) {
        self.tasks.entry(task.run.clone()).or_default().insert(task.id.clone(), task.clone());
    }

    fn set_run(&mut self, run: &Run) {
        self.runs.insert(run.id.clone(), run.clone());
        self.history.entry(run.id.clone()).or_default().push(run.clone());
    }
}

impl Runs for MemoryStore {
    async fn run(&self, id: &RunId) -> Answer<Option<Run>> {
        self.wire.call("store.run", || Ok(self.tables.with(|tables| tables.runs.get(id).cloned()))).await
    }

    async fn create_run(&self, run: &Run) -> Answer<Written> {
        self.write_run(run).await
    }

    async fn write_run(&self, run: &Run) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            if guarded && !tables.follows_run(run) {
                return Written::Conflict;
            }
            tables.set_run(run);
            Written::Yes
        };
        self.wire.call("store.write_run", || Ok(self.tables.with(write))).await
    }

    async fn case(&self, run: &RunId, tasks: &[TaskId]) -> Answer<(Option<Run>, Vec<Task>)> {
        let read = |tables: &mut Tables| {
            let known = tables.tasks.get(run);
            let wanted = tasks.iter().filter_map(|id| known.and_then(|known| known.get(id)));
            (tables.runs.get(run).cloned(), wanted.cloned().collect())
        };
        self.wire.call("store.case", || Ok(self.tables.with(read))).await
    }

    async fn tasks(&self, run: &RunId, stage: Option<Stage>) -> Answer<Vec<Task>> {
        let wanted = |task: &&Task| stage.is_none_or(|stage| task.id.stage == stage);
        let read = |tables: &mut Tables| {
            tables
                .tasks
                .get(run)
                .map(|tasks| tasks.values().filter(wanted).cloned().collect())
                .unwrap_or_default()
        };
        self.wire.call("store.tasks", || Ok(self.tables.with(read))).await
    }

    async fn create_tasks(&self, tasks: &[Task]) -> Answer<()> {
        let write = |tables: &mut Tables| {
            for task in tasks {
                let of_run = tables.tasks.entry(task.run.clone()).or_default();
                of_run.entry(task.id.clone()).or_insert_with(|| task.clone());
            }
        };
        self.wire
            .call("store.create_tasks", || {
                self.tables.with(write);
                Ok(())
            })
            .await
    }

    async fn write_task(&self, task: &Task) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            if guarded && !tables.follows_task(task) {
                return Written::Conflict;
            }
            tables.set_task(task);
            Written::Yes
        };
        self.wire.call("store.write_task", || Ok(self.tables.with(write))).await
    }

    async fn write_both(&self, task: &Task, head: &Run) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            if guarded && (!tables.follows_task(task) || !tables.follows_run(head)) {
                return Written::Conflict;
            }
            tables.set_task(task);
            tables.set_run(head);
            Written::Yes
        };
        self.wire.call("store.write_both", || Ok(self.tables.with(write))).await
    }

    async fn reopen(&self, head: &Run, tasks: &[Task], entry: &Entry) -> Answer<Written> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            let known = tables.timelines.entry(head.id.clone()).or_default().contains_key(&entry.key);
            let follows = tables.follows_run(head) && tasks.iter().all(|task| tables.follows_task(task));
            if known || (guarded && !follows) {
                return Written::Conflict;
            }
            tables.set_run(head);
            for task in tasks {
                tables.set_task(task);
            }
            tables.timelines.entry(head.id.clone()).or_default().insert(entry.key.clone(), entry.clone());
            Written::Yes
        };
        self.wire.call("store.reopen", || Ok(self.tables.with(write))).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Answer<Vec<Due>> {
        let read = |tables: &mut Tables| {
            let runs = tables.runs.values().filter_map(|run| Some((run.due?, Due::Run(run.id.clone()))));
            let watched = tables.watched.iter().map(|(name, due)| (*due, Due::Repository(name.clone())));
            let mut found: Vec<_> = runs.chain(watched).filter(|(due, _)| *due < now).collect();
            found.sort();
            found.into_iter().map(|(_, due)| due).take(limit as usize).collect()
        };
        self.wire.call("store.due", || Ok(self.tables.with(read))).await
    }
}

impl Timeline for MemoryStore {
    async fn record(&self, run: &RunId, entry: &Entry) -> Answer<()> {
        let write = |tables: &mut Tables| {
            let of_run = tables.timelines.entry(run.clone()).or_default();
            of_run.entry(entry.key.clone()).or_insert_with(|| entry.clone());
        };
        self.wire
            .call("store.record", || {
                self.tables.with(write);
                Ok(())
            })
            .await
    }

    async fn entry(&self, run: &RunId, key: &str) -> Answer<Option<Entry>> {
        let read = |tables: &mut Tables| tables.timelines.get(run).and_then(|all| all.get(key)).cloned();
        self.wire.call("store.entry", || Ok(self.tables.with(read))).await
    }

    async fn timeline(&self, run: &RunId) -> Answer<Vec<Entry>> {
        let read = |tables: &mut Tables| {
            let mut entries: Vec<_> =
                tables.timelines.get(run).into_iter().flat_map(BTreeMap::values).cloned().collect();
            entries.sort_by_key(|entry| entry.at);
            entries
        };
        self.wire.call("store.timeline", || Ok(self.tables.with(read))).await
    }
}

impl NoticeBook for MemoryStore {
    async fn picture(&self, run: &RunId) -> Answer<Option<Picture>> {
        let read = |tables: &mut Tables| {
            let head = tables.runs.get(run).cloned()?;
            let tasks = tables.tasks.get(run).into_iter().flat_map(BTreeMap::values).cloned().collect();
            Some(Picture { head, tasks, told: tables.told.get(run).cloned().unwrap_or_default() })
        };
        self.wire.call("store.picture", || Ok(self.tables.with(read))).await
    }

    async fn write_told(&self, run: &RunId, told: &Told) -> Answer<Noted> {
        let guarded = self.wire.has(Guard::Versions);
        let write = |tables: &mut Tables| {
            let known = tables.told.get(run).cloned().unwrap_or_default();
            if guarded && known.version + 1 != told.version {
                return Noted::Conflict(known);
            }
            tables.told.insert(run.clone(), told.clone());
            Noted::Yes
        };
        self.wire.call("store.write_told", || Ok(self.tables.with(write))).await
    }
}
