//! Stateful sets: pods with numbers, started, updated and ended one after the other.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::making::Maker;
use crate::controllers::pods;
use crate::controllers::revisions::{Revisions, template};
use crate::objects::json::{integer, object, object_at, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::STATEFUL_SETS;
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";
const COMPONENT: &str = "statefulset-controller";
const HASH: &str = "controller.kubernetes.io/hash";
const REVISION: &str = "controller-revision-hash";

/// Whether nothing is to be done for a stateful set until something changes.
pub fn is_settled(set: &Value) -> bool {
    let status = |field: &str| integer(&set["status"], field).unwrap_or(0);
    let wanted = wanted(set);
    status("/observedGeneration") >= integer(set, "/metadata/generation").unwrap_or(0)
        && status("/replicas") == wanted
        && status("/availableReplicas") == wanted
        && set["status"]["currentRevision"] == set["status"]["updateRevision"]
}

/// Moves a stateful set on by what can be done now.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, set: &Value) -> Result<(), Failure> {
    if !text(set, "/metadata/deletionTimestamp").is_empty() {
        return Ok(());
    }
    let revisions = Revisions::of(objects, &STATEFUL_SETS, set, HASH)?;
    let update = text(revisions.newest(), "/metadata/name").to_owned();
    let current = text(set, "/status/currentRevision");
    let current =
        revisions.named(current).map_or(&*update, |revision| text(revision, "/metadata/name")).to_owned();
    let mut work = Work { objects, set, revisions: &revisions, update, current, pods: Vec::new() };
    work.read();
    work.move_on()?;
    work.read();
    work.write_status()?;
    let in_use = |revision: &Value| {
        let name = text(revision, "/metadata/name");
        name == work.current || work.pods.iter().any(|(_, pod)| revision_of(pod) == name)
    };
    revisions.tidy(objects, set, in_use)
}

/// A stateful set with its pods.
struct Work<'a> {
    objects: &'a Objects,
    set: &'a Value,
    revisions: &'a Revisions,
    /// Names of the revisions to which and from which it goes.
    update: String,
    current: String,
    /// By number.
    pods: Vec<(i64, Arc<Value>)>,
}

impl Work<'_> {
    fn read(&mut self) {
        let own = pods::owned(self.objects, self.set).into_iter();
        self.pods =
            own.filter_map(|pod| Some((ordinal(self.set, text(&pod, "/metadata/name"))?, pod))).collect();
        self.pods.sort_by_key(|(number, _)| *number);
    }

    fn maker(&self) -> Maker<'_> {
        Maker { objects: self.objects, resource: &STATEFUL_SETS, owner: self.set, component: COMPONENT }
    }

    fn pod(&self, number: i64) -> Option<&Value> {
        self.pods.iter().find(|(known, _)| *known == number).map(|(_, pod)| &**pod)
    }

    /// One look: makes what is lacking, ends what is too much, then replaces one pod of an old revision.
    fn move_on(&self) -> Result<(), Failure> {
        let ordered = text(self.set, "/spec/podManagementPolicy") != "Parallel";
        let first = integer(self.set, "/spec/ordinals/start").unwrap_or(0);
        let numbers = first..first + wanted(self.set);
        for number in numbers.clone() {
            match self.pod(number) {
                None => {
                    self.create(number)?;
                    if ordered {
                        return Ok(());
                    }
                }
                Some(pod) if is_ended(pod) && !is_ending(pod) => {
                    self.maker().delete(pod)?;
                    if ordered {
                        return Ok(());
                    }
                }
                Some(pod) if ordered && !self.serves(pod) => return Ok(()),
                Some(_) => {}
            }
        }
        for (_, pod) in self.pods.iter().rev().filter(|(number, _)| !numbers.contains(number)) {
            if !is_ending(pod) {
                self.maker().delete(pod)?;
            }
            if ordered {
                return Ok(());
            }
        }
        self.replace_one(numbers.start, numbers.end)
    }

    /// From the highest number down to the partition, each only when those above it serve.
    fn replace_one(&self, first: i64, end: i64) -> Result<(), Failure> {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return Ok(());
        }
        let partition = integer(strategy, "/rollingUpdate/partition").unwrap_or(0);
        for number in (first.max(partition)..end).rev() {
            let Some(pod) = self.pod(number) else { return Ok(()) };
            if revision_of(pod) != self.update && !is_ending(pod) {
                return self.maker().delete(pod);
            }
            if !self.serves(pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn serves(&self, pod: &Value) -> bool {
        let seconds = integer(self.set, "/spec/minReadySeconds").unwrap_or(0);
        !is_ending(pod) && text(pod, "/status/phase") == "Running" && pods::is_available(pod, seconds)
    }

    /// Below the partition a pod comes back as it was.
    fn create(&self, number: i64) -> Result<(), Failure> {
        let strategy = &self.set["spec"]["updateStrategy"];
        let partition = integer(strategy, "/rollingUpdate/partition").unwrap_or(0);
        let old = strategy["type"] == "RollingUpdate" && number < partition;
        let (name, template) = match self.revisions.named(&self.current) {
            Some(revision) if old => (&self.current, template(revision)),
            _ => (&self.update, self.set["spec"]["template"].clone()),
        };
        let set = text(self.set, "/metadata/name");
        let mut pod = self.maker().pod_of(&template);
        let own = format!("{set}-{number}");
        pod["metadata"]["name"] = own.as_str().into();
        let labels = object_at(&mut pod["metadata"], "labels");
        labels.insert(REVISION.to_owned(), name.as_str().into());
        labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), own.as_str().into());
        labels.insert("apps.kubernetes.io/pod-index".to_owned(), number.to_string().into());
        pod["spec"]["hostname"] = own.into();
        let service = text(self.set, "/spec/serviceName");
        if !service.is_empty() {
            pod["spec"]["subdomain"] = service.into();
        }
        self.maker().create(pod).map(drop)
    }

    fn write_status(&self) -> Result<(), Failure> {
        let present = || self.pods.iter().map(|(_, pod)| &**pod).filter(|pod| !is_ended(pod));
        let count = |holds: &dyn Fn(&Value) -> bool| present().filter(|pod| holds(pod)).count();
        let of = |name: &str| count(&|pod: &Value| revision_of(pod) == name && !is_ending(pod));
        let seconds = integer(self.set, "/spec/minReadySeconds").unwrap_or(0);
        let (all, ready, updated) = (count(&|_| true), count(&pods::is_ready), of(&self.update));
        let mut status = json!({
            "observedGeneration": self.set["metadata"]["generation"], "replicas": all, "readyReplicas": ready,
            "availableReplicas": count(&|pod| pods::is_available(pod, seconds)), "currentReplicas": of(&self.current),
            "updatedReplicas": updated, "currentRevision": self.current, "updateRevision": self.update,
            "collisionCount": 0,
        });
        let rolls = self.set["spec"]["updateStrategy"]["type"] == "RollingUpdate";
        if rolls && updated == all && ready == all {
            status["currentRevision"] = self.update.as_str().into();
            status["currentReplicas"] = updated.into();
        }
        let kept = ["replicas", "availableReplicas", "collisionCount"];
        object(&mut status).retain(|name, value| kept.contains(&name.as_str()) || *value != 0);
        if self.set["status"] == status {
            return Ok(());
        }
        let key = Key::of(&STATEFUL_SETS, self.set);
        let written = self.objects.update(&STATEFUL_SETS, &key, &Writer::status(MANAGER), |before| {
            let mut after = before.clone();
            after["status"] = status;
            Ok(after)
        });
        written.map(drop)
    }
}

/// The number in the name of one of its pods.
pub fn ordinal(set: &Value, pod: &str) -> Option<i64> {
    pod.strip_prefix(text(set, "/metadata/name"))?.strip_prefix('-')?.parse().ok()
}

fn wanted(set: &Value) -> i64 {
    integer(set, "/spec/replicas").unwrap_or(1)
}

fn revision_of(pod: &Value) -> &str {
    pod["metadata"]["labels"][REVISION].as_str().unwrap_or_default()
}

fn is_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn is_ending(pod: &Value) -> bool {
    !text(pod, "/metadata/deletionTimestamp").is_empty()
}
