//! Kubeconfigs in secrets: each environment its own, seen anew once they are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cluster::Clusters;
use domain::ids::ClusterAccess;
use domain::ports::Clusters as _;
use serde_json::json;
use testkit::fakes::{MemorySecrets, Wire};

use crate::places::{Small, apply, told};

fn clusters(secrets: &MemorySecrets) -> Clusters<MemorySecrets> {
    Clusters::new(&testkit::aws::config("http://127.0.0.1:9"), secrets.clone(), "own", "stack/clusters/")
}

fn named(name: &str) -> ClusterAccess {
    ClusterAccess::NamedKubeconfig(name.parse().expect("a name"))
}

#[tokio::test]
async fn each_environment_has_its_own_cluster() -> anyhow::Result<()> {
    let (ours, other) = (Small::taking("ours").await?, Small::taking("other").await?);
    let secrets = MemorySecrets::new(&Wire::default());
    secrets.keep("own", &ours.kubeconfig("ours"));
    secrets.keep("stack/clusters/other", &other.kubeconfig("other"));
    // The other one's server with our token: it takes none of it.
    secrets.keep("stack/clusters/mixed", &other.kubeconfig("ours"));
    let clusters = clusters(&secrets);

    assert_eq!(told(apply(&clusters.reach(&ClusterAccess::Kubeconfig).await?).await), "applied");
    assert_eq!(told(apply(&clusters.reach(&named("other")).await?).await), "applied");
    let refused = told(apply(&clusters.reach(&named("mixed")).await?).await);
    assert!(refused.contains("does not accept the credentials; renew the kubeconfig's secret"), "{refused}");
    let missing = clusters.reach(&named("gone")).await.err().map(|fault| fault.chain());
    assert_eq!(missing.as_deref(), Some("there is no secret `stack/clusters/gone`"));
    Ok(())
}

#[tokio::test]
async fn a_rotated_kubeconfig_is_seen_once_it_is_refused() -> anyhow::Result<()> {
    let small = Small::taking("new").await?;
    let (wire, access) = (Wire::default(), ClusterAccess::Kubeconfig);
    let secrets = MemorySecrets::new(&wire);
    secrets.keep("own", &small.kubeconfig("old"));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&access).await?;

    secrets.keep("own", &small.kubeconfig("new"));
    assert_eq!(told(apply(&cluster).await), "applied");
    assert_eq!(told(apply(&clusters.reach(&access).await?).await), "applied");
    assert_eq!((asked(&wire, "secrets.secret"), asked(&wire, "secrets.fresh")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_has_moved_is_found_again() -> anyhow::Result<()> {
    let small = Small::taking("token").await?;
    let secrets = MemorySecrets::new(&Wire::default());
    secrets.keep("own", &local_cluster::kubeconfig("http://127.0.0.1:9", "token", None));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&ClusterAccess::Kubeconfig).await?;

    secrets.keep("own", &small.kubeconfig("token"));
    assert_eq!(told(apply(&cluster).await), "applied");
    Ok(())
}

/// An API server that takes one token, and counts how often its kinds are asked for.
async fn counting(token: &'static str) -> anyhow::Result<(String, Arc<AtomicUsize>)> {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = move |request: Request| {
        let counter = Arc::clone(&counter);
        async move {
            let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            if given != Some(&format!("Bearer {token}")) {
                let refusal = json!({ "kind": "Status", "code": 401, "message": "Unauthorized" });
                return (StatusCode::UNAUTHORIZED, axum::Json(refusal)).into_response();
            }
            if request.uri().path() == "/api/v1" {
                counter.fetch_add(1, Ordering::SeqCst);
                let kind = json!({
                    "name": "configmaps", "singularName": "", "namespaced": true, "kind": "ConfigMap", "verbs": ["patch"],
                });
                return axum::Json(json!({ "groupVersion": "v1", "resources": [kind] })).into_response();
            }
            let applied =
                json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
            let applied: Response = axum::Json(applied).into_response();
            applied
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((local_cluster::kubeconfig(&url, token, None), asked))
}

#[tokio::test]
async fn another_server_is_asked_for_its_own_kinds() -> anyhow::Result<()> {
    let ((first, of_first), (second, of_second)) = (counting("first").await?, counting("second").await?);
    let secrets = MemorySecrets::new(&Wire::default());
    secrets.keep("own", &first);
    let clusters = clusters(&secrets);
    let own = ClusterAccess::Kubeconfig;
    for _ in 0..2 {
        assert_eq!(told(apply(&clusters.reach(&own).await?).await), "applied");
    }
    assert_eq!(of_first.load(Ordering::SeqCst), 1);

    // The first one's token is taken no more: the secret names the second one by now.
    secrets.keep("own", &first.replace("\"first\"", "\"stale\""));
    let moved = self::clusters(&secrets);
    moved.reach(&own).await?;
    secrets.keep("own", &second);
    for _ in 0..3 {
        assert_eq!(told(apply(&moved.reach(&own).await?).await), "applied");
    }
    assert_eq!((of_first.load(Ordering::SeqCst), of_second.load(Ordering::SeqCst)), (1, 2));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_for_good_is_asked_for_once() -> anyhow::Result<()> {
    let small = Small::taking("another").await?;
    let wire = Wire::default();
    let secrets = MemorySecrets::new(&wire);
    secrets.keep("own", &small.kubeconfig("old"));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&ClusterAccess::Kubeconfig).await?;

    for _ in 0..3 {
        let refused = told(apply(&cluster).await);
        assert!(refused.contains("renew the kubeconfig's secret"), "{refused}");
    }
    assert_eq!(asked(&wire, "secrets.fresh"), 1);
    Ok(())
}

fn asked(wire: &Wire, call: &str) -> usize {
    wire.count(call)
}
