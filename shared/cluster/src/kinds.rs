//! Which kinds there are: asked of the API server once for each group version used, and their order.

use std::collections::HashMap;
use std::sync::Arc;

use kube::Client;
use kube::core::ApiResource;
use tokio::sync::Mutex;

use crate::fault::{Failure, ask};

/// Whether objects of this kind run pods, so that a rollout follows their change.
pub fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Job")
}

/// A kind that the API server serves.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
}

/// The kinds known so far, by `apiVersion`.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<HashMap<String, Arc<Vec<Kind>>>>);

impl Kinds {
    /// The kind, or none where the API server does not serve it.
    pub(crate) async fn find(
        &self,
        client: &Client,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Kind>, Failure> {
        let mut known = self.0.lock().await;
        let of = |kinds: &[Kind]| kinds.iter().find(|known| known.resource.kind == kind).cloned();
        if let Some(found) = known.get(api_version).and_then(|kinds| of(kinds)) {
            return Ok(Some(found));
        }
        // A kind unknown until now may have been defined since.
        match discover(client, api_version).await {
            Ok(kinds) => {
                let kinds = known.entry(api_version.to_owned()).insert_entry(Arc::new(kinds)).get().clone();
                Ok(of(&kinds))
            }
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

async fn discover(client: &Client, api_version: &str) -> Result<Vec<Kind>, Failure> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let list = if group.is_empty() {
        ask(|| client.list_core_api_resources(version)).await?
    } else {
        ask(|| client.list_api_group_resources(api_version)).await?
    };
    let kinds =
        list.resources.into_iter().filter(|resource| !resource.name.contains('/')).map(|resource| Kind {
            namespaced: resource.namespaced,
            resource: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: api_version.to_owned(),
                kind: resource.kind,
                plural: resource.name,
            },
        });
    Ok(kinds.collect())
}
