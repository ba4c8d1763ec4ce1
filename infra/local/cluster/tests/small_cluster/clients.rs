//! Clients other than ours: kube-rs finds, applies and reads as from any cluster, over TLS too.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Client, Config, discovery};
use local_cluster::Certificate;
use serde_json::json;

use crate::server::{Server, secure_cluster};

#[tokio::test]
async fn kube_finds_applies_and_reads() {
    let certificate = Certificate::generate().expect("a certificate");
    let kubeconfig =
        |server: &Server| local_cluster::kubeconfig(&server.url, &server.token, Some(&certificate));
    secure_cluster("kube", certificate.clone(), async |server: Server| {
        let text = kubeconfig(&server);
        let config = Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("a configuration")).expect("a client");
        let kind = GroupVersionKind::gvk("apps", "v1", "Deployment");
        let (resource, _) = discovery::pinned_kind(&client, &kind).await.expect("a known kind");
        let deployments: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource);
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": {
                "replicas": 0, "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "web", "image": "any" }] },
                },
            },
        });
        let parameters = PatchParams::apply("slipway").force();
        let applied = deployments.patch("web", &parameters, &Patch::Apply(&object)).await.expect("applied");
        assert_eq!(applied.metadata.generation, Some(1));
        assert!(deployments.get_opt("none").await.expect("an answer").is_none());
        let groups = client.list_api_groups().await.expect("groups");
        assert!(groups.groups.iter().any(|group| group.name == "apps"));
        let discovered = discovery::Discovery::new(client).run().await.expect("discovery");
        assert!(discovered.resolve_gvk(&GroupVersionKind::gvk("", "v1", "Service")).is_some());
    })
    .await;
}
