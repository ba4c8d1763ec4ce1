//! Deployments: rolled out, updated without a gap, stuck, scaled and deleted.

use serde_json::{Value, json};

use crate::apps::web;
use crate::server::{Server, at, cluster};

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = at(object, "/status/conditions").as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Whether a deployment's present generation is rolled out, as clients judge it.
fn is_complete(deployment: &Value) -> bool {
    let replicas = at(deployment, "/spec/replicas");
    at(deployment, "/status/observedGeneration") == at(deployment, "/metadata/generation")
        && ["replicas", "updatedReplicas", "availableReplicas"]
            .iter()
            .all(|count| &deployment["status"][*count] == replicas)
        && condition(deployment, "Progressing")["reason"] == "NewReplicaSetAvailable"
}

#[tokio::test]
async fn a_rolling_update_never_leaves_the_service_without_a_pod() {
    cluster("rolling", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/rolling/deployments/web";
        let created = server.apply(path, &web(&server.image, 2, "one", "yes")).await;
        assert_eq!(created.code, 201, "{}", created.text);
        let first = server.until(path, "the first rollout", is_complete).await;
        assert_eq!(condition(&first, "Available")["reason"], "MinimumReplicasAvailable");
        let revision =
            |object: &Value| object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
        assert_eq!((revision(&first), at(&first, "/metadata/generation")), (json!("1"), &json!(1)));

        server.apply(path, &web(&server.image, 2, "two", "yes")).await;
        let second = server
            .until(path, "the second rollout", |object| {
                let available = at(object, "/status/availableReplicas").as_i64().unwrap_or(0);
                assert!(available >= 2, "a pod went before its successor was ready: {object}");
                is_complete(object)
            })
            .await;
        assert_eq!(revision(&second), json!("2"));
        let sets = server.get("/apis/apps/v1/namespaces/rolling/replicasets").await.body;
        let sizes: Vec<(Value, &Value)> = sets["items"]
            .as_array()
            .expect("sets")
            .iter()
            .map(|set| (revision(set), at(set, "/spec/replicas")))
            .collect();
        assert!(
            sizes.contains(&(json!("1"), &json!(0))) && sizes.contains(&(json!("2"), &json!(2))),
            "{sizes:?}"
        );
        for set in sets["items"].as_array().expect("sets") {
            assert_eq!(at(set, "/metadata/ownerReferences/0/uid"), at(&first, "/metadata/uid"));
        }

        server.delete(path).await;
        server.until("/api/v1/namespaces/rolling/pods", "no pods", |list| list["items"] == json!([])).await;
        let label = format!("label=slipway.cloud={}", server.cloud);
        let left =
            server.engine.output(&["ps", "--all", "--quiet", "--filter", &label]).await.expect("a list");
        assert_eq!(left, "", "containers are left");
    })
    .await;
}

#[tokio::test]
async fn a_rollout_that_never_gets_ready_stops_at_its_deadline_with_the_old_pods_serving() {
    cluster("stuck", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/stuck/deployments/web";
        server.apply(path, &web(&server.image, 1, "one", "yes")).await;
        server.until(path, "the first rollout", is_complete).await;
        let mut broken = web(&server.image, 1, "two", "no");
        broken["spec"]["progressDeadlineSeconds"] = 2.into();
        server.apply(path, &broken).await;
        let stuck = server
            .until(path, "the deadline", |object| {
                condition(object, "Progressing")["reason"] == "ProgressDeadlineExceeded"
            })
            .await;
        assert_eq!(condition(&stuck, "Progressing")["status"], "False");
        assert_eq!(*at(&stuck, "/status/availableReplicas"), json!(1));
        assert_eq!(condition(&stuck, "Available")["status"], "True");

        let back = server.apply(path, &web(&server.image, 1, "one", "yes")).await;
        assert_eq!(*at(&back.body, "/metadata/generation"), json!(3));
        let done = server.until(path, "the way back", is_complete).await;
        // The old set is the new one again, under a new number.
        assert_eq!(done["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
        let sets = server.get("/apis/apps/v1/namespaces/stuck/replicasets").await.body;
        assert_eq!(sets["items"].as_array().map(Vec::len), Some(2));
    })
    .await;
}

#[tokio::test]
async fn scaling_and_recreating() {
    cluster("scaling", async |server: Server| {
        let path = "/apis/apps/v1/namespaces/scaling/deployments/web";
        let mut object = web(&server.image, 1, "one", "yes");
        object["spec"]["strategy"] = json!({ "type": "Recreate" });
        server.apply(path, &object).await;
        server.until(path, "the rollout", is_complete).await;
        let scale = format!("{path}/scale");
        assert_eq!(*at(&server.get(&scale).await.body, "/spec/replicas"), json!(1));
        server.merge(&scale, &json!({ "spec": { "replicas": 2 } })).await;
        let scaled = server.until(path, "two pods", is_complete).await;
        assert_eq!(*at(&scaled, "/status/readyReplicas"), json!(2));

        let env = json!([{ "name": "VERSION", "value": "two" }]);
        object["spec"]["template"]["spec"]["containers"][0]["env"] = env;
        object["spec"]["replicas"] = 2.into();
        server.apply(path, &object).await;
        server.until(path, "new pods only", is_complete).await;
        let pods = server.get("/api/v1/namespaces/scaling/pods").await.body;
        for pod in pods["items"].as_array().expect("pods") {
            assert_eq!(
                *at(pod, "/spec/containers/0/env/0/value"),
                json!("two"),
                "an old pod overlaps: {pod}"
            );
        }
        server.merge(&scale, &json!({ "spec": { "replicas": 0 } })).await;
        server.until("/api/v1/namespaces/scaling/pods", "no pods", |list| list["items"] == json!([])).await;
    })
    .await;
}
