//! The cluster as others see it, and write to it.

use anyhow::Context;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::world::World;

const NAMESPACE: &str = "development";
const NAME: &str = "service-001";

/// The cluster with an administrator's rights.
pub(super) struct Live(Client);

impl Live {
    pub(super) async fn of(world: &World<'_>) -> anyhow::Result<Self> {
        let path = world.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
        let kubeconfig = Kubeconfig::read_from(path)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self(Client::try_from(config)?))
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.0.clone(), NAMESPACE, &kind)
    }

    /// The service's Deployment.
    pub(super) async fn deployment(&self) -> anyhow::Result<Value> {
        let deployment = self.api("apps", "v1", "Deployment").get(NAME).await?;
        Ok(serde_json::to_value(deployment)?)
    }

    /// The names of all Jobs.
    pub(super) async fn jobs(&self) -> anyhow::Result<Vec<String>> {
        let jobs = self.api("batch", "v1", "Job").list(&kube::api::ListParams::default()).await?;
        Ok(jobs.items.into_iter().filter_map(|job| job.metadata.name).collect())
    }

    /// Somebody with `kubectl apply --server-side --force-conflicts` owns this much of the service's `ConfigMap`.
    pub(super) async fn own(&self, manager: &str, data: Value) -> anyhow::Result<()> {
        let mut map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME } });
        if !data.is_null() {
            map["data"] = data;
        }
        let parameters = PatchParams::apply(manager).force();
        self.api("", "v1", "ConfigMap").patch(NAME, &parameters, &Patch::Apply(map)).await?;
        Ok(())
    }
}
