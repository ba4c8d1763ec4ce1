//! Small clusters to be reached, and what is asked of them.

use std::net::SocketAddr;
use std::time::Duration;

use cluster::Cluster;
use domain::policy::Conflicts;
use domain::ports::{Answer, Application, Cluster as _};
use local_cluster::{Options, Pretence, Token};
use local_engine::Engine;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A small cluster that ends with it.
pub struct Small {
    pub address: SocketAddr,
    _shutdown: DropGuard,
}

impl Small {
    /// One that takes this token, over plain HTTP.
    pub async fn taking(token: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let options = Options {
            cloud: "reach".to_owned(),
            engine: Engine::at(Some("unix:///nonexistent/docker.sock".to_owned())),
            certificate: None,
            tokens: vec![Token::administrator(token)],
            image_rewrites: Vec::new(),
            helper_image: String::new(),
            folder: std::env::temp_dir().join(format!("slipway-reach-{}", address.port())),
            back_off: Duration::from_secs(1),
            pretence: Some(Pretence::ready()),
        };
        tokio::spawn(local_cluster::serve(listener, options, shutdown.clone()));
        Ok(Self { address, _shutdown: shutdown.drop_guard() })
    }

    /// A kubeconfig with this token.
    pub fn kubeconfig(&self, token: &str) -> String {
        local_cluster::kubeconfig(&format!("http://{}", self.address), token, None)
    }
}

/// Applies something small.
pub async fn apply(cluster: &Cluster) -> Answer<Application> {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "settings", "namespace": "default" }, "data": { "colour": "blue" },
    });
    cluster.apply(&[object], Conflicts::Refuse, &()).await
}

/// What came of it, for people.
pub fn told(answer: Answer<Application>) -> String {
    match answer {
        Ok(Application::Done { .. }) => "applied".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(fault) => fault.chain(),
    }
}
