//! The older writes, dry runs, subresources, generations and deletion.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Fate, Space, config_map, deployment, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        a_dry_run_stores_nothing,
        patches_of_every_kind_change_what_they_name,
        status_and_scale_are_written_apart,
        an_object_with_a_finalizer_waits_for_it,
    ]
}

async fn a_dry_run_stores_nothing(space: Arc<Space>) -> Told {
    let (here, dry) = (&space.name, "dryRun=All&fieldManager=slipway");
    let map = config_map(here, "a");
    let told = space.apply_with(&map, dry).await?.expect(201)?;
    ensure!(told["data"]["key"] == "a" && told["metadata"]["uid"].is_string(), "{told}");
    space.get("ConfigMap", "web").await?.expect(404)?;
    let maps = format!("{}?dryRun=All", space.path("ConfigMap", ""));
    space.send(Method::POST, &maps, "application/json", map.to_string()).await?.expect(201)?;
    space.get("ConfigMap", "web").await?.expect(404)?;
    space.apply(&map).await?.expect(201)?;
    let told = space.apply_with(&config_map(here, "b"), dry).await?.expect(200)?;
    ensure!(told["data"]["key"] == "b", "{told}");
    let path = space.path("ConfigMap", "web");
    space.send(Method::DELETE, &format!("{path}?dryRun=All"), "", String::new()).await?.expect(200)?;
    ensure!(space.get("ConfigMap", "web").await?.expect(200)?["data"]["key"] == "a");
    // What would be refused is refused.
    let wrong = with(map, &[("/data", json!("no mapping"))]);
    ensure!(space.apply_with(&wrong, dry).await?.code >= 400);
    Ok(None)
}

async fn patches_of_every_kind_change_what_they_name(space: Arc<Space>) -> Told {
    let idle =
        with(deployment(&space.name, "1", space.lab.pod(Fate::Serves)), &[("/spec/replicas", json!(0))]);
    space.create(&idle).await?.expect(201)?;
    let path = space.path("Deployment", "web");
    let send = async |kind: &str, change: Value| -> anyhow::Result<Value> {
        space
            .send(Method::PATCH, &path, &format!("application/{kind}"), change.to_string())
            .await?
            .expect(200)
    };
    let merged =
        send("merge-patch+json", json!({ "metadata": { "labels": { "more": "x", "app": null } } })).await?;
    ensure!(merged["metadata"]["labels"] == json!({ "more": "x" }), "{merged}");
    let sidecar = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "sidecar", "image": "any" }] } } } });
    let strategic = send("strategic-merge-patch+json", sidecar).await?;
    ensure!(
        strategic["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len) == Some(2),
        "{strategic}"
    );
    let edit = json!([
        { "op": "test", "path": "/spec/replicas", "value": 0 },
        { "op": "replace", "path": "/metadata/labels/more", "value": "y" },
    ]);
    let edited = send("json-patch+json", edit).await?;
    ensure!(edited["metadata"]["labels"]["more"] == "y", "{edited}");
    let wrong = json!([{ "op": "test", "path": "/spec/replicas", "value": 7 }]).to_string();
    ensure!(space.send(Method::PATCH, &path, "application/json-patch+json", wrong).await?.code >= 400);
    space.send(Method::PATCH, &path, "text/plain", "x".to_owned()).await?.expect(415)?;
    Ok(None)
}

async fn status_and_scale_are_written_apart(space: Arc<Space>) -> Told {
    let idle =
        with(deployment(&space.name, "1", space.lab.pod(Fate::Serves)), &[("/spec/replicas", json!(0))]);
    space.create(&idle).await?.expect(201)?;
    let labelled =
        space.merge("Deployment", "web", &json!({ "metadata": { "labels": { "a": "b" } } })).await?;
    ensure!(labelled.expect(200)?["metadata"]["generation"] == 1, "labels are no new generation");
    let status =
        space.merge("Deployment", "web", &json!({ "status": { "replicas": 9 } })).await?.expect(200)?;
    ensure!(status["metadata"]["generation"] == 1 && status["status"]["replicas"] != 9, "{status}");
    let path = format!("{}/scale", space.path("Deployment", "web"));
    let change = json!({ "spec": { "replicas": 1 } }).to_string();
    let scaled =
        space.send(Method::PATCH, &path, "application/merge-patch+json", change).await?.expect(200)?;
    ensure!(scaled["kind"] == "Scale" && scaled["spec"]["replicas"] == 1, "{scaled}");
    let web = space.get("Deployment", "web").await?.expect(200)?;
    ensure!(web["spec"]["replicas"] == 1 && web["metadata"]["generation"] == 2, "{web}");
    let read = space.send(Method::GET, &path, "", String::new()).await?.expect(200)?;
    ensure!(read["status"]["selector"] == "app=web", "{read}");
    Ok(None)
}

async fn an_object_with_a_finalizer_waits_for_it(space: Arc<Space>) -> Told {
    let held = with(config_map(&space.name, "a"), &[("/metadata/finalizers", json!(["example.com/wait"]))]);
    space.create(&held).await?.expect(201)?;
    space.delete("ConfigMap", "web", "").await?.expect(200)?;
    let waiting = space.get("ConfigMap", "web").await?.expect(200)?;
    waiting["metadata"]["deletionTimestamp"].as_str().context("it is being deleted")?;
    space.merge("ConfigMap", "web", &json!({ "metadata": { "finalizers": null } })).await?.expect(200)?;
    space.get("ConfigMap", "web").await?.expect(404)?;
    Ok(None)
}
