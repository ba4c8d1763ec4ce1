//! Daemon sets: a pod on every node that they mean; there is one node.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::making::Maker;
use crate::controllers::pods;
use crate::controllers::revisions::Revisions;
use crate::controllers::scaling::share;
use crate::node;
use crate::objects::json::{integer, object, object_at, text};
use crate::objects::lifecycle::{Objects, TEMPLATES, Writer};
use crate::objects::resources::DAEMON_SETS;
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";
const COMPONENT: &str = "daemonset-controller";
const HASH: &str = "controller-revision-hash";

/// Whether nothing is to be done for a daemon set until something changes.
pub fn is_settled(set: &Value) -> bool {
    let status = |field: &str| integer(&set["status"], field).unwrap_or(0);
    let wanted = status("/desiredNumberScheduled");
    status("/observedGeneration") >= integer(set, "/metadata/generation").unwrap_or(0)
        && status("/updatedNumberScheduled") == wanted
        && status("/numberAvailable") == wanted
}

/// Moves a daemon set on by what can be done now.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, set: &Value) -> Result<(), Failure> {
    if !text(set, "/metadata/deletionTimestamp").is_empty() {
        return Ok(());
    }
    let revisions = Revisions::of(objects, &DAEMON_SETS, set, HASH)?;
    let hash = revisions.newest()["metadata"]["labels"][HASH].as_str().unwrap_or_default().to_owned();
    let meant = usize::from(node::suits(&set["spec"]["template"]["spec"]));
    let mut work = Work { objects, set, hash, pods: pods::owned(objects, set) };
    work.move_on(meant)?;
    work.pods = pods::owned(objects, set);
    work.write_status(meant)?;
    let in_use = |revision: &Value| {
        let hash = revision["metadata"]["labels"][HASH].as_str().unwrap_or_default();
        work.pods.iter().any(|pod| hash_of(pod) == hash)
    };
    revisions.tidy(objects, set, in_use)
}

/// A daemon set with its pods.
struct Work<'a> {
    objects: &'a Objects,
    set: &'a Value,
    hash: String,
    pods: Vec<Arc<Value>>,
}

impl Work<'_> {
    fn maker(&self) -> Maker<'_> {
        Maker { objects: self.objects, resource: &DAEMON_SETS, owner: self.set, component: COMPONENT }
    }

    fn move_on(&self, meant: usize) -> Result<(), Failure> {
        for pod in self.pods.iter().filter(|pod| is_ended(pod) && !is_ending(pod)) {
            let node = text(pod, "/spec/nodeName");
            let words = format!(
                "Found failed daemon pod {} on node {node}, will try to kill it",
                text(pod, "/metadata/name")
            );
            self.maker().tell("Warning", "FailedDaemonPod", &words);
            self.maker().delete(pod)?;
        }
        let alive: Vec<_> = self.pods.iter().filter(|pod| !is_ended(pod)).collect();
        if meant == 0 {
            let mut left = alive.iter().filter(|pod| !is_ending(pod));
            return left.try_for_each(|pod| self.maker().delete(pod));
        }
        let (new, old): (Vec<_>, Vec<_>) = alive.into_iter().partition(|pod| hash_of(pod) == self.hash);
        let new: Vec<_> = new.into_iter().filter(|pod| !is_ending(pod)).collect();
        let still: Vec<_> = old.iter().filter(|pod| !is_ending(pod)).collect();
        let surge = self.may_surge();
        if new.is_empty() && (old.is_empty() || (surge && !still.is_empty() && self.rolls())) {
            // A pod that ends has its place until it is gone, unless there may be two.
            return if self.pods.iter().any(|pod| is_ending(pod)) && !surge { Ok(()) } else { self.create() };
        }
        let serves = new.iter().any(|pod| self.is_available(pod));
        for pod in still.iter().filter(|_| self.rolls()) {
            if !surge || serves || !self.is_available(pod) && !new.is_empty() {
                self.maker().delete(pod)?;
            }
        }
        // Two of the same: the younger one goes.
        new.iter().skip(1).try_for_each(|pod| self.maker().delete(pod))
    }

    fn rolls(&self) -> bool {
        self.set["spec"]["updateStrategy"]["type"] != "OnDelete"
    }

    fn may_surge(&self) -> bool {
        share(&self.set["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"], 1, true) > 0
    }

    fn is_available(&self, pod: &Value) -> bool {
        !is_ending(pod) && pods::is_available(pod, integer(self.set, "/spec/minReadySeconds").unwrap_or(0))
    }

    fn create(&self) -> Result<(), Failure> {
        let mut pod = self.maker().pod();
        pod["metadata"]["generateName"] = format!("{}-", text(self.set, "/metadata/name")).into();
        let labels = object_at(&mut pod["metadata"], "labels");
        labels.insert(HASH.to_owned(), self.hash.as_str().into());
        labels.insert(
            "pod-template-generation".to_owned(),
            self.set["metadata"]["annotations"][TEMPLATES].clone(),
        );
        self.maker().create(pod).map(drop)
    }

    fn write_status(&self, meant: usize) -> Result<(), Failure> {
        let alive: Vec<_> = self.pods.iter().filter(|pod| !is_ended(pod)).collect();
        let any = |holds: &dyn Fn(&Value) -> bool| -> usize {
            usize::from(meant > 0 && alive.iter().any(|pod| holds(pod)))
        };
        // The oldest pod of a node is the one that counts, as long as it is there; with a surge the newest that serves.
        let available = any(&|pod| self.is_available(pod));
        let mut status = json!({
            "observedGeneration": self.set["metadata"]["generation"], "desiredNumberScheduled": meant,
            "currentNumberScheduled": any(&|_| true), "numberMisscheduled": 0,
            "numberReady": any(&|pod| !is_ending(pod) && pods::is_ready(pod)), "numberAvailable": available,
            "numberUnavailable": meant - available, "updatedNumberScheduled": any(&|pod| hash_of(pod) == self.hash),
        });
        let kept = ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"];
        object(&mut status).retain(|name, value| kept.contains(&name.as_str()) || *value != 0);
        if self.set["status"] == status {
            return Ok(());
        }
        let key = Key::of(&DAEMON_SETS, self.set);
        let written = self.objects.update(&DAEMON_SETS, &key, &Writer::status(MANAGER), |before| {
            let mut after = before.clone();
            after["status"] = status;
            Ok(after)
        });
        written.map(drop)
    }
}

fn hash_of(pod: &Value) -> &str {
    pod["metadata"]["labels"][HASH].as_str().unwrap_or_default()
}

fn is_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn is_ending(pod: &Value) -> bool {
    !text(pod, "/metadata/deletionTimestamp").is_empty()
}
