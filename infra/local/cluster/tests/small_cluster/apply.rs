//! Server-side apply over HTTP: codes, ownership, generation.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::{Server, at, contract};

fn deployment(replicas: i64, env: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "labels": { "app": "web" } },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{
                    "name": "web", "image": "broken", "env": env, "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                }] },
            },
        },
    })
}

#[tokio::test]
async fn applying_creates_then_changes_then_does_nothing() {
    contract("applying", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/applying/deployments/web";
        let one = json!([{ "name": "A", "value": "1" }]);
        let created = server.apply(path, &deployment(0, &one)).await;
        assert_eq!(created.code, 201, "{}", created.text);
        assert_eq!(*at(&created.body, "/metadata/generation"), json!(1));
        assert_eq!(*at(&created.body, "/spec/strategy/type"), json!("RollingUpdate"));
        assert_eq!(*at(&created.body, "/spec/progressDeadlineSeconds"), json!(600));
        assert_eq!(*at(&created.body, "/spec/template/spec/containers/0/imagePullPolicy"), json!("Always"));
        let entry = at(&created.body, "/metadata/managedFields/0");
        assert_eq!((&entry["manager"], &entry["operation"]), (&json!("slipway"), &json!("Apply")));
        assert!(entry["fieldsV1"]["f:spec"]["f:template"].is_object(), "{entry}");

        let settled =
            server.until(path, "observed", |object| *at(object, "/status/observedGeneration") == json!(1));
        let settled = settled.await;
        let again = server.apply(path, &deployment(0, &one)).await;
        assert_eq!(again.code, 200);
        assert_eq!(*at(&again.body, "/metadata/generation"), json!(1));
        let revision = "/metadata/resourceVersion";
        let now = server.get(path).await.body;
        // A controller may have written once more in between, this apply must not have.
        if at(&settled, "/status") == at(&now, "/status")
            && at(&settled, "/metadata/annotations") == at(&now, "/metadata/annotations")
        {
            assert_eq!(at(&now, revision), at(&again.body, revision));
        }

        let changed = server.apply(path, &deployment(0, &json!([{ "name": "B", "value": "2" }]))).await;
        assert_eq!(*at(&changed.body, "/metadata/generation"), json!(2));
        let env = at(&changed.body, "/spec/template/spec/containers/0/env");
        assert_eq!(*env, json!([{ "name": "B", "value": "2" }]));
        server.until(path, "observed", |object| *at(object, "/status/observedGeneration") == json!(2)).await;
    })
    .await;
}

#[tokio::test]
async fn labels_are_no_new_generation_but_annotations_are() {
    contract("generation", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/generation/deployments/web";
        server.apply(path, &deployment(0, &json!([]))).await;
        let labelled = server.merge(path, &json!({ "metadata": { "labels": { "more": "x" } } })).await;
        assert_eq!(*at(&labelled.body, "/metadata/generation"), json!(1));
        let annotated = server.merge(path, &json!({ "metadata": { "annotations": { "more": "x" } } })).await;
        assert_eq!(*at(&annotated.body, "/metadata/generation"), json!(2));
        let status = server.merge(path, &json!({ "status": { "replicas": 9 } })).await;
        assert_eq!(*at(&status.body, "/metadata/generation"), json!(2));
        assert_ne!(*at(&status.body, "/status/replicas"), json!(9));
    })
    .await;
}

#[tokio::test]
async fn a_conflict_names_field_and_manager_until_it_is_forced() {
    contract("conflict", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/conflict/deployments/web";
        server.apply(path, &deployment(0, &json!([]))).await;
        server.merge(path, &json!({ "spec": { "replicas": 1, "minReadySeconds": 3 } })).await;
        let refused = server.apply(path, &deployment(0, &json!([]))).await;
        assert_eq!((refused.code, &refused.body["reason"]), (409, &json!("Conflict")));
        assert_eq!(
            refused.body["message"],
            "Apply failed with 1 conflict: conflict with \"editor\" using apps/v1: .spec.replicas"
        );
        let cause = &refused.body["details"]["causes"][0];
        assert_eq!(
            (&cause["reason"], &cause["field"]),
            (&json!("FieldManagerConflict"), &json!(".spec.replicas"))
        );
        let forced = format!("{path}?fieldManager=slipway&force=true");
        let body = deployment(0, &json!([])).to_string();
        let forced = server.send(Method::PATCH, &forced, "application/apply-patch+yaml", &body).await;
        assert_eq!((forced.code, at(&forced.body, "/spec/replicas")), (200, &json!(0)));
        assert_eq!(*at(&forced.body, "/spec/minReadySeconds"), json!(3));
    })
    .await;
}

#[tokio::test]
async fn yaml_is_understood_and_a_manager_is_needed() {
    contract("yaml", async |server: Server| {
        let path = "/api/v1/namespaces/yaml/configmaps/a";
        let body =
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  text: |\n    two\n    lines\n";
        let kind = "application/apply-patch+yaml";
        let nobody = server.send(Method::PATCH, path, kind, body).await;
        assert!(matches!(nobody.code, 400 | 422), "{}", nobody.text);
        assert!(nobody.text.contains("is required for apply patch"), "{}", nobody.text);
        let path = format!("{path}?fieldManager=somebody+else");
        let created = server.send(Method::PATCH, &path, kind, body).await;
        assert_eq!((created.code, at(&created.body, "/data/text")), (201, &json!("two\nlines\n")));
        assert_eq!(*at(&created.body, "/metadata/managedFields/0/manager"), json!("somebody else"));
        let mut managed = created.body.clone();
        managed["metadata"]["resourceVersion"] = Value::Null;
        let refused = server.send(Method::PATCH, &path, kind, &managed.to_string()).await;
        assert_eq!(refused.code, 400, "{}", refused.text);
        let broken = server.send(Method::PATCH, &path, kind, "a: [").await;
        assert_eq!(broken.code, 400, "{}", broken.text);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_field_is_not_swallowed() {
    contract("unknown", async |server: Server| {
        let mut object = deployment(0, &json!([]));
        object["spec"]["replica"] = 2.into();
        let answer = server.apply("/apis/apps/v1/namespaces/unknown/deployments/web", &object).await;
        // 1.20 answers 500 here, later servers 400.
        assert!(matches!(answer.code, 400 | 500), "{}", answer.text);
        assert!(answer.text.contains("field not declared in schema"), "{}", answer.text);
    })
    .await;
}
