//! A small Kubernetes-compatible API server whose pods are real containers.
//!
//! It speaks enough of the Kubernetes API for kubectl (get, describe, logs, wait, rollout, diff, apply of both kinds),
//! kube-rs and a deployer: discovery, server-side apply and the older patches, watches, deployments, stateful sets,
//! daemon sets and jobs as their controllers move them, probes, logs, and the proxy to services. Objects live in memory;
//! pods, their network and a forwarder per service live in a Docker engine and go with the cluster. What it does as a
//! real one does is told by the contract of the `cluster` crate, whose stories hold on both.
//!
//! Limits, on purpose: one node; all namespaces share one network (names are looked up per namespace, but nothing
//! keeps a pod from the addresses of another); TCP only; no service account tokens, RBAC objects, persistent volumes or
//! autoscaling; cron jobs are stored and never started; jobs have no index; pods are scheduled by `nodeSelector` alone;
//! JSON and YAML only, no protobuf (`kubectl create job` sends it); `Endpoints` but no `EndpointSlice`s, so that
//! `kubectl describe service` lists none; `NodePort` and `LoadBalancer` behave like `ClusterIP`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use local_engine::Engine;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

mod api;
mod controllers;
pub mod eks;
mod kubelet;
mod node;
mod objects;
mod pretended;
mod services;
mod tls;

pub use api::authentication::{Access, Token};
use kubelet::Node;
use kubelet::docker::Docker;
use objects::lifecycle::{Objects, Writer};
use objects::resources::NAMESPACES;
pub use pretended::{PodFate, Pretence};
use services::Forwarders;
pub use tls::Certificate;

/// Where the addresses of services begin in a cluster whose pods are pretended.
const FIRST_PRETENDED_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 1);

/// How a cluster is set up.
pub struct Options {
    /// Name of the cloud: label `slipway.cloud` on everything in the engine, part of all names there.
    pub cloud: String,
    /// The engine that runs the containers.
    pub engine: Engine,
    /// With it the server speaks TLS; kubectl sends tokens only then.
    pub certificate: Option<Certificate>,
    /// Who may do what. Without a token nobody can do anything.
    pub tokens: Vec<Token>,
    /// Prefixes of image names that are pulled from elsewhere:
    /// `("1.dkr.ecr.eu-west-1.amazonaws.com/", "127.0.0.1:4566/")`.
    pub image_rewrites: Vec<(String, String)>,
    /// An image with `python3` that the engine already has: forwarders of services and sandboxes of pods run in it.
    pub helper_image: String,
    /// A folder of the cluster's own, visible to the engine: files of volumes. Emptied at start and end.
    pub folder: PathBuf,
    /// First pause before a crashed container is started again, or a Job replaces a failed pod; 10 s in a real cluster.
    pub back_off: Duration,
    /// With it pods are not containers but come to what it says, and no engine is needed.
    pub pretence: Option<Pretence>,
}

/// Runs a cluster until `shutdown`: then its containers, volumes and network are removed.
///
/// # Errors
/// When the engine does not answer, or when something could not be removed at the end.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    if let Some(pretence) = options.pretence.clone() {
        return serve_pretended(listener, options, pretence, shutdown).await;
    }
    let docker = Arc::new(Docker::prepare(options.engine.clone(), &options.cloud).await?);
    empty(&options.folder)?;
    let objects = Arc::new(Objects::new(docker.first_service));
    make_namespaces(&objects)?;
    node::make(&objects, &format!("docker://{}", options.engine.version().await?))?;
    let node = Arc::new(Node {
        objects: Arc::clone(&objects),
        docker: Arc::clone(&docker),
        image_rewrites: options.image_rewrites,
        helper_image: options.helper_image.clone(),
        folder: options.folder.join("pods"),
        back_off: options.back_off,
    });
    let forwarders = Forwarders {
        objects: Arc::clone(&objects),
        docker: Arc::clone(&docker),
        image: options.helper_image,
        folder: options.folder.join("services"),
    };
    let api = api::Api {
        objects: Arc::clone(&objects),
        tokens: options.tokens,
        pods: api::Pods::In(options.engine),
    };
    let (outcome, (), (), ()) = tokio::join!(
        serve_api(listener, api, options.certificate.as_ref(), &shutdown),
        controllers::run(objects, options.back_off, shutdown.clone()),
        forwarders.run(shutdown.clone()),
        kubelet::run(node, shutdown.clone()),
    );
    docker.remove_all().await.context("removing the cluster's containers")?;
    empty(&options.folder)?;
    outcome
}

/// A cluster whose pods are pretended: the same API and controllers, and nothing outside this process.
async fn serve_pretended(
    listener: TcpListener,
    options: Options,
    pretence: Pretence,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let objects = Arc::new(Objects::new(FIRST_PRETENDED_SERVICE));
    make_namespaces(&objects)?;
    node::make(&objects, "pretended://0")?;
    let pods = api::Pods::Pretended(pretence.clone());
    let api = api::Api { objects: Arc::clone(&objects), tokens: options.tokens, pods };
    let (outcome, (), ()) = tokio::join!(
        serve_api(listener, api, options.certificate.as_ref(), &shutdown),
        controllers::run(Arc::clone(&objects), options.back_off, shutdown.clone()),
        pretended::run(objects, pretence, shutdown.clone()),
    );
    outcome
}

/// Serves the API until `shutdown`, which its own end brings about too.
async fn serve_api(
    listener: TcpListener,
    api: api::Api,
    certificate: Option<&Certificate>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let router = api::router(Arc::new(api));
    let serving = async {
        match certificate {
            Some(certificate) => axum::serve(tls::Listener::new(listener, certificate)?, router).await,
            None => axum::serve(listener, router).await,
        }
        .context("the API server ended")
    };
    let served = tokio::select! {
        served = serving => served,
        () = shutdown.cancelled() => Ok(()),
    };
    shutdown.cancel();
    served
}

/// A kubeconfig for a cluster at `url`: `http://127.0.0.1:<port>`, or `https://…` with the certificate it serves with.
pub fn kubeconfig(url: &str, token: &str, certificate: Option<&Certificate>) -> String {
    let mut cluster = json!({ "server": url });
    if let Some(certificate) = certificate {
        let authority = base64::engine::general_purpose::STANDARD.encode(certificate.authority());
        cluster["certificate-authority-data"] = authority.into();
    }
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "slipway",
        "clusters": [{ "name": "slipway", "cluster": cluster }],
        "users": [{ "name": "slipway", "user": { "token": token } }],
        "contexts": [{ "name": "slipway", "context": { "cluster": "slipway", "user": "slipway" } }],
    });
    // JSON is YAML: nothing more is needed to write it.
    format!("{config:#}\n")
}

fn make_namespaces(objects: &Objects) -> anyhow::Result<()> {
    for name in ["default", "kube-system"] {
        let namespace = json!({ "metadata": { "name": name } });
        objects.create(&NAMESPACES, namespace, &Writer::controller("kube-apiserver"))?;
    }
    Ok(())
}

fn empty(folder: &std::path::Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    Ok(())
}
