//! The kubelet: a worker per pod, woken by changes of its object, ends of its containers and its probes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod arguments;
pub(crate) mod container;
pub mod docker;
mod ending;
mod expansion;
mod images;
mod probes;
mod sources;
mod starting;
pub(crate) mod status;
mod worker;

use crate::controllers::events;
use crate::objects::json::text;
use crate::objects::lifecycle::Objects;
use crate::objects::resources::PODS;
use crate::objects::store::Key;
use docker::{Docker, Exit};
use worker::{Message, Worker};

/// What every worker needs.
pub struct Node {
    /// The cluster.
    pub objects: Arc<Objects>,
    /// Its engine.
    pub docker: Arc<Docker>,
    /// Prefixes of image names that are pulled from somewhere else.
    pub image_rewrites: Vec<(String, String)>,
    /// Image with Python, for the container that holds the network of pods with several containers.
    pub helper_image: String,
    /// Where files for volumes lie.
    pub folder: PathBuf,
    /// First pause before a crashed container is started again.
    pub back_off: Duration,
}

impl Node {
    /// Records an event about a pod.
    pub fn tell(&self, key: &Key, kind: &str, reason: &str, message: &str) {
        if let Some(pod) = self.objects.store.get(key) {
            events::record(&self.objects, &pod, "kubelet", kind, reason, message);
        }
    }
}

struct Handle {
    messages: UnboundedSender<Message>,
    ending: CancellationToken,
    task: JoinHandle<()>,
}

/// Runs the pods until the end of the cluster. Containers are left to the caller then.
pub async fn run(node: Arc<Node>, shutdown: CancellationToken) {
    let (sender, mut exits) = unbounded_channel();
    let docker = Arc::clone(&node.docker);
    let watcher = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { docker.watch_exits(sender, shutdown).await }
    });
    let mut workers: HashMap<String, Handle> = HashMap::new();
    let mut news = node.objects.store.subscribe();
    // Without the events no container's end would be seen: nothing starts before they flow.
    pass_on(&workers, exits.recv().await.flatten());
    while !shutdown.is_cancelled() {
        news.mark_unchanged();
        look(&node, &mut workers, &shutdown);
        wait(&workers, &mut exits, &mut news, &shutdown).await;
    }
    for handle in workers.into_values() {
        // A worker returns at the shutdown; one that panicked has said so itself.
        let _ended = handle.task.await;
    }
    let _ended = watcher.await;
}

/// Starts workers for new pods and tells those whose pod is to end.
fn look(node: &Arc<Node>, workers: &mut HashMap<String, Handle>, shutdown: &CancellationToken) {
    let (_, pods) = node.objects.store.list(&PODS, None);
    workers.retain(|uid, handle| {
        let exists = node.objects.store.exists(uid);
        if !exists {
            handle.ending.cancel();
        }
        exists || !handle.task.is_finished()
    });
    for pod in pods.into_iter().filter(|pod| !text(pod, "/spec/nodeName").is_empty()) {
        let uid = text(&pod, "/metadata/uid").to_owned();
        let handle = workers.entry(uid).or_insert_with(|| {
            let (messages, inbox) = unbounded_channel();
            let ending = CancellationToken::new();
            let worker =
                Worker::new(Arc::clone(node), &pod, messages.clone(), ending.clone(), shutdown.clone());
            Handle { messages, ending, task: tokio::spawn(worker.run(inbox)) }
        });
        if !text(&pod, "/metadata/deletionTimestamp").is_empty() {
            handle.ending.cancel();
        }
    }
}

async fn wait(
    workers: &HashMap<String, Handle>,
    exits: &mut UnboundedReceiver<Option<Exit>>,
    news: &mut tokio::sync::watch::Receiver<u64>,
    shutdown: &CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            exit = exits.recv() => match exit {
                Some(exit) => pass_on(workers, exit),
                None => return,
            },
            changed = news.changed() => {
                debug_assert!(changed.is_ok(), "the store outlives its kubelet");
                return;
            }
        }
    }
}

fn pass_on(workers: &HashMap<String, Handle>, exit: Option<Exit>) {
    match exit {
        Some(exit) => {
            if let Some(handle) = workers.get(&exit.pod) {
                // A worker that has ended no longer cares.
                let _sent = handle.messages.send(Message::Exited(exit.container));
            }
        }
        None => workers.values().for_each(|handle| drop(handle.messages.send(Message::Look))),
    }
}
