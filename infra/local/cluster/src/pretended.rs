//! Pods without containers: a rule decides whether a pod gets ready, crashes or never gets ready, and its status,
//! its events and its log tell so, as a kubelet's would.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::controllers::events;
use crate::kubelet::container::{Container, Ended};
use crate::kubelet::status;
use crate::objects::json::{list, now, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::PODS;
use crate::objects::store::Key;

/// How often a crashing pod is shown to be started again before it waits for good.
const CRASHES: u32 = 2;
/// The same for a pod that runs once: more than a Job's `backoffLimit` of 6 bears.
const CRASHES_OF_A_JOB: u32 = 8;

/// What a pretended pod comes to.
#[derive(Debug, Clone)]
pub enum PodFate {
    /// It is ready after this time; a pod that runs once, of a Job, has succeeded then.
    Ready(Duration),
    /// Its containers end at once, again and again; just once where its `restartPolicy` is `Never`.
    Crashes {
        /// With this exit code.
        code: i64,
        /// After printing these lines.
        lines: Vec<String>,
    },
    /// It runs, and its readiness probe never succeeds.
    NeverReady,
    /// Its image cannot be pulled.
    NoImage,
}

/// The rule that decides over pods by their objects.
#[derive(Clone)]
pub struct Pretence(Arc<dyn Fn(&Value) -> PodFate + Send + Sync>);

impl Pretence {
    /// Pods that come to what `rule` says of their objects.
    pub fn new(rule: impl Fn(&Value) -> PodFate + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// Pods that are ready at once.
    pub fn ready() -> Self {
        Self::new(|_| PodFate::Ready(Duration::ZERO))
    }

    /// What a container of the pod has printed.
    pub(crate) fn log(&self, pod: &Value) -> String {
        match (self.0)(pod) {
            PodFate::Crashes { lines, .. } => lines.join("\n") + "\n",
            PodFate::Ready(_) | PodFate::NeverReady | PodFate::NoImage => "started\n".to_owned(),
        }
    }
}

impl fmt::Debug for Pretence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pretence")
    }
}

/// Pretends to run the pods until the end of the cluster.
pub(crate) async fn run(objects: Arc<Objects>, pretence: Pretence, shutdown: CancellationToken) {
    let mut news = objects.store.subscribe();
    let mut pods: HashMap<String, JoinHandle<()>> = HashMap::new();
    let mut number: u32 = 0;
    while !shutdown.is_cancelled() {
        news.mark_unchanged();
        let (_, present) = objects.store.list(&PODS, None);
        pods.retain(|uid, task| {
            let exists = objects.store.exists(uid);
            if !exists {
                task.abort();
            }
            exists
        });
        for pod in present.into_iter().filter(|pod| !text(pod, "/spec/nodeName").is_empty()) {
            let uid = text(&pod, "/metadata/uid").to_owned();
            if !text(&pod, "/metadata/deletionTimestamp").is_empty() {
                if let Some(task) = pods.remove(&uid) {
                    task.abort();
                }
                objects.remove_pod(&Key::of(&PODS, &pod), &uid);
            } else if let Entry::Vacant(place) = pods.entry(uid) {
                number = number.wrapping_add(1);
                let [_, high, middle, low] = number.to_be_bytes();
                let life = Life {
                    objects: Arc::clone(&objects),
                    fate: (pretence.0)(&pod),
                    key: Key::of(&PODS, &pod),
                    address: format!("10.{}.{middle}.{low}", 64 + (high & 63)),
                    containers: list(&pod, "/spec/containers")
                        .iter()
                        .map(|spec| Container::new(spec, false))
                        .collect(),
                    pod,
                };
                place.insert(tokio::spawn(life.live()));
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = news.changed() => debug_assert!(changed.is_ok(), "the store outlives its pods"),
        }
    }
    for task in pods.into_values() {
        task.abort();
    }
}

/// The life of one pod.
struct Life {
    objects: Arc<Objects>,
    fate: PodFate,
    pod: Arc<Value>,
    key: Key,
    address: String,
    containers: Vec<Container>,
}

impl Life {
    async fn live(mut self) {
        match self.fate.clone() {
            PodFate::Ready(after) => {
                self.begin();
                if !after.is_zero() {
                    self.write();
                    sleep(after).await;
                }
                if self.runs_once() {
                    self.end(0, "Completed");
                } else {
                    for container in &mut self.containers {
                        (container.started, container.ready) = (true, true);
                    }
                }
                self.write();
            }
            PodFate::NeverReady => {
                self.begin();
                self.write();
                self.tell("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
            }
            PodFate::NoImage => {
                for container in &mut self.containers {
                    let message = format!("Back-off pulling image \"{}\"", text(&container.spec, "/image"));
                    container.wait("ImagePullBackOff", &message, Duration::ZERO);
                }
                self.write();
                self.tell("Failed", "Error: ImagePullBackOff");
            }
            PodFate::Crashes { code, .. } if text(&self.pod, "/spec/restartPolicy") == "Never" => {
                self.begin();
                self.end(code, "Error");
                self.write();
            }
            PodFate::Crashes { code, .. } => {
                // A Job counts the starts of such a pod, up to the limit that it sets.
                for _ in 0..if self.runs_once() { CRASHES_OF_A_JOB } else { CRASHES } {
                    self.begin();
                    self.crash(code);
                }
                self.write();
                self.tell(
                    "BackOff",
                    &format!("Back-off restarting failed container in pod {}", self.key.name),
                );
            }
        }
    }

    fn begin(&mut self) {
        let uid = text(&self.pod, "/metadata/uid").to_owned();
        for container in &mut self.containers {
            container.count_run();
            container.image_id = text(&container.spec, "/image").to_owned();
            container.begin(format!("{uid}-{}", container.runs), now());
        }
    }

    /// Whether its containers are not started again after they have ended well.
    fn runs_once(&self) -> bool {
        text(&self.pod, "/spec/restartPolicy") != "Always"
    }

    fn end(&mut self, code: i64, reason: &str) {
        for container in &mut self.containers {
            let (time, id) = (now(), container.id.clone());
            let (reason, message) = (reason.to_owned(), String::new());
            container.end(Ended { code, reason, message, started: time.clone(), finished: time, id });
        }
    }

    fn crash(&mut self, code: i64) {
        let pod = self.key.name.clone();
        for container in &mut self.containers {
            let (time, id) = (now(), container.id.clone());
            let ended = Ended {
                code,
                reason: "Error".into(),
                message: String::new(),
                started: time.clone(),
                finished: time,
                id,
            };
            container.end(ended.clone());
            container.last = Some(ended);
            let message = format!("back-off 10s restarting failed container={} pod={pod}", container.name());
            container.wait("CrashLoopBackOff", &message, Duration::ZERO);
        }
    }

    fn write(&self) {
        let written = self.objects.update(&PODS, &self.key, &Writer::status("kubelet"), |before| {
            let mut after = before.clone();
            if text(before, "/metadata/uid") == text(&self.pod, "/metadata/uid") {
                after["status"] = status::of(before, &self.containers, &self.address, false);
            }
            Ok(after)
        });
        if let Err(failure) = written {
            tracing::debug!(%failure, "pod status not written");
        }
    }

    fn tell(&self, reason: &str, message: &str) {
        if let Some(pod) = self.objects.store.get(&self.key) {
            events::record(&self.objects, &pod, "kubelet", "Warning", reason, message);
        }
    }
}
