//! A task: one stage of one run for one subject; the unit of work, retry and re-run.

mod object;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, RunId, ServiceName, Stage, Subject, TaskId};
use crate::spec::{ChecksSpec, IntegrationSpec, ManifestsSpec, ServiceSpec};
use crate::time::Timestamp;

pub use object::{ObjectName, Tier};
pub use verdict::{Applied, Outcome, Output, PinnedImage, Verdict};

/// One stage of one run for one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The run it belongs to.
    pub run: RunId,
    /// Stage, subject and environment.
    pub id: TaskId,
    /// From 1; a re-run counts on.
    pub attempt: u32,
    /// Grows by one with every write: the condition of each.
    pub version: u64,
    /// What is intended or known.
    pub state: State,
    /// The one timer it may have.
    pub timer: Timer,
    /// Failures of the machinery since the last success; at [`crate::next::MOST_FAILURES`] the task is stuck.
    pub failures: u32,
    /// The outcome that stands for the run while later attempts run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Outcome>,
    /// What to do.
    pub spec: TaskSpec,
    /// Why it is there, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What its result depends on: SHA-256 in hexadecimal; tests only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The run that earned its result, where it was not run at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<RunId>,
    /// Its place among the run's test builds, from 0, where these are limited.
    #[serde(default)]
    pub place: u32,
    /// The services whose tests its first attempt shares a build with, itself among them; empty where it has one of its
    /// own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<ServiceName>,
    /// Whether its build was begun anew because the machinery had failed.
    #[serde(default)]
    pub mended: bool,
    /// For what it waits before it may begin, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When its verdict fell.
    pub finished: Option<Timestamp>,
}

/// A state names an intent until its result is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its phase is not open yet, or nobody has come.
    Pending,
    /// The stage's effect is intended; it may or may not have happened.
    Starting {
        /// Since when.
        since: Timestamp,
    },
    /// The effect has happened; its handle is known.
    Running {
        /// A build's id, or a word where none is needed.
        handle: String,
        /// Since when.
        since: Timestamp,
    },
    /// The verdict fell and is counted; who comes next is to be woken.
    PassingOn {
        /// The verdict.
        verdict: Verdict,
    },
    /// Nothing more to do.
    Done {
        /// The verdict.
        verdict: Verdict,
    },
    /// The machinery failed too often; a person must act.
    Stuck {
        /// The last failure's words.
        reason: String,
        /// Whether people have been told.
        told: bool,
    },
}

/// A delayed message under a number: one with an older number arms nothing, so that duplicates never multiply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Grows by one with every arming.
    pub number: u32,
    /// When its message should come.
    pub due: Option<Timestamp>,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly every task is a service's")]
pub enum TaskSpec {
    /// A service or component.
    Service(ServiceSpec),
    /// The repository-wide checks.
    Checks(ChecksSpec),
    /// The integration tests.
    Integration(IntegrationSpec),
    /// The manifests that a build renders.
    Manifests(ManifestsSpec),
}

impl TaskSpec {
    /// The service, where the task is about one.
    pub fn service(&self) -> Option<&ServiceSpec> {
        match self {
            Self::Service(service) => Some(service),
            Self::Checks(_) | Self::Integration(_) | Self::Manifests(_) => None,
        }
    }
}

impl Task {
    /// A task that nobody has begun.
    pub fn new(run: RunId, id: TaskId, spec: TaskSpec) -> Self {
        Self {
            run,
            id,
            attempt: 1,
            version: 1,
            state: State::Pending,
            timer: Timer::default(),
            failures: 0,
            standing: None,
            spec,
            why: String::new(),
            key: None,
            reused: None,
            place: 0,
            shares: Vec::new(),
            mended: false,
            waits: None,
            started: None,
            finished: None,
        }
    }

    /// The attempt under way: what builds carry.
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId { run: self.run.clone(), task: self.id.clone(), attempt: self.attempt }
    }

    /// The tasks of the build that the attempt under way shares, itself among them; empty where it has one of its own.
    /// Whatever comes after a first attempt runs alone.
    pub fn sharing(&self) -> Vec<TaskId> {
        let shares = if self.attempt == 1 { self.shares.as_slice() } else { &[] };
        let test = |name: &ServiceName| TaskId {
            stage: Stage::Test,
            subject: Subject::Service(name.clone()),
            environment: None,
        };
        shares.iter().map(test).collect()
    }

    /// The verdict, once it fell.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.state {
            State::PassingOn { verdict } | State::Done { verdict } => Some(verdict),
            State::Pending | State::Starting { .. } | State::Running { .. } | State::Stuck { .. } => None,
        }
    }

    /// How it ended as far as the run is concerned; none before its end.
    pub fn outcome(&self) -> Option<Outcome> {
        self.standing.or_else(|| self.verdict().map(|verdict| verdict.outcome))
    }

    /// The handle of what it began, where one is recorded.
    pub fn handle(&self) -> Option<String> {
        match &self.state {
            State::Running { handle, .. } => Some(handle.clone()),
            _ => None,
        }
    }

    /// The next attempt of a task under which the machinery broke.
    #[must_use]
    pub fn begun_anew(&self, now: Timestamp) -> Self {
        Self { attempt: self.attempt + 1, failures: 0, mended: true, ..self.clone() }
            .in_state(State::Starting { since: now }, now)
    }

    /// The next attempt, that nobody has begun. With `standing` it runs alone.
    #[must_use]
    pub fn anew(&self, standing: Option<Outcome>) -> Self {
        Self {
            attempt: self.attempt + 1,
            version: self.version + 1,
            state: State::Pending,
            timer: Timer { due: None, ..self.timer },
            failures: 0,
            standing,
            reused: None,
            mended: false,
            waits: None,
            started: None,
            finished: None,
            ..self.clone()
        }
    }

    /// A stuck task that tries again: whatever its attempt had begun is looked for first.
    #[must_use]
    pub fn revived(&self) -> Self {
        Self {
            state: State::Starting { since: Timestamp(0) },
            version: self.version + 1,
            failures: 0,
            ..self.clone()
        }
    }

    /// Whether a wake could still change something.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Done { .. } | State::Stuck { told: true, .. })
    }

    /// The task in another state, one version on.
    #[must_use]
    pub fn in_state(&self, state: State, now: Timestamp) -> Self {
        let mut task = self.clone();
        task.version += 1;
        task.waits = None;
        match &state {
            State::Starting { .. } => task.started = task.started.or(Some(now)),
            State::PassingOn { .. } => task.finished = Some(now),
            State::Running { .. } => task.failures = 0,
            State::Pending | State::Done { .. } | State::Stuck { .. } => {}
        }
        task.state = state;
        task
    }

    /// The task with its timer armed for `due`, one version on.
    #[must_use]
    pub fn armed(&self, due: Timestamp) -> Self {
        let timer = Timer { number: self.timer.number + 1, due: Some(due) };
        Self { timer, version: self.version + 1, ..self.clone() }
    }

    /// The task with its timer armed, and for what it waits until then, one version on.
    #[must_use]
    pub fn waiting(&self, why: &str, due: Timestamp) -> Self {
        Self { waits: Some(why.to_owned()), ..self.armed(due) }
    }

    /// The task with its effect done so far as the handle says, and its timer armed for the rest, one version on.
    #[must_use]
    pub fn done_partly(&self, handle: &str, now: Timestamp) -> Self {
        let state = State::Running { handle: handle.to_owned(), since: now };
        Self { version: self.version + 1, ..self.in_state(state, now).armed(now) }
    }

    /// The task with one failure more, one version on.
    #[must_use]
    pub fn failed_once(&self) -> Self {
        Self { failures: self.failures + 1, version: self.version + 1, ..self.clone() }
    }
}
