//! Small clusters of this project, started for the test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use local_cluster::{Access, Options, PodFate, Pretence, Token, serve};
use local_engine::{images, no_progress};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Who may do everything.
pub const ADMINISTRATOR: &str = "contract-token";
/// Who may do nothing.
pub const POWERLESS: &str = "powerless-token";

/// A cluster and how to end it.
pub struct Small {
    url: String,
    shutdown: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
    // Ends with the last of its users.
    _engine: Option<std::sync::Arc<local_engine::Shared>>,
}

/// What runs containers, with a Python image.
pub struct Engine {
    shared: std::sync::Arc<local_engine::Shared>,
    pub image: String,
}

impl Engine {
    /// The engine that answers; else, as root, a private one.
    pub async fn find() -> anyhow::Result<Self> {
        let shared = local_engine::shared(&root().join("test-cluster"))?;
        let image = images::ensure_python(&shared, &root().join("images"), &no_progress).await?.to_owned();
        Ok(Self { shared, image })
    }
}

impl Small {
    pub async fn pretended() -> anyhow::Result<Self> {
        let engine = local_engine::Engine::at(None);
        Self::start("pretended", engine, None, String::new(), Some(Pretence::new(by_image))).await
    }

    pub async fn of_containers(engine: Engine) -> anyhow::Result<Self> {
        let Engine { shared, image } = engine;
        Self::start("contract", (**shared).clone(), Some(shared), image, None).await
    }

    async fn start(
        kind: &str,
        engine: local_engine::Engine,
        shared: Option<std::sync::Arc<local_engine::Shared>>,
        image: String,
        pretence: Option<Pretence>,
    ) -> anyhow::Result<Self> {
        let cloud = format!("{kind}-{}", std::process::id());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let access = Access::Namespaces(Vec::new());
        let powerless = Token { value: POWERLESS.to_owned(), user: "nobody".to_owned(), access };
        let options = Options {
            cloud: cloud.clone(),
            engine,
            certificate: None,
            tokens: vec![Token::administrator(ADMINISTRATOR), powerless],
            image_rewrites: Vec::new(),
            helper_image: image,
            folder: root().join(cloud),
            back_off: Duration::from_secs(2),
            pretence,
        };
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, options, shutdown.clone()));
        Ok(Self { url, shutdown, served, _engine: shared })
    }

    pub fn kubeconfig(&self, token: &str) -> String {
        local_cluster::kubeconfig(&self.url, token, None)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.served.await?
    }
}

/// Pods come to what the name of their first image says.
fn by_image(pod: &Value) -> PodFate {
    match pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default() {
        image if image.contains("broken") => {
            PodFate::Crashes { code: 1, lines: vec!["the configuration is wrong".to_owned()] }
        }
        image if image.contains("nopull") => PodFate::NoImage,
        _ => PodFate::Ready(Duration::from_millis(200)),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.slipway")
}
