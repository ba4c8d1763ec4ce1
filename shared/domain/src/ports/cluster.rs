//! The cluster that is deployed to.

use std::future::Future;
use std::time::Duration;

use super::Answer;
use crate::task::ObjectName;

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// Everything is applied.
    Done,
    /// The API server refuses an object; the sentence names it and the field.
    Refused(String),
}

/// What became of an object that its service's manifests no longer name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// It was there no more.
    Gone,
    /// It was deleted.
    Pruned,
    /// Somebody else's manifests name it now: it is left to them.
    Left,
    /// It stays, for this reason.
    Kept(String),
}

/// How a workload's rollout fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// The new generation serves.
    Complete,
    /// It goes on; one line tells how far.
    Progressing(String),
    /// It will not heal: the evidence, one line each.
    Hopeless(Vec<String>),
}

/// How a probe was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body, at most 1 KiB.
    pub body: String,
}

/// The cluster.
pub trait Cluster: Send + Sync {
    /// Applies the objects (JSON of Kubernetes objects with their namespace set) in an order that works, server-side, as field manager `slipway`.
    fn apply(&self, objects: &[serde_json::Value]) -> impl Future<Output = Answer<Application>> + Send;
    /// Deletes those of the objects whose annotation `slipway.dev/owner` still names the owner; answers what became of each,
    /// in the same order. Namespaces, volume claims and definitions of kinds stay unless their annotation
    /// `slipway.dev/prune` says `allow`, and whatever it says `keep` of.
    fn prune(
        &self,
        owner: &str,
        objects: &[ObjectName],
    ) -> impl Future<Output = Answer<Vec<Leftover>>> + Send;
    /// Waits up to `patience` for the workload's newest generation and says how it fares.
    fn rollout(
        &self,
        workload: &ObjectName,
        patience: Duration,
    ) -> impl Future<Output = Answer<Rollout>> + Send;
    /// A GET through the API server's service proxy.
    fn probe(
        &self,
        namespace: &str,
        service: &str,
        port: u16,
        path: &str,
    ) -> impl Future<Output = Answer<ProbeAnswer>> + Send;
}
