//! Runs a cluster by itself: `cargo run -p local-cluster --example serve -- <port> <token> <image with python3>`.
//! With `pretended` in the place of the image its pods are pretended, and no engine is needed.

use std::time::Duration;

use local_cluster::{Certificate, Options, Pretence, Token};
use local_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (port, token, image) = (next("0"), next("local"), next("slipway-local/python:bookworm"));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let certificate = Certificate::generate()?;
    let kubeconfig = std::env::temp_dir().join(format!("slipway-cluster-{port}.kubeconfig"));
    std::fs::write(&kubeconfig, local_cluster::kubeconfig(&url, &token, Some(&certificate)))?;
    tracing::info!(url, kubeconfig = %kubeconfig.display(), "listening");
    let options = Options {
        cloud: format!("example-{port}"),
        engine: Engine::at(std::env::var("DOCKER_HOST").ok()),
        certificate: Some(certificate),
        tokens: vec![Token::administrator(token)],
        image_rewrites: Vec::new(),
        pretence: (image == "pretended").then(Pretence::ready),
        helper_image: image,
        folder: std::env::temp_dir().join(format!("slipway-cluster-{port}")),
        back_off: Duration::from_secs(10),
    };
    let shutdown = CancellationToken::new();
    let ended = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            ended.cancel();
        }
    });
    local_cluster::serve(listener, options, shutdown).await
}
