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
