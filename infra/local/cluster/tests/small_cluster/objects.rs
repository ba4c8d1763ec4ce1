//! Objects: created, read, selected, changed and deleted, and refused where they are wrong.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::{Server, at, cluster, contract};

fn config(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels },
        "data": { "key": "value" },
    })
}

#[tokio::test]
async fn discovery_names_what_is_served() {
    contract("discovery", async |server: Server| {
        assert!(server.get("/version").await.body["gitVersion"].as_str().is_some());
        assert_eq!(server.get("/api").await.body["versions"], json!(["v1"]));
        let groups = server.get("/apis").await.body;
        assert!(groups["groups"].as_array().expect("groups").iter().any(|group| group["name"] == "apps"));
        for (path, kinds) in [
            ("/api/v1", &["Pod", "Service", "ConfigMap", "Secret", "Namespace", "Event"][..]),
            ("/apis/apps/v1", &["Deployment", "ReplicaSet"]),
        ] {
            let list = server.get(path).await.body;
            let served = list["resources"].as_array().expect("resources");
            for kind in kinds {
                assert!(served.iter().any(|resource| resource["kind"] == **kind), "{kind} in {path}");
            }
        }
        assert_eq!(server.get("/readyz").await.text, "ok");
    })
    .await;
}

#[tokio::test]
async fn an_object_lives_and_dies() {
    contract("life", async |server: Server| {
        let all = "/api/v1/namespaces/life/configmaps";
        let created = server.create(all, &config("a", &json!({ "app": "a" }))).await;
        assert_eq!(created.code, 201, "{}", created.text);
        assert!(at(&created.body, "/metadata/uid").is_string());
        assert!(at(&created.body, "/metadata/creationTimestamp").is_string());
        let again = server.create(all, &config("a", &json!({}))).await;
        assert_eq!((again.code, &again.body["reason"]), (409, &json!("AlreadyExists")));

        let mut changed = created.body.clone();
        changed["data"]["key"] = "other".into();
        let path = format!("{all}/a");
        let updated = server.send(Method::PUT, &path, "application/json", &changed.to_string()).await;
        assert_eq!((updated.code, &updated.body["data"]["key"]), (200, &json!("other")));
        let stale = server.send(Method::PUT, &path, "application/json", &changed.to_string()).await;
        assert_eq!((stale.code, &stale.body["reason"]), (409, &json!("Conflict")));

        let deleted = server.delete(&path).await;
        assert_eq!((deleted.code, &deleted.body["status"]), (200, &json!("Success")));
        let gone = server.get(&path).await;
        assert_eq!((gone.code, &gone.body["reason"]), (404, &json!("NotFound")));
        assert_eq!(gone.body["message"], "configmaps \"a\" not found");
    })
    .await;
}

#[tokio::test]
async fn lists_are_selected() {
    contract("lists", async |server: Server| {
        let all = "/api/v1/namespaces/lists/configmaps";
        for name in ["a", "b", "c"] {
            let labels = json!({ "app": name, "team": if name == "c" { "x" } else { "y" } });
            assert_eq!(server.create(all, &config(name, &labels)).await.code, 201);
        }
        let names = async |query: &str| {
            let list = server.get(&format!("{all}?{query}")).await.body;
            assert!(at(&list, "/metadata/resourceVersion").is_string());
            let items = list["items"].as_array().expect("items").clone();
            let names = items.iter().filter_map(|item| at(item, "/metadata/name").as_str());
            names.filter(|name| !name.contains("root-ca")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("labelSelector=team%3Dy").await, "a b");
        assert_eq!(names("labelSelector=app+in+%28b%2Cc%29").await, "b c");
        assert_eq!(names("labelSelector=team,app!%3Da").await, "b c");
        assert_eq!(names("fieldSelector=metadata.name%3Db").await, "b");
        let bad = server.get(&format!("{all}?labelSelector=a+in+b")).await;
        assert_eq!(bad.code, 400, "{}", bad.text);
        let all_namespaces = server.get("/api/v1/configmaps?labelSelector=team").await.body;
        assert_eq!(all_namespaces["items"].as_array().map(Vec::len), Some(3));
    })
    .await;
}

#[tokio::test]
async fn patches_of_every_kind() {
    contract("patches", async |server: Server| {
        let all = "/api/v1/namespaces/patches/configmaps";
        let path = format!("{all}/a");
        server.create(all, &config("a", &json!({ "app": "a" }))).await;
        let merged = server.merge(&path, &json!({ "data": { "more": "1" } })).await;
        assert_eq!((merged.code, &merged.body["data"]), (200, &json!({ "key": "value", "more": "1" })));
        let before = at(&merged.body, "/metadata/resourceVersion").clone();
        let nothing = server.merge(&path, &json!({ "data": { "more": "1" } })).await;
        assert_eq!(*at(&nothing.body, "/metadata/resourceVersion"), before);
        let strategic = "application/strategic-merge-patch+json";
        let removed = server.send(Method::PATCH, &path, strategic, r#"{"data":{"more":null}}"#).await;
        assert_eq!(removed.body["data"], json!({ "key": "value" }));
        let operations = r#"[{"op":"replace","path":"/data/key","value":"x"}]"#;
        let replaced = server.send(Method::PATCH, &path, "application/json-patch+json", operations).await;
        assert_eq!(replaced.body["data"], json!({ "key": "x" }));
        let unknown = server.send(Method::PATCH, &path, "text/plain", "x").await;
        assert_eq!(unknown.code, 415, "{}", unknown.text);
        let stale = server.merge(&path, &json!({ "metadata": { "resourceVersion": "1" } })).await;
        assert_eq!(stale.code, 409, "{}", stale.text);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_said_in_kubernetes_words() {
    contract("wrong", async |server: Server| {
        let check = async |path: &str, object: Value, code: u16, expect: &str| {
            let answer = server.create(path, &object).await;
            assert_eq!(answer.code, code, "{}", answer.text);
            let message = answer.body["message"].as_str().expect("a message");
            assert!(message.contains(expect), "`{message}` does not say `{expect}`");
        };
        let deployments = "/apis/apps/v1/namespaces/wrong/deployments";
        let deployment = |name: &str, label: &str, container: Value| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
                "spec": {
                    "selector": { "matchLabels": { "app": "a" } },
                    "template": { "metadata": { "labels": { "app": label } }, "spec": { "containers": [container] } },
                },
            })
        };
        let good = json!({ "name": "web", "image": "any" });
        let bad_name = "metadata.name: Invalid value: \"A_b\"";
        check(deployments, deployment("A_b", "a", good.clone()), 422, bad_name).await;
        let no_image = "spec.template.spec.containers[0].image: Required value";
        check(deployments, deployment("a", "a", json!({ "name": "web" })), 422, no_image).await;
        let mismatch = "`selector` does not match template `labels`";
        check(deployments, deployment("a", "b", good.clone()), 422, mismatch).await;
        let mount = json!({ "name": "web", "image": "a", "volumeMounts": [{ "name": "x", "mountPath": "/x" }] });
        check(deployments, deployment("a", "a", mount), 422, "volumeMounts[0].name: Not found: \"x\"").await;
        let services = "/api/v1/namespaces/wrong/services";
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "1a" }, "spec": { "ports": [{ "port": 80 }] } });
        check(services, service, 422, "metadata.name: Invalid value: \"1a\"").await;
        check("/api/v1/namespaces/nowhere/configmaps", config("a", &json!({})), 404, "namespaces \"nowhere\" not found").await;
        check(deployments, config("a", &json!({})), 400, "cannot be handled as a Deployment").await;

        let created = server.create(deployments, &deployment("a", "a", good.clone())).await;
        assert_eq!(created.code, 201, "{}", created.text);
        let path = format!("{deployments}/a");
        let selector = json!({ "spec": { "selector": { "matchLabels": { "app": "b" } }, "template": { "metadata": { "labels": { "app": "b" } } } } });
        let answer = server.merge(&path, &selector).await;
        assert_eq!(answer.code, 422);
        assert!(answer.text.contains("field is immutable"), "{}", answer.text);
        assert_eq!(answer.body["details"]["causes"][0]["field"], "spec.selector");
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    contract("dry", async |server: Server| {
        let all = "/api/v1/namespaces/dry/configmaps";
        let answer = server.create(&format!("{all}?dryRun=All"), &config("a", &json!({}))).await;
        assert_eq!(answer.code, 201, "{}", answer.text);
        assert_eq!(server.get(&format!("{all}/a")).await.code, 404);
    })
    .await;
}

#[tokio::test]
async fn deletion_reaches_what_is_owned_and_contained() {
    contract("owned", async |server: Server| {
        let all = "/api/v1/namespaces/owned/configmaps";
        let owner = server.create(all, &config("owner", &json!({}))).await.body;
        let mut child = config("child", &json!({}));
        child["metadata"]["ownerReferences"] =
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"] }]);
        assert_eq!(server.create(all, &child).await.code, 201);
        server.delete(&format!("{all}/owner")).await;
        server.until_gone(&format!("{all}/child")).await;

        server.make_namespace("owned-inner").await;
        let inner = "/api/v1/namespaces/owned-inner";
        server.create(&format!("{inner}/configmaps"), &config("a", &json!({}))).await;
        server.delete(inner).await;
        server.until_gone(inner).await;
        assert_eq!(server.get(&format!("{inner}/configmaps/a")).await.code, 404);
    })
    .await;
}

#[tokio::test]
async fn tokens_open_what_they_are_for() {
    cluster("tokens", async |server: Server| {
        let path = "/api/v1/namespaces/tokens/configmaps";
        let get = async |token: &str, path: &str| server.send_as(token, Method::GET, path, "", "").await;
        for token in ["", "wrong"] {
            let answer = get(token, path).await;
            assert_eq!((answer.code, &answer.body["reason"]), (401, &json!("Unauthorized")));
        }
        assert_eq!(get("reader", path).await.code, 200);
        let body = config("a", &json!({})).to_string();
        let refused = server.send_as("reader", Method::POST, path, "application/json", &body).await;
        assert_eq!((refused.code, &refused.body["reason"]), (403, &json!("Forbidden")));
        assert_eq!(
            refused.body["message"],
            "configmaps is forbidden: User \"reader\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"tokens\""
        );
        assert_eq!(get("reader", "/api/v1/secrets").await.code, 403);
        assert_eq!(get("stranger", path).await.code, 403);
        assert_eq!(get("", "/healthz").await.code, 200);
    })
    .await;
}

#[tokio::test]
async fn what_this_server_cannot_do_is_refused_rather_than_ignored() {
    cluster("refused", async |server: Server| {
        let pods = "/api/v1/namespaces/refused/pods";
        let pod = |probe: Value, volume: Value| {
            json!({
                "metadata": { "name": "a" },
                "spec": { "containers": [{ "name": "a", "image": "a", "livenessProbe": probe }], "volumes": [volume] },
            })
        };
        let command = json!({ "exec": { "command": ["true"] } });
        let folder = json!({ "name": "x", "hostPath": { "path": "/" } });
        let volume = server.create(pods, &pod(command, folder)).await;
        assert_eq!((volume.code, &volume.body["details"]["causes"][0]["field"]), (422, &json!("spec.volumes[0]")));
        let probe = server.create(pods, &pod(json!({ "grpc": { "port": 1 } }), json!({ "name": "x", "emptyDir": {} }))).await;
        assert_eq!(probe.code, 422, "{}", probe.text);
        assert!(probe.text.contains("livenessProbe.grpc: Forbidden"), "{}", probe.text);
    })
    .await;
}
