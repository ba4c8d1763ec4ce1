//! The clusters under test: the one that `KUBECONFIG_CONTRACT` names (a path), else small ones of this project.
//!
//! For a named cluster with real nodes, `KUBECONFIG_CONTRACT_IMAGE` is a Python image that they can pull.

mod objects;
mod small;
mod space;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cluster::Cluster;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};

pub use objects::{
    Fate, config_map, daemon_set, deployment, job, name_of, namespace, service, stateful_set, with,
};
pub use small::Engine;
pub use space::{Answer, Space, send};

/// Longer than anything should take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A cluster.
pub struct Lab {
    /// What it is, for people.
    pub title: String,
    kubeconfig: String,
    powerless: Result<String, String>,
    nodes: Nodes,
    small: Option<small::Small>,
}

/// What runs the pods.
enum Nodes {
    /// Containers, of this Python image.
    Real(String),
    /// Nothing: what a pod comes to goes by the name of its image. The word is what the nodes say of themselves.
    Pretended(String),
}

impl Lab {
    /// The cluster that the variable names.
    pub async fn named(path: &str) -> anyhow::Result<Self> {
        let kubeconfig = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        let image = std::env::var("KUBECONFIG_CONTRACT_IMAGE");
        let image = image.unwrap_or_else(|_| "python:3.12-slim".to_owned());
        let powerless = powerless(&kubeconfig).await.map_err(|error| format!("{error:#}"));
        Self::reached(path.to_owned(), kubeconfig, powerless, image, None).await
    }

    /// A small cluster whose pods are pretended.
    pub async fn pretended() -> anyhow::Result<Self> {
        let small = small::Small::pretended().await?;
        Self::of_small("the small cluster, pods pretended", small, String::new()).await
    }

    /// A small cluster whose pods are containers.
    pub async fn of_containers(engine: Engine) -> anyhow::Result<Self> {
        let image = engine.image.clone();
        let small = small::Small::of_containers(engine).await?;
        Self::of_small("the small cluster, pods in containers", small, image).await
    }

    async fn of_small(title: &str, small: small::Small, image: String) -> anyhow::Result<Self> {
        let (kubeconfig, powerless) =
            (small.kubeconfig(small::ADMINISTRATOR), small.kubeconfig(small::POWERLESS));
        Self::reached(title.to_owned(), kubeconfig, Ok(powerless), image, Some(small)).await
    }

    async fn reached(
        title: String,
        kubeconfig: String,
        powerless: Result<String, String>,
        image: String,
        small: Option<small::Small>,
    ) -> anyhow::Result<Self> {
        let client = client(&kubeconfig).await?;
        let nodes: Vec<Node> = Api::all(client).list(&ListParams::default()).await?.items;
        let info = nodes.iter().filter_map(|node| node.status.as_ref()?.node_info.as_ref());
        let runtimes: Vec<&str> = info.map(|info| info.container_runtime_version.as_str()).collect();
        let real = |runtime: &str| {
            ["docker://", "containerd://", "cri-o://"].iter().any(|known| runtime.starts_with(known))
        };
        let nodes = match runtimes.iter().find(|runtime| !real(runtime)) {
            None if !runtimes.is_empty() => Nodes::Real(image),
            None => Nodes::Pretended("no node".to_owned()),
            Some(runtime) => Nodes::Pretended((*runtime).to_owned()),
        };
        Ok(Self { title, kubeconfig, powerless, nodes, small })
    }

    /// Why there are no real nodes, if there are none.
    pub fn without_nodes(&self) -> Option<String> {
        match &self.nodes {
            Nodes::Real(_) => None,
            Nodes::Pretended(runtime) => Some(format!("no real nodes (`{runtime}`)")),
        }
    }

    /// The adapter under test.
    pub async fn cluster(&self) -> anyhow::Result<Cluster> {
        Ok(Cluster::from_kubeconfig(&self.kubeconfig).await?)
    }

    /// The kubeconfig of somebody who may do nothing, or why there is none.
    pub fn powerless(&self) -> Result<&str, &str> {
        self.powerless.as_deref().map_err(String::as_str)
    }

    /// A client of its own, for the administrator.
    pub async fn client(&self) -> anyhow::Result<Client> {
        client(&self.kubeconfig).await
    }

    /// The minor version of Kubernetes that the API server tells.
    pub async fn minor(&self) -> anyhow::Result<u32> {
        let told = self.client().await?.apiserver_version().await?.git_version;
        let minor = told.strip_prefix("v1.").and_then(|rest| rest.split('.').next()?.parse().ok());
        minor.with_context(|| format!("the version `{told}`"))
    }

    /// A namespace for one story.
    pub async fn space(self: &Arc<Self>, story: &str) -> anyhow::Result<Space> {
        Space::make(Arc::clone(self), story).await
    }

    /// The spec of a pod that comes to this. It ends within a second when it is told to.
    pub fn pod(&self, fate: Fate) -> Value {
        let image = match (&self.nodes, fate) {
            (_, Fate::HasNoImage) => "127.0.0.1:9/nopull:1",
            (Nodes::Real(image), _) => image,
            (Nodes::Pretended(_), Fate::Crashes | Fate::Fails) => "broken",
            (Nodes::Pretended(_), Fate::Serves | Fate::Succeeds) => "fine",
        };
        objects::pod(image, fate)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(small) = self.small {
            return small.stop().await;
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(client(&self.kubeconfig).await?, "default");
        // Where none could be made, none is there.
        let _absent = accounts.delete(&account(), &DeleteParams::default()).await;
        Ok(())
    }
}

/// A client for the current context of a kubeconfig.
pub async fn client(kubeconfig: &str) -> anyhow::Result<Client> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // A 503 is an answer that stories ask about; by default it would be asked for again for minutes.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// The same kubeconfig for a service account without any right, which is made for it.
async fn powerless(kubeconfig: &str) -> anyhow::Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client(kubeconfig).await?, "default");
    let name = account();
    let wanted = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    accounts.create(&PostParams::default(), &wanted).await.context("making a service account")?;
    let wish: TokenRequest =
        serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 3600 } }))?;
    let told = accounts.create_token_request(&name, &PostParams::default(), &wish).await;
    let token = told.context("asking for a token")?.status.context("no token")?.token;
    let mut changed: Value = serde_json::to_value(Kubeconfig::from_yaml(kubeconfig)?)?;
    for user in changed["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({ "token": token });
    }
    Ok(changed.to_string())
}

/// The name of that service account.
fn account() -> String {
    format!("contract-powerless-{}", std::process::id())
}
