//! The worker of one pod: starts its containers, starts them again when they end, and ends them with the pod.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::kubelet::arguments;
use crate::kubelet::container::{Container, Ended};
use crate::kubelet::probes::Verdict;
use crate::kubelet::{Node, status};
use crate::objects::json::{list, now, text};
use crate::objects::lifecycle::Writer;
use crate::objects::resources::PODS;
use crate::objects::store::Key;

/// What a worker is told.
#[derive(Debug)]
pub enum Message {
    /// A container ended; its id.
    Exited(String),
    /// Ends may have been missed.
    Look,
    /// A probe's verdict on a run of a container.
    Probed(usize, u32, Verdict),
}

/// The worker of one pod.
pub struct Worker {
    pub(super) node: Arc<Node>,
    pub(super) pod: Arc<Value>,
    pub(super) key: Key,
    pub(super) uid: String,
    pub(super) containers: Vec<Container>,
    pub(super) sandbox: Option<String>,
    pub(super) address: String,
    pub(super) sender: UnboundedSender<Message>,
    ending: CancellationToken,
    shutdown: CancellationToken,
}

impl Worker {
    /// A worker that has done nothing yet.
    pub fn new(
        node: Arc<Node>,
        pod: &Arc<Value>,
        sender: UnboundedSender<Message>,
        ending: CancellationToken,
        shutdown: CancellationToken,
    ) -> Self {
        let inits = list(pod, "/spec/initContainers").iter().map(|spec| Container::new(spec, true));
        let mains = list(pod, "/spec/containers").iter().map(|spec| Container::new(spec, false));
        Self {
            node,
            pod: Arc::clone(pod),
            key: Key::of(&PODS, pod),
            uid: text(pod, "/metadata/uid").to_owned(),
            containers: inits.chain(mains).collect(),
            sandbox: None,
            address: String::new(),
            sender,
            ending,
            shutdown,
        }
    }

    /// Works until the pod is gone or the cluster ends.
    pub async fn run(mut self, mut inbox: UnboundedReceiver<Message>) {
        let (ending, shutdown) = (self.ending.clone(), self.shutdown.clone());
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = ending.cancelled() => {}
            () = self.keep_running(&mut inbox) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.end() => {}
        }
    }

    async fn keep_running(&mut self, inbox: &mut UnboundedReceiver<Message>) {
        self.write_status();
        loop {
            self.start_due().await;
            self.write_status();
            let due = self.containers.iter().enumerate().filter(|(index, _)| self.may_start(*index));
            let due = due.filter_map(|(_, container)| container.due).min();
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.receive(message).await,
                    None => return,
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Containers that run first must have ended well before others start.
    fn may_start(&self, index: usize) -> bool {
        let before = self.containers[..index].iter().filter(|container| container.is_init);
        before.into_iter().all(|container| container.ended().is_some_and(|ended| ended.code == 0))
    }

    async fn start_due(&mut self) {
        for index in 0..self.containers.len() {
            let due = self.containers[index].due.is_some_and(|due| due <= Instant::now());
            if due && self.may_start(index) {
                self.start(index).await;
            }
        }
    }

    async fn receive(&mut self, message: Message) {
        match message {
            Message::Exited(id) => {
                if let Some(index) = self.running(&id) {
                    self.exited(index).await;
                }
            }
            Message::Look => {
                for index in 0..self.containers.len() {
                    if self.containers[index].is_running() {
                        self.exited(index).await;
                    }
                }
            }
            Message::Probed(index, run, verdict) => self.probed(index, run, verdict).await,
        }
    }

    fn running(&self, id: &str) -> Option<usize> {
        self.containers.iter().position(|container| container.is_running() && container.id == id)
    }

    async fn exited(&mut self, index: usize) {
        let id = self.containers[index].id.clone();
        let inspected = self.node.docker.inspect(&id).await.unwrap_or_default();
        let state = &inspected["State"];
        if state["Running"] == true {
            return;
        }
        // A container that was removed behind our back counts as killed.
        let code = state["ExitCode"].as_i64().unwrap_or(137);
        let reason = match (state["OOMKilled"] == true, code) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            _ => "Error",
        };
        let ended = Ended {
            code,
            reason: reason.to_owned(),
            message: text(state, "/Error").to_owned(),
            started: seconds(text(state, "/StartedAt")),
            finished: seconds(text(state, "/FinishedAt")),
            id,
        };
        self.note_end(index, ended);
    }

    pub(super) fn note_end(&mut self, index: usize, ended: Ended) {
        let policy = text(&self.pod, "/spec/restartPolicy").to_owned();
        let first = self.node.back_off;
        let container = &mut self.containers[index];
        let again = match policy.as_str() {
            "Never" => false,
            "OnFailure" => ended.code != 0,
            _ => ended.code != 0 || !container.is_init,
        };
        container.end(ended.clone());
        if !again {
            return;
        }
        let pause = container.next_pause(first);
        if pause.is_zero() {
            container.due = Some(Instant::now());
            return;
        }
        container.last = Some(ended);
        let pod = format!("{}_{}({})", self.key.name, self.key.namespace, self.uid);
        let name = container.name().to_owned();
        let message = format!("back-off {} restarting failed container={name} pod={pod}", spoken(pause));
        container.wait("CrashLoopBackOff", &message, pause);
        let message = format!("Back-off restarting failed container {name} in pod {pod}");
        self.tell("Warning", "BackOff", &message);
    }

    async fn probed(&mut self, index: usize, run: u32, verdict: Verdict) {
        let container = &mut self.containers[index];
        if container.runs != run || !container.is_running() {
            return;
        }
        match verdict {
            Verdict::Started => container.started = true,
            Verdict::Ready => container.ready = true,
            Verdict::NotReady => container.ready = false,
            Verdict::Dead(probe) => {
                let (id, name) = (container.id.clone(), container.name().to_owned());
                let message = format!("Container {name} failed {probe} probe, will be restarted");
                self.tell("Normal", "Killing", &message);
                let grace = arguments::grace(&self.pod).to_string();
                if let Err(error) = self.node.docker.engine.output(&["stop", "--time", &grace, &id]).await {
                    tracing::warn!(error = format!("{error:#}"), "container not stopped");
                }
                self.exited(index).await;
            }
        }
    }

    pub(super) fn write_status(&self) {
        let written = self.node.objects.update(&PODS, &self.key, &Writer::status("kubelet"), |before| {
            let mut after = before.clone();
            if text(before, "/metadata/uid") == self.uid {
                let ending = !text(before, "/metadata/deletionTimestamp").is_empty();
                after["status"] = status::of(before, &self.containers, &self.address, ending);
            }
            Ok(after)
        });
        if let Err(failure) = written {
            tracing::debug!(%failure, "pod status not written");
        }
    }

    pub(super) fn tell(&self, kind: &str, reason: &str, message: &str) {
        self.node.tell(&self.key, kind, reason, message);
    }
}

/// The engine's times without their fractions, as Kubernetes writes them.
pub(super) fn seconds(time: &str) -> String {
    let parsed = time.parse::<jiff::Timestamp>().ok().filter(|time| time.as_second() > 0);
    parsed.map_or_else(now, |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// As Go prints durations: `10s`, `1m20s`.
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, 0) => format!("{}ms", duration.as_millis()),
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
