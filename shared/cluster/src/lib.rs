//! Kubernetes: apply, rollout, evidence and probes.
//!
//! Everything goes through the API server, with the rights of a kubeconfig or of the function's own role in EKS; nothing
//! of kube leaves this crate.

mod access;
mod apply;
mod changes;
mod client;
mod clusters;
mod eks;
mod evidence;
mod fault;
mod guard;
mod kinds;
mod kubeconfig;
mod probe;
mod prune;
mod refusal;
mod rehearsal;
mod rollout;
mod scene;
mod target;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use domain::policy::Conflicts;
use domain::ports::{self, Answer, Application, Change, Fault, Leftover, ProbeAnswer, Rollout, Standing};
use domain::task::ObjectName;
use kube::Client;

pub use crate::clusters::Clusters;
use crate::guard::Guard;
pub use crate::kinds::is_workload;

/// The name under which Slipway owns the fields that it applies.
pub const FIELD_MANAGER: &str = "slipway";

/// A cluster. Cheap to keep between invocations: connections and discovery are reused, and shared by clones.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kinds: Arc<kinds::Kinds>,
}

impl Cluster {
    /// Reads the kubeconfig's current context. Nothing is sent yet.
    ///
    /// # Errors
    /// When it cannot be read, or needs a program or a file beside it.
    #[expect(clippy::unused_async, reason = "kube's client starts a task, so this must run inside a runtime")]
    pub async fn from_kubeconfig(text: &str) -> Result<Self, Fault> {
        let http = client::http(kubeconfig::Server::read(text)?)?;
        Ok(Self { client: client::client(http), kinds: Arc::default() })
    }
}

impl ports::Cluster for Cluster {
    async fn apply(
        &self,
        objects: &[serde_json::Value],
        conflicts: Conflicts,
        standing: &impl Standing,
    ) -> Answer<Application> {
        apply::apply(&self.client, &self.kinds, objects, conflicts, standing).await
    }

    async fn rehearse(&self, objects: &[serde_json::Value], conflicts: Conflicts) -> Answer<Vec<Change>> {
        rehearsal::rehearse(&self.client, &self.kinds, objects, conflicts).await
    }

    async fn prune(
        &self,
        owner: &str,
        objects: &[ObjectName],
        standing: &impl Standing,
    ) -> Answer<Option<Vec<Leftover>>> {
        prune::prune(&self.client, &self.kinds, owner, objects, &Guard::new(standing)).await
    }

    async fn rollout(&self, workload: &ObjectName, patience: Duration) -> Answer<Rollout> {
        rollout::follow(&self.client, workload, patience).await
    }

    async fn probe(&self, namespace: &str, service: &str, port: u16, path: &str) -> Answer<ProbeAnswer> {
        probe::get(&self.client, namespace, service, port, path).await
    }
}
