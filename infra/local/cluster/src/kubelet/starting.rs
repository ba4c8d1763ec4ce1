//! Starting a container: its image, the pod's network, its configuration, the engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::kubelet::arguments::{self, Start};
use crate::kubelet::container::{Ended, State};
use crate::kubelet::images::{self, Missing};
use crate::kubelet::probes::Probed;
use crate::kubelet::worker::{Worker, seconds};
use crate::objects::json::{list, now, text};

/// How soon a lacking config map or secret is looked for again.
const CONFIG_PAUSE: Duration = Duration::from_secs(1);
/// How long `ErrImagePull` is shown before `ImagePullBackOff`.
const PULL_ERROR_SHOWN: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) async fn start(&mut self, index: usize) {
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
        self.containers[index].count_run();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match self.node.docker.engine.output(&arguments).await {
            Ok(id) => self.begin(index, id.trim().to_owned()).await,
            Err(error) => {
                let message = said_by_daemon(&error);
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
}

/// What the engine said, without its client's warnings around it.
fn said_by_daemon(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let (_, said) = text.split_once("Error response from daemon: ").unwrap_or(("", &text));
    said.split("\nSee 'docker run").next().unwrap_or(said).trim().to_owned()
}
