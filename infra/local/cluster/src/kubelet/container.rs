//! One container of a pod: its state between starts and how that reads in the pod's status.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::objects::json::text;

/// The longest pause before a crashed container is started again.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A container that ran so long is forgiven its earlier crashes.
const FORGIVEN: Duration = Duration::from_mins(10);

/// A container and what is known of it.
pub struct Container {
    /// Its part of the pod's spec.
    pub spec: Value,
    /// Whether it runs before the others.
    pub is_init: bool,
    /// What it does now.
    pub state: State,
    /// How its last run but the present ended.
    pub last: Option<Ended>,
    /// Id of its last run in the engine.
    pub id: String,
    /// `imageID` of the status.
    pub image_id: String,
    /// Starts so far, the first not counted.
    pub restarts: u32,
    /// Starts so far.
    pub runs: u32,
    /// Whether its startup probe succeeded.
    pub started: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// When something is to be done with it.
    pub due: Option<Instant>,
    /// When its image may be pulled again.
    pub pull_at: Option<Instant>,
    /// Its probes while it runs.
    pub probes: Option<JoinHandle<()>>,
    pause: Option<Duration>,
    pull_pause: Option<Duration>,
    running_since: Instant,
}

/// What a container does.
#[derive(Debug, Clone)]
pub enum State {
    /// It is not started yet or not again: reason and message.
    Waiting(String, String),
    /// It runs, since then.
    Running(String),
    /// It ended and may be started again.
    Ended(Ended),
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Exit code.
    pub code: i64,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`.
    pub reason: String,
    /// What went wrong, if it is known.
    pub message: String,
    /// When the run began.
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// Id of the run in the engine.
    pub id: String,
}

impl Container {
    /// A container that is to be started at once.
    pub fn new(spec: &Value, is_init: bool) -> Self {
        let reason = if is_init { "PodInitializing" } else { "ContainerCreating" };
        Self {
            spec: spec.clone(),
            is_init,
            state: State::Waiting(reason.to_owned(), String::new()),
            last: None,
            id: String::new(),
            image_id: String::new(),
            restarts: 0,
            runs: 0,
            started: false,
            ready: false,
            due: Some(Instant::now()),
            pull_at: None,
            probes: None,
            pause: None,
            pull_pause: None,
            running_since: Instant::now(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.spec, "/name")
    }

    /// Whether it runs now.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// How it ended, if it did and was not started again.
    pub fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    /// Waits with a reason until something is due.
    pub fn wait(&mut self, reason: &str, message: &str, pause: Duration) {
        self.state = State::Waiting(reason.to_owned(), message.to_owned());
        self.due = Some(Instant::now() + pause);
    }

    /// Counts a try to start it.
    pub fn count_run(&mut self) {
        self.restarts = self.runs;
        self.runs += 1;
    }

    /// Notes a start.
    pub fn begin(&mut self, id: String, since: String) {
        self.id = id;
        self.state = State::Running(since);
        self.running_since = Instant::now();
        (self.due, self.pull_at, self.pull_pause) = (None, None, None);
        (self.started, self.ready) = (false, false);
    }

    /// Notes an end.
    pub fn end(&mut self, ended: Ended) {
        self.stop_probes();
        (self.started, self.ready, self.due) = (false, false, None);
        self.state = State::Ended(ended);
        if self.running_since.elapsed() > FORGIVEN {
            self.pause = None;
        }
    }

    /// The pause before the next start: none the first time, then `first`, doubling.
    pub fn next_pause(&mut self, first: Duration) -> Duration {
        let pause = self.pause.unwrap_or_default();
        self.pause = Some(if pause.is_zero() { first } else { (pause * 2).min(LONGEST_PAUSE) });
        pause
    }

    /// The pause before the next pull: `first`, doubling.
    pub fn next_pull_pause(&mut self, first: Duration) -> Duration {
        let pause = self.pull_pause.map_or(first, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pull_pause = Some(pause);
        pause
    }

    /// Ends its probes.
    pub fn stop_probes(&mut self) {
        if let Some(probes) = self.probes.take() {
            probes.abort();
        }
    }

    /// Its entry in the pod's status.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "name": self.name(), "image": self.spec["image"], "imageID": self.image_id, "ready": self.ready,
            "restartCount": self.restarts, "started": self.started, "state": state(&self.state), "lastState": {},
        });
        if !self.id.is_empty() {
            status["containerID"] = format!("docker://{}", self.id).into();
        }
        if let Some(last) = &self.last {
            status["lastState"] = json!({ "terminated": terminated(last) });
        }
        if self.is_init {
            status["ready"] = self.ended().is_some_and(|ended| ended.code == 0).into();
        }
        status
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop_probes();
    }
}

fn state(state: &State) -> Value {
    match state {
        State::Waiting(reason, message) if message.is_empty() => json!({ "waiting": { "reason": reason } }),
        State::Waiting(reason, message) => json!({ "waiting": { "reason": reason, "message": message } }),
        State::Running(since) => json!({ "running": { "startedAt": since } }),
        State::Ended(ended) => json!({ "terminated": terminated(ended) }),
    }
}

fn terminated(ended: &Ended) -> Value {
    let mut terminated = json!({
        "exitCode": ended.code, "reason": ended.reason, "startedAt": ended.started, "finishedAt": ended.finished,
    });
    if !ended.id.is_empty() {
        terminated["containerID"] = format!("docker://{}", ended.id).into();
    }
    if !ended.message.is_empty() {
        terminated["message"] = ended.message.as_str().into();
    }
    terminated
}
