//! The cluster that is deployed to.

use std::future::Future;
use std::time::Duration;

use super::Answer;
use crate::ids::ClusterAccess;
use crate::policy::Conflicts;
use crate::task::ObjectName;

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// Everything is applied; the fields that were taken from other managers, a sentence each.
    Done(Vec<String>),
    /// There was no time for more: those that come first in the order of their tiers are applied.
    Partly {
        /// How many.
        applied: usize,
        /// The fields that were taken from other managers, a sentence each.
        taken: Vec<String>,
    },
    /// The API server refuses an object; the sentence names it and the field.
    Refused(String),
    /// What was being applied is no longer what should run: the rest was not sent.
    Overtaken,
}

/// How old the last answer of a [`Standing`] may be when a change goes out to the cluster.
pub const STANDING_HOLDS: Duration = Duration::from_secs(2);

/// Whether a change of the cluster is still wanted.
///
/// The cluster itself knows no order of releases. Hence a change asks before its first request, and again before each
/// one that goes out later than [`STANDING_HOLDS`] after the last answer was asked for: an invocation that lay still for
/// a while does not overwrite what others have applied meanwhile.
pub trait Standing: Send + Sync {
    /// Whether it is.
    fn holds(&self) -> impl Future<Output = Answer<bool>> + Send;
    /// How long changes may go out; what has not been sent by then is left to another invocation.
    fn patience(&self) -> Duration {
        Duration::MAX
    }
}

/// Nobody else changes these objects.
impl Standing for () {
    async fn holds(&self) -> Answer<bool> {
        Ok(true)
    }
}

/// What an apply would make of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is as it would be.
    Nothing,
    /// It would be made.
    Created,
    /// These fields would change, one line each: `spec.replicas: 1 → 2`.
    Fields(Vec<String>),
    /// It would be refused; the sentence names it and the field.
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

/// The clusters that environments lie in.
pub trait Clusters: Send + Sync {
    /// One of them.
    type Cluster: Cluster;

    /// The cluster that is reached in this way, ready to be asked.
    fn reach(&self, access: &ClusterAccess) -> impl Future<Output = Answer<Self::Cluster>> + Send;
}

/// The cluster.
pub trait Cluster: Send + Sync {
    /// Applies the objects (JSON of Kubernetes objects with their namespace set) in an order that works, server-side, as
    /// field manager `slipway`, as long as its standing holds and its patience lasts.
    fn apply(
        &self,
        objects: &[serde_json::Value],
        conflicts: Conflicts,
        standing: &impl Standing,
    ) -> impl Future<Output = Answer<Application>> + Send;
    /// What [`Cluster::apply`] would change, by the API server's own answer, one for each object in its order. Nothing is
    /// changed. No value is told of a Secret, nor of an object whose annotation
    /// `slipway.dev/owner` names somebody else.
    fn rehearse(
        &self,
        objects: &[serde_json::Value],
        conflicts: Conflicts,
    ) -> impl Future<Output = Answer<Vec<Change>>> + Send;
    /// Deletes those of the objects whose annotation `slipway.dev/owner` still names the owner; answers what became of each,
    /// in the same order. Namespaces, volume claims and definitions of kinds stay unless their annotation
    /// `slipway.dev/prune` says `allow`, and whatever it says `keep` of. None where its standing does not hold: the rest
    /// was not deleted.
    fn prune(
        &self,
        owner: &str,
        objects: &[ObjectName],
        standing: &impl Standing,
    ) -> impl Future<Output = Answer<Option<Vec<Leftover>>>> + Send;
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
