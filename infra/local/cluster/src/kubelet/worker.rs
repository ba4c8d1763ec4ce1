//! The worker of one pod: starts its containers, starts them again when they end, and ends them with the pod.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::kubelet::arguments::{self, Start};
use crate::kubelet::container::{Container, Ended, State};
use crate::kubelet::images::{self, Missing};
use crate::kubelet::probes::{Probed, Verdict};
use crate::kubelet::{Node, status};
use crate::objects::json::{list, now, text};
use crate::objects::lifecycle::Writer;
use crate::objects::resources::PODS;
use crate::objects::store::{Decision, Key};

/// How soon a lacking ConfigMap or Secret is looked for again.
const CONFIG_PAUSE: Duration = Duration::from_secs(1);
/// How long `ErrImagePull` is shown before `ImagePullBackOff`.
const PULL_ERROR_SHOWN: Duration = Duration::from_secs(1);

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
    node: Arc<Node>,
    pod: Arc<Value>,
    key: Key,
    uid: String,
    containers: Vec<Container>,
    sandbox: Option<String>,
    address: String,
    sender: UnboundedSender<Message>,
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
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
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

    async fn start(&mut self, index: usize) {
        let name = self.containers[index].name().to_owned();
        let image = text(&self.containers[index].spec, "/image").to_owned();
        if self.containers[index].pull_at.is_some_and(|at| at > Instant::now()) {
            let message = format!("Back-off pulling image \"{image}\"");
            self.tell("Normal", "BackOff", &message);
            let container = &mut self.containers[index];
            container.state = State::Waiting("ImagePullBackOff".to_owned(), message);
            container.due = container.pull_at;
            return;
        }
        let Some(local_name) = self.pull(index, &image).await else { return };
        if let Err(message) = self.make_sandbox().await {
            self.tell("Warning", "FailedCreatePodSandBox", &message);
            self.containers[index].wait("ContainerCreating", &message, CONFIG_PAUSE);
            return;
        }
        let container = &self.containers[index];
        let start = Start {
            node: &self.node,
            pod: &self.pod,
            container: &container.spec,
            image: &local_name,
            sandbox: self.sandbox.as_deref(),
            address: &self.address,
            restarts: container.runs,
        };
        let arguments = match start.arguments() {
            Ok(arguments) => arguments,
            Err(message) => {
                self.tell("Warning", "Failed", &format!("Error: {message}"));
                self.containers[index].wait("CreateContainerConfigError", &message, CONFIG_PAUSE);
                return;
            }
        };
        self.containers[index].runs += 1;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match self.node.docker.engine.output(&arguments).await {
            Ok(id) => self.begin(index, id.trim().to_owned()).await,
            Err(error) => {
                let message = format!("{error:#}");
                self.tell("Warning", "Failed", &format!("Error: {message}"));
                let (time, id) = (now(), String::new());
                let ended = Ended {
                    code: 128,
                    reason: "StartError".into(),
                    message,
                    started: time.clone(),
                    finished: time,
                    id,
                };
                self.note_end(index, ended);
            }
        }
        tracing::debug!(pod = self.key.name, name, "container started");
    }

    async fn pull(&mut self, index: usize, image: &str) -> Option<String> {
        let policy = text(&self.containers[index].spec, "/imagePullPolicy").to_owned();
        match images::ensure(&self.node, image, &policy).await {
            Ok(found) => {
                let message = if found.pulled {
                    format!("Successfully pulled image \"{image}\"")
                } else {
                    format!("Container image \"{image}\" already present on machine")
                };
                self.tell("Normal", "Pulled", &message);
                self.containers[index].image_id = found.id;
                Some(found.local_name)
            }
            Err(Missing::NeverPulled) => {
                let message = format!("Container image \"{image}\" is not present with pull policy of Never");
                self.tell("Warning", "ErrImageNeverPull", &message);
                self.containers[index].wait("ErrImageNeverPull", &message, CONFIG_PAUSE);
                None
            }
            Err(Missing::NotPulled(error)) => {
                self.tell("Warning", "Failed", &format!("Failed to pull image \"{image}\": {error}"));
                self.tell("Warning", "Failed", "Error: ErrImagePull");
                let first = self.node.back_off;
                let container = &mut self.containers[index];
                container.wait("ErrImagePull", &error, PULL_ERROR_SHOWN);
                let pause = container.next_pull_pause(first);
                container.pull_at = Some(Instant::now() + pause);
                None
            }
        }
    }

    /// Several containers share one network, which must outlive each of them; so must an address that is told to one.
    async fn make_sandbox(&mut self) -> Result<(), String> {
        let told = list(&self.pod, "/spec/containers").iter().flat_map(|container| list(container, "/env"));
        let told = told
            .filter(|variable| text(variable, "/valueFrom/fieldRef/fieldPath").starts_with("status.podIP"));
        if self.sandbox.is_some() || (self.containers.len() == 1 && told.count() == 0) {
            return Ok(());
        }
        let arguments = arguments::sandbox(&self.node, &self.pod);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let docker = &self.node.docker;
        let id = docker.engine.output(&arguments).await.map_err(|error| format!("{error:#}"))?;
        let inspected = docker.inspect(id.trim()).await.map_err(|error| format!("{error:#}"))?;
        self.address = docker.address(&inspected);
        self.sandbox = Some(id.trim().to_owned());
        Ok(())
    }

    async fn begin(&mut self, index: usize, id: String) {
        let inspected = self.node.docker.inspect(&id).await.unwrap_or_default();
        let address = self.node.docker.address(&inspected);
        if self.sandbox.is_none() && !address.is_empty() {
            self.address = address;
        }
        let container = &mut self.containers[index];
        if container.runs > 1 {
            container.restarts += 1;
        }
        if let State::Ended(ended) = &container.state {
            container.last = Some(ended.clone());
        }
        container.begin(id.clone(), seconds(text(&inspected, "/State/StartedAt")));
        let name = container.name().to_owned();
        self.tell("Normal", "Created", &format!("Created container: {name}"));
        self.tell("Normal", "Started", &format!("Started container {name}"));
        let container = &mut self.containers[index];
        if !container.is_init {
            let probed = Probed {
                index,
                run: container.runs,
                id,
                address: self.address.clone(),
                spec: container.spec.clone(),
                pod: self.key.clone(),
                verdicts: self.sender.clone(),
            };
            container.probes = Some(tokio::spawn(probed.run(Arc::clone(&self.node))));
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

    fn note_end(&mut self, index: usize, ended: Ended) {
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

    /// Ends the containers as gently as the pod allows, then removes all traces and the pod itself.
    async fn end(&mut self) {
        let current =
            self.node.objects.store.get(&self.key).filter(|pod| text(pod, "/metadata/uid") == self.uid);
        let grace = current.as_deref().map_or(0, arguments::grace);
        for container in &mut self.containers {
            container.stop_probes();
            container.ready = false;
        }
        self.write_status();
        let running: Vec<usize> =
            (0..self.containers.len()).filter(|index| self.containers[*index].is_running()).collect();
        for index in &running {
            self.tell("Normal", "Killing", &format!("Stopping container {}", self.containers[*index].name()));
        }
        let deadline = Instant::now() + Duration::from_secs(grace.unsigned_abs());
        self.before_stop(&running, deadline).await;
        let left = deadline.saturating_duration_since(Instant::now()).as_secs().to_string();
        let mut arguments = vec!["stop", "--time", &left];
        arguments.extend(running.iter().map(|index| self.containers[*index].id.as_str()));
        if !running.is_empty()
            && grace > 0
            && let Err(error) = self.node.docker.engine.output(&arguments).await
        {
            tracing::debug!(error = format!("{error:#}"), "containers not stopped");
        }
        self.remove().await;
    }

    async fn before_stop(&self, running: &[usize], deadline: Instant) {
        let hooks = running.iter().map(|index| {
            let container = &self.containers[*index];
            let hook = &container.spec["lifecycle"]["preStop"];
            let words = list(hook, "/exec/command").iter().filter_map(Value::as_str);
            let arguments: Vec<&str> = ["exec", container.id.as_str()].into_iter().chain(words).collect();
            async move {
                if let Some(seconds) = hook["sleep"]["seconds"].as_u64() {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                } else if arguments.len() > 2
                    && let Err(error) = self.node.docker.engine.output(&arguments).await
                {
                    self.tell("Warning", "FailedPreStopHook", &format!("PreStopHook failed: {error:#}"));
                }
            }
        });
        let hooks = futures::future::join_all(hooks);
        // What is not done by the end of the grace period is cut off with the container.
        let _done = timeout(deadline.saturating_duration_since(Instant::now()), hooks).await;
    }

    async fn remove(&self) {
        let docker = &self.node.docker;
        // By label, since a start may have been cut off before its id was known.
        let removed = async {
            docker.remove(&docker.containers(Some(&self.uid)).await?).await?;
            let volumes = arguments::volumes(&self.node, &self.pod);
            if !volumes.is_empty() {
                let names = volumes.iter().map(String::as_str);
                let arguments: Vec<&str> = ["volume", "rm", "--force"].into_iter().chain(names).collect();
                docker.engine.output(&arguments).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(error = format!("{error:#}"), pod = self.key.name, "containers not removed");
        }
        let _absent = std::fs::remove_dir_all(self.node.folder.join(&self.uid));
        let gone = self.node.objects.store.write(&self.key, |before| {
            let same = before.is_some_and(|before| text(before, "/metadata/uid") == self.uid);
            match before {
                Some(_) if same => Ok(Decision::Remove),
                Some(_) => Ok(Decision::Keep),
                None => Err(crate::api::failure::Failure::not_found(&PODS, &self.key.name)),
            }
        });
        // Removed by force while it ended: nothing is left to do.
        drop(gone);
    }

    fn write_status(&self) {
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

    fn tell(&self, kind: &str, reason: &str, message: &str) {
        self.node.tell(&self.key, kind, reason, message);
    }
}

/// The engine's times without their fractions, as Kubernetes writes them.
fn seconds(time: &str) -> String {
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
