//! The cluster under test: the one that `SLIPWAY_TEST_KUBECONFIG` names (a path), else a small one of this project.
//!
//! For a named cluster `SLIPWAY_TEST_IMAGE` is a Python image that it can pull, `SLIPWAY_TEST_CRASHING_IMAGE` the
//! one whose container ends with an error (the same by default), and `SLIPWAY_TEST_TRAFFIC=no` says that its
//! Services carry no traffic; `SLIPWAY_TEST_POWERLESS_KUBECONFIG` names a kubeconfig of somebody without any right.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use cluster::Cluster;
use domain::task::ObjectName;
use kube::config::{KubeConfigOptions, Kubeconfig};
use local_cluster::{Access, Options, Token, serve};
use local_engine::{images, no_progress};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything should take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct Lab {
    kubeconfig: String,
    powerless: Option<String>,
    image: String,
    crashing_image: String,
    pub carries_traffic: bool,
    small: Option<Small>,
}

/// The small cluster and how to end it.
struct Small {
    shutdown: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
    // Ends with the last of its users.
    _engine: std::sync::Arc<local_engine::Shared>,
}

impl Lab {
    pub async fn start() -> anyhow::Result<Self> {
        let Ok(path) = std::env::var("SLIPWAY_TEST_KUBECONFIG") else { return Self::small().await };
        let image = std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| "python:3.12-slim".to_owned());
        Ok(Self {
            kubeconfig: std::fs::read_to_string(&path).with_context(|| path.clone())?,
            powerless: match std::env::var("SLIPWAY_TEST_POWERLESS_KUBECONFIG") {
                Ok(path) => Some(std::fs::read_to_string(&path).with_context(|| path.clone())?),
                Err(_) => None,
            },
            crashing_image: std::env::var("SLIPWAY_TEST_CRASHING_IMAGE").unwrap_or_else(|_| image.clone()),
            image,
            carries_traffic: std::env::var("SLIPWAY_TEST_TRAFFIC").as_deref() != Ok("no"),
            small: None,
        })
    }

    async fn small() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.slipway");
        let engine = local_engine::shared(&root.join("test-cluster"))?;
        let image = images::ensure_python(&engine, &root.join("images"), &no_progress).await?.to_owned();
        let cloud = format!("contract-{}", std::process::id());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let access = Access::Namespaces(Vec::new());
        let powerless = Token { value: "powerless-token".to_owned(), user: "nobody".to_owned(), access };
        let options = Options {
            cloud: cloud.clone(),
            engine: (**engine).clone(),
            certificate: None,
            tokens: vec![Token::administrator("contract-token"), powerless],
            image_rewrites: Vec::new(),
            helper_image: image.clone(),
            folder: root.join(cloud),
            back_off: Duration::from_secs(2),
            pretence: None,
        };
        let powerless = local_cluster::kubeconfig(&url, "powerless-token", None);
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, options, shutdown.clone()));
        Ok(Self {
            kubeconfig: local_cluster::kubeconfig(&url, "contract-token", None),
            powerless: Some(powerless),
            crashing_image: image.clone(),
            image,
            carries_traffic: true,
            small: Some(Small { shutdown, served, _engine: engine }),
        })
    }

    /// The adapter under test.
    pub async fn cluster(&self) -> anyhow::Result<Cluster> {
        Ok(Cluster::from_kubeconfig(&self.kubeconfig).await?)
    }

    /// The adapter with a kubeconfig that may do nothing, where there is one.
    pub async fn powerless(&self) -> anyhow::Result<Option<Cluster>> {
        Ok(match &self.powerless {
            Some(kubeconfig) => Some(Cluster::from_kubeconfig(kubeconfig).await?),
            None => None,
        })
    }

    /// Somebody else with a client of his own.
    pub async fn stranger(&self) -> anyhow::Result<kube::Client> {
        let kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// A Deployment that serves its folder over HTTP.
    pub fn serving(&self, namespace: &str, version: &str) -> Value {
        let command = json!(["python3", "-m", "http.server", "8000"]);
        deployment(namespace, version, &self.image, &command)
    }

    /// A Deployment whose container ends at once.
    pub fn crashing(&self, namespace: &str, version: &str) -> Value {
        let command = json!(["python3", "-c", "raise SystemExit('the configuration is wrong')"]);
        deployment(namespace, version, &self.crashing_image, &command)
    }

    /// A Deployment whose image nobody has.
    pub fn without_image(namespace: &str, version: &str) -> Value {
        deployment(namespace, version, "127.0.0.1:9/nopull:1", &json!(["true"]))
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        let Some(small) = self.small else { return Ok(()) };
        small.shutdown.cancel();
        small.served.await?
    }
}

fn deployment(namespace: &str, version: &str, image: &str, command: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "version": version}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "command": command,
                        "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
                    }],
                },
            },
        },
    })
}

pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub fn config_map(namespace: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": namespace}, "data": {"key": value}})
}

pub fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8000, "protocol": "TCP", "targetPort": 8000}]},
    })
}

pub fn web(namespace: &str) -> ObjectName {
    ObjectName {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: namespace.to_owned(),
        name: "web".to_owned(),
    }
}
