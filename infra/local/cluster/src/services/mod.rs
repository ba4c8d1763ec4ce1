//! Services: a small forwarder container each, reachable under the service's names and address.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub mod backends;
pub mod endpoints;

use crate::kubelet::docker::Docker;
use crate::objects::json::{list, text};
use crate::objects::lifecycle::Objects;
use crate::objects::resources::SERVICES;
use crate::objects::store::Key;

const SCRIPT: &str = include_str!("forwarder.py");
/// After a failed start the next try waits this long.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps one forwarder per service.
pub struct Forwarders {
    /// The cluster.
    pub objects: Arc<Objects>,
    /// Its engine.
    pub docker: Arc<Docker>,
    /// Image with Python.
    pub image: String,
    /// Where the files with the ready pods lie.
    pub folder: PathBuf,
}

/// A forwarder that runs.
struct Running {
    uid: String,
    ports: Vec<u16>,
    /// `None` after a start that failed.
    container: Option<String>,
    tried: Instant,
    backends: String,
}

impl Forwarders {
    /// Follows the services until the end of the cluster.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut news = self.objects.store.subscribe();
        let mut running: BTreeMap<Key, Running> = BTreeMap::new();
        while !shutdown.is_cancelled() {
            news.mark_unchanged();
            if let Err(error) = self.sync(&mut running).await {
                tracing::warn!(error = format!("{error:#}"), "services not synced");
            }
            let change = async {
                let _changed = timeout(PAUSE, news.changed()).await;
                sleep(Duration::from_millis(2)).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = change => {}
            }
        }
    }

    async fn sync(&self, running: &mut BTreeMap<Key, Running>) -> anyhow::Result<()> {
        let (_, services) = self.objects.store.list(&SERVICES, None);
        let services: BTreeMap<Key, Arc<Value>> =
            services.into_iter().map(|service| (Key::of(&SERVICES, &service), service)).collect();
        let mut starts = Vec::new();
        for (key, service) in &services {
            if !needs_forwarder(service) {
                continue;
            }
            let ports = backends::of(&self.objects, service);
            let numbers: Vec<u16> = ports.iter().map(|port| port.number).collect();
            let ready: BTreeMap<String, _> =
                ports.iter().map(|port| (port.number.to_string(), &port.ready)).collect();
            let content = json!(ready).to_string();
            let uid = text(service, "/metadata/uid");
            let fits = |entry: &Running| entry.uid == uid && entry.ports == numbers;
            match running.get_mut(key).filter(|entry| fits(entry)) {
                Some(entry) if entry.container.is_some() || entry.tried.elapsed() < PAUSE => {
                    if entry.backends != content {
                        self.write(uid, &content)?;
                        entry.backends = content;
                    }
                }
                _ => starts.push((key.clone(), Arc::clone(service), numbers, content)),
            }
        }
        let gone: Vec<Key> = running.keys().filter(|key| !services.contains_key(key)).cloned().collect();
        let replaced = starts.iter().map(|(key, ..)| key.clone());
        for key in gone.into_iter().chain(replaced) {
            if let Some(entry) = running.remove(&key) {
                self.stop(&entry).await;
            }
        }
        let started = starts.into_iter().map(|(key, service, ports, content)| async move {
            let uid = text(&service, "/metadata/uid").to_owned();
            let container = self.start(&service, &ports, &content).await;
            if let Err(error) = &container {
                tracing::warn!(error = format!("{error:#}"), service = key.name, "no forwarder");
            }
            let entry =
                Running { uid, ports, container: container.ok(), tried: Instant::now(), backends: content };
            (key, entry)
        });
        running.extend(futures::future::join_all(started).await);
        Ok(())
    }

    async fn start(&self, service: &Value, ports: &[u16], backends: &str) -> anyhow::Result<String> {
        let uid = text(service, "/metadata/uid");
        self.write(uid, backends)?;
        let (name, namespace) = (text(service, "/metadata/name"), text(service, "/metadata/namespace"));
        let mut arguments: Vec<String> = vec!["run".into(), "--detach".into()];
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--network", self.docker.network.clone());
        for label in self.docker.labels() {
            add("--label", label);
        }
        add("--label", format!("slipway.namespace={namespace}"));
        add("--label", format!("slipway.service={name}"));
        add("--name", format!("slipway-{}-service-{namespace}-{name}-{}", self.docker.cloud, &uid[..8]));
        for suffix in ["", ".svc", ".svc.cluster.local"] {
            add("--network-alias", format!("{name}.{namespace}{suffix}"));
        }
        if let Some(address) = service["spec"]["clusterIP"].as_str().filter(|address| *address != "None") {
            add("--ip", address.to_owned());
        }
        let folder = self.folder.join(uid);
        add("--mount", format!("type=bind,source={},target=/service,readonly", folder.display()));
        add("--entrypoint", "python3".to_owned());
        arguments.extend([self.image.clone(), "-c".into(), SCRIPT.into(), "/service/backends.json".into()]);
        arguments.extend(ports.iter().map(ToString::to_string));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = self.docker.engine.output(&arguments).await.context("starting the forwarder")?;
        Ok(output.trim().to_owned())
    }

    /// Renames a finished file into place, so that the forwarder never reads half of it.
    fn write(&self, uid: &str, content: &str) -> anyhow::Result<()> {
        let folder = self.folder.join(uid);
        std::fs::create_dir_all(&folder)?;
        let draft = folder.join("backends.draft");
        std::fs::write(&draft, content)?;
        std::fs::rename(&draft, folder.join("backends.json")).context("writing the ready pods of a service")
    }

    async fn stop(&self, entry: &Running) {
        if let Some(container) = &entry.container
            && let Err(error) = self.docker.engine.output(&["rm", "--force", container]).await
        {
            tracing::warn!(error = format!("{error:#}"), "forwarder not removed");
        }
        let _gone = std::fs::remove_dir_all(self.folder.join(&entry.uid));
    }
}

fn needs_forwarder(service: &Value) -> bool {
    text(service, "/spec/type") != "ExternalName" && !list(service, "/spec/ports").is_empty()
}
