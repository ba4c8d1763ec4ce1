//! The objects that are applied: of every five a Deployment without replicas, a Service and three `ConfigMap`s, so that the
//! API server's own work is what counts.

use serde_json::{Value, json};

/// A namespace.
pub(super) fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// So many objects, each of which another revision changes.
pub(super) fn objects(count: usize, namespace: &str, revision: u32) -> Vec<Value> {
    (0..count).map(|number| object(number, namespace, revision)).collect()
}

fn object(number: usize, namespace: &str, revision: u32) -> Value {
    let name = format!("object-{number:03}");
    let labels =
        json!({ "app.kubernetes.io/name": name, "bench.slipway.dev/revision": revision.to_string() });
    let metadata = json!({ "name": name, "namespace": namespace, "labels": labels });
    let selected = json!({ "app": name });
    match number % 5 {
        1 => json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
            "replicas": 0, "selector": { "matchLabels": selected }, "template": {
                "metadata": { "labels": selected, "annotations": { "revision": revision.to_string() } },
                "spec": { "containers": [{
                    "name": "app", "image": format!("registry.example/{name}:{revision}"),
                    "ports": [{ "containerPort": 8000, "protocol": "TCP" }],
                    "env": [{ "name": "REVISION", "value": revision.to_string() }],
                }] },
            },
        } }),
        2 => json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {
            "selector": selected, "ports": [{ "name": "http", "port": 8000, "protocol": "TCP" }],
        } }),
        _ => json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {
            "REVISION": revision.to_string(), "LEVEL": "info", "settings.yaml": "key: value\n".repeat(40),
        } }),
    }
}
