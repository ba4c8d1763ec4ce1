//! How far the newest generation of a workload is, by its own status. A status of an older generation says nothing.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::Resource;
use serde::de::DeserializeOwned;

use crate::evidence::{self, Finding};
use crate::refusal::tidy;

/// What a workload's own status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The newest generation serves and nothing older is left.
    Complete,
    /// It goes on; one line.
    Going(String),
    /// It has failed for good; one line each.
    Lost(Vec<String>),
}

/// A kind whose rollouts are followed.
pub(crate) trait Workload:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Whether `ReplicaSets` stand between it and its pods.
    const HAS_REPLICA_SETS: bool = false;

    /// Whether pods that fail are part of its way.
    const TRIES_AGAIN: bool = false;

    /// Which pods may be its own.
    fn selector(&self) -> Option<&LabelSelector>;

    /// How far it is.
    fn progress(&self) -> Progress;

    /// The owner of the newest generation's pods, among itself and its `ReplicaSets`.
    fn newest_owner<'a>(&'a self, replica_sets: &'a [&'a ReplicaSet]) -> Option<&'a ObjectMeta> {
        let _ = replica_sets;
        Some(self.meta())
    }

    /// Whether one of its pods is of the newest generation.
    fn is_newest(&self, pod: &Pod) -> bool {
        let _ = pod;
        true
    }

    /// Its own word that it has given up, if that speaks of these pods.
    fn exceeded_deadline(&self, pods: &[&Pod], newest: Option<&ReplicaSet>) -> Option<Finding> {
        let _ = (pods, newest);
        None
    }
}

impl Workload for Deployment {
    const HAS_REPLICA_SETS: bool = true;

    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref().map(|spec| &spec.selector)
    }

    fn progress(&self) -> Progress {
        let (Some(spec), Some(status)) = (&self.spec, &self.status) else { return unseen() };
        if is_stale(&self.metadata, status.observed_generation) {
            return unseen();
        }
        if spec.paused == Some(true) {
            return Progress::Lost(vec!["the Deployment is paused".to_owned()]);
        }
        let wanted = spec.replicas.unwrap_or(1);
        let count = |number: Option<i32>| number.unwrap_or(0);
        let (updated, all, available) =
            (count(status.updated_replicas), count(status.replicas), count(status.available_replicas));
        if updated == wanted && all == wanted && available == wanted {
            return Progress::Complete;
        }
        let old = all.saturating_sub(updated);
        Progress::Going(format!(
            "{updated} of {wanted} replicas updated, {available} available, {old} of an older version left"
        ))
    }

    /// The owned `ReplicaSet` with the Deployment's own template, as its controller decides. The revision annotations
    /// are no help: during a rollback the Deployment's still names the revision before.
    fn newest_owner<'a>(&'a self, replica_sets: &'a [&'a ReplicaSet]) -> Option<&'a ObjectMeta> {
        let template = &self.spec.as_ref()?.template;
        let own = replica_sets.iter().filter(|set| is_owned(&set.metadata, &self.metadata));
        let of = |set: &ReplicaSet| set.spec.as_ref()?.template.clone().map(without_hash);
        own.filter(|set| of(set).as_ref() == Some(template)).map(|set| &set.metadata).next()
    }

    fn exceeded_deadline(&self, pods: &[&Pod], newest: Option<&ReplicaSet>) -> Option<Finding> {
        evidence::of_deadline(self, pods, newest)
    }
}

impl Workload for StatefulSet {
    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref().map(|spec| &spec.selector)
    }

    fn progress(&self) -> Progress {
        let (Some(spec), Some(status)) = (&self.spec, &self.status) else { return unseen() };
        if is_stale(&self.metadata, status.observed_generation) {
            return unseen();
        }
        let strategy = spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            // Its pods change when somebody deletes them; there is nothing to wait for.
            return Progress::Complete;
        }
        let wanted = spec.replicas.unwrap_or(1);
        let partition =
            strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition).unwrap_or(0);
        let to_update = (wanted - partition).max(0);
        let same_revision =
            status.update_revision.is_some() && status.update_revision == status.current_revision;
        // Once current and update revision are one, the controller no longer counts updated pods.
        let updated = if same_revision { status.replicas } else { status.updated_replicas.unwrap_or(0) };
        let ready = status.ready_replicas.unwrap_or(0);
        if updated >= to_update && ready == wanted && status.replicas == wanted {
            return Progress::Complete;
        }
        Progress::Going(format!("{updated} of {to_update} replicas updated, {ready} of {wanted} ready"))
    }

    fn is_newest(&self, pod: &Pod) -> bool {
        let update = self.status.as_ref().and_then(|status| status.update_revision.as_deref());
        update.is_none() || label(&pod.metadata, "controller-revision-hash") == update
    }
}

impl Workload for DaemonSet {
    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref().map(|spec| &spec.selector)
    }

    fn progress(&self) -> Progress {
        let Some(status) = &self.status else { return unseen() };
        if is_stale(&self.metadata, status.observed_generation) {
            return unseen();
        }
        let strategy = self.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
        if strategy == Some("OnDelete") {
            return Progress::Complete;
        }
        let wanted = status.desired_number_scheduled;
        let (updated, available) =
            (status.updated_number_scheduled.unwrap_or(0), status.number_available.unwrap_or(0));
        if updated == wanted && available == wanted {
            return Progress::Complete;
        }
        Progress::Going(format!("{updated} of {wanted} nodes updated, {available} available"))
    }

    fn is_newest(&self, pod: &Pod) -> bool {
        let newest = annotation(&self.metadata, "deprecated.daemonset.template.generation");
        newest.is_none() || label(&pod.metadata, "pod-template-generation") == newest
    }
}

impl Workload for Job {
    const TRIES_AGAIN: bool = true;

    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref().and_then(|spec| spec.selector.as_ref())
    }

    fn progress(&self) -> Progress {
        let Some(status) = &self.status else { return unseen() };
        let holds = |kind: &str| {
            let conditions = status.conditions.iter().flatten();
            conditions.into_iter().find(|condition| condition.type_ == kind && condition.status == "True")
        };
        if holds("Complete").is_some() {
            return Progress::Complete;
        }
        if let Some(failed) = holds("Failed") {
            let reason = failed.reason.as_deref().unwrap_or("it failed");
            let message = failed.message.as_deref().unwrap_or_default();
            return Progress::Lost(vec![tidy(&format!("the Job has failed: {reason} {message}"))]);
        }
        let count = |number: Option<i32>| number.unwrap_or(0);
        Progress::Going(format!(
            "{} pods at work, {} succeeded, {} failed",
            count(status.active),
            count(status.succeeded),
            count(status.failed)
        ))
    }
}

/// The template without the label by which `ReplicaSets` tell their pods apart.
fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
        labels.remove("pod-template-hash");
    }
    template
}

fn unseen() -> Progress {
    Progress::Going("the cluster has not begun with the newest generation".to_owned())
}

fn is_stale(metadata: &ObjectMeta, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) < metadata.generation.unwrap_or(0)
}

/// Whether `owner` is among the owners of an object.
pub(crate) fn is_owned(object: &ObjectMeta, owner: &ObjectMeta) -> bool {
    let owners = object.owner_references.iter().flatten();
    owner.uid.as_ref().is_some_and(|uid| owners.into_iter().any(|reference| &reference.uid == uid))
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}
