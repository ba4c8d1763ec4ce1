//! Server-side apply: codes, ownership of fields, merge keys, removal, conflicts.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::lab::{Fate, Space, config_map, deployment, service, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        applying_creates_changes_and_does_nothing,
        a_conflict_names_field_and_manager_until_it_is_forced,
        what_is_no_longer_applied_goes_unless_somebody_else_wants_it,
        items_of_lists_are_told_apart_by_their_keys,
        an_atomic_field_is_replaced_as_a_whole,
        who_updates_owns_what_changes,
        a_struct_goes_with_the_defaults_in_it,
    ]
}

/// A Deployment without pods, with these variables.
fn idle(space: &Space, variables: &Value) -> Value {
    let idle = deployment(&space.name, "1", space.lab.pod(Fate::Serves));
    with(idle, &[("/spec/replicas", json!(0)), ("/spec/template/spec/containers/0/env", variables.clone())])
}

async fn applying_creates_changes_and_does_nothing(space: Arc<Space>) -> Told {
    let one = idle(&space, &json!([{ "name": "A", "value": "1" }]));
    let created = space.apply(&one).await?.expect(201)?;
    ensure!(created["metadata"]["generation"] == 1 && created["spec"]["strategy"]["type"] == "RollingUpdate");
    ensure!(created["spec"]["progressDeadlineSeconds"] == 600, "{created}");
    let entry = manager(&created, "slipway").context("a manager")?;
    ensure!(
        entry["operation"] == "Apply" && entry["fieldsV1"]["f:spec"]["f:template"].is_object(),
        "{entry}"
    );
    space
        .until("Deployment", "web", "observed", |object| object["status"]["observedGeneration"] == 1)
        .await?;
    let again = space.apply(&one).await?.expect(200)?;
    ensure!(again["metadata"]["generation"] == 1 && again["spec"] == created["spec"], "{again}");
    let changed = space.apply(&idle(&space, &json!([{ "name": "B", "value": "2" }]))).await?.expect(200)?;
    ensure!(changed["metadata"]["generation"] == 2, "{changed}");
    let variables = &changed["spec"]["template"]["spec"]["containers"][0]["env"];
    ensure!(*variables == json!([{ "name": "B", "value": "2" }]), "{variables}");
    Ok(None)
}

/// The entry of a manager.
fn manager<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["metadata"]["managedFields"].as_array()?.iter().find(|entry| entry["manager"] == name)
}

async fn a_conflict_names_field_and_manager_until_it_is_forced(space: Arc<Space>) -> Told {
    let wanted = idle(&space, &json!([]));
    space.apply(&wanted).await?.expect(201)?;
    let change = json!({ "spec": { "replicas": 1, "minReadySeconds": 3 } });
    space.merge("Deployment", "web", &change).await?.expect(200)?;
    let refused = space.apply(&wanted).await?.expect(409)?;
    ensure!(refused["reason"] == "Conflict", "{refused}");
    let cause = &refused["details"]["causes"][0];
    ensure!(cause["reason"] == "FieldManagerConflict" && cause["field"] == ".spec.replicas", "{cause}");
    ensure!(
        cause["message"].as_str().is_some_and(|text| text.contains("conflict with \"editor\"")),
        "{cause}"
    );
    let forced = space.apply_with(&wanted, "fieldManager=slipway&force=true").await?.expect(200)?;
    ensure!(forced["spec"]["replicas"] == 0 && forced["spec"]["minReadySeconds"] == 3, "{forced}");
    let theirs = manager(&forced, "editor").context("it keeps the other field")?;
    ensure!(theirs["fieldsV1"]["f:spec"] == json!({ "f:minReadySeconds": {} }), "{theirs}");
    space.apply(&wanted).await?.expect(200)?;
    Ok(None)
}

async fn what_is_no_longer_applied_goes_unless_somebody_else_wants_it(space: Arc<Space>) -> Told {
    let both = json!({ "mine": "a", "shared": "b" });
    let map = |data: &Value| with(config_map(&space.name, ""), &[("/data", data.clone())]);
    space.apply(&map(&both)).await?.expect(201)?;
    space.apply_with(&map(&json!({ "shared": "b" })), "fieldManager=other").await?.expect(200)?;
    let left = space.apply(&map(&json!({ "new": "c" }))).await?.expect(200)?;
    ensure!(left["data"] == json!({ "shared": "b", "new": "c" }), "{left}");
    let left = space.apply_with(&map(&json!({ "last": "d" })), "fieldManager=other").await?.expect(200)?;
    ensure!(left["data"] == json!({ "new": "c", "last": "d" }), "{left}");
    Ok(None)
}

async fn items_of_lists_are_told_apart_by_their_keys(space: Arc<Space>) -> Told {
    let mut wanted = idle(&space, &json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]));
    wanted["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{ "containerPort": 53, "protocol": "UDP" }, { "containerPort": 53, "protocol": "TCP" }]);
    space.apply(&wanted).await?.expect(201)?;
    // Somebody else adds a container and a variable: other items.
    let mut theirs =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": wanted["metadata"].clone() });
    theirs["spec"]["template"]["spec"]["containers"] = json!([
        { "name": "app", "env": [{ "name": "C", "value": "3" }] }, { "name": "sidecar", "image": "any" },
    ]);
    space.apply_with(&theirs, "fieldManager=other").await?.expect(200)?;
    let container = &mut wanted["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([{ "name": "B", "value": "9" }]);
    container["ports"] = json!([{ "containerPort": 53, "protocol": "TCP" }]);
    let merged = space.apply(&wanted).await?.expect(200)?;
    let containers = &merged["spec"]["template"]["spec"]["containers"];
    let names: Vec<&Value> =
        containers.as_array().context("a list")?.iter().map(|one| &one["name"]).collect();
    ensure!(names == ["app", "sidecar"], "{names:?}");
    let variables = &containers[0]["env"];
    ensure!(
        *variables == json!([{ "name": "B", "value": "9" }, { "name": "C", "value": "3" }]),
        "{variables}"
    );
    ensure!(
        containers[0]["ports"] == json!([{ "containerPort": 53, "protocol": "TCP" }]),
        "{}",
        containers[0]
    );
    Ok(None)
}

async fn an_atomic_field_is_replaced_as_a_whole(space: Arc<Space>) -> Told {
    let two = with(service(&space.name), &[("/spec/selector", json!({ "app": "a", "tier": "b" }))]);
    space.apply(&two).await?.expect(201)?;
    let other = with(service(&space.name), &[("/spec/selector", json!({ "app": "c" }))]);
    let replaced = space.apply(&other).await?.expect(200)?;
    ensure!(replaced["spec"]["selector"] == json!({ "app": "c" }), "{replaced}");
    ensure!(
        replaced["spec"]["clusterIP"].as_str().is_some_and(|address| address.contains('.')),
        "{replaced}"
    );
    Ok(None)
}

async fn who_updates_owns_what_changes(space: Arc<Space>) -> Told {
    space.apply(&config_map(&space.name, "a")).await?.expect(201)?;
    let changed = space.merge("ConfigMap", "web", &json!({ "data": { "more": "x" } })).await?.expect(200)?;
    let theirs = manager(&changed, "editor").context("a manager")?;
    ensure!(theirs["operation"] == "Update", "{theirs}");
    ensure!(theirs["fieldsV1"]["f:data"]["f:more"] == json!({}), "{theirs}");
    ensure!(theirs["fieldsV1"]["f:data"].get("f:key").is_none(), "{theirs}");
    let gone = space.merge("ConfigMap", "web", &json!({ "data": { "more": null } })).await?.expect(200)?;
    ensure!(gone["data"] == json!({ "key": "a" }), "{gone}");
    Ok(None)
}

async fn a_struct_goes_with_the_defaults_in_it(space: Arc<Space>) -> Told {
    if space.lab.minor().await? < 21 {
        return Ok(Some(
            "Kubernetes 1.20 leaves the defaults of a probe behind, and refuses the rest".to_owned(),
        ));
    }
    let mut wanted = idle(&space, &json!([]));
    space.apply(&wanted).await?.expect(201)?;
    let container = &mut wanted["spec"]["template"]["spec"]["containers"][0];
    container.as_object_mut().context("a container")?.remove("readinessProbe");
    let changed = space.apply(&wanted).await?.expect(200)?;
    let container = &changed["spec"]["template"]["spec"]["containers"][0];
    ensure!(
        container["readinessProbe"].is_null() && container["terminationMessagePath"].is_string(),
        "{container}"
    );
    Ok(None)
}
