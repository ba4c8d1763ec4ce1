//! The objects of the stories.

use domain::task::ObjectName;
use serde_json::{Value, json};

/// What a pod comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is ready, and serves its folder over HTTP on port 8000.
    Serves,
    /// Its container ends at once, again and again.
    Crashes,
    /// Nobody has its image.
    HasNoImage,
    /// It does its work once.
    Succeeds,
    /// It fails at its work.
    Fails,
}

/// The spec of a pod of this image.
pub(super) fn pod(image: &str, fate: Fate) -> Value {
    let script = |text: &str| json!(["python3", "-c", text]);
    let mut container = json!({ "name": "app", "image": image, "imagePullPolicy": "IfNotPresent" });
    match fate {
        Fate::Serves | Fate::HasNoImage => {
            container["command"] = json!(["python3", "-u", "-m", "http.server", "8000"]);
        }
        Fate::Crashes => container["command"] = script("raise SystemExit('the configuration is wrong')"),
        Fate::Succeeds => container["command"] = script("print('the work is done')"),
        Fate::Fails => container["command"] = script("raise SystemExit('the work cannot be done')"),
    }
    if !matches!(fate, Fate::Succeeds | Fate::Fails) {
        container["ports"] = json!([{ "containerPort": 8000, "protocol": "TCP" }]);
        container["readinessProbe"] = json!({ "httpGet": { "path": "/", "port": 8000 }, "periodSeconds": 1 });
    }
    json!({ "terminationGracePeriodSeconds": 1, "containers": [container] })
}

/// An object with some of its fields set, by JSON pointers; objects on the way are made.
pub fn with(mut object: Value, fields: &[(&str, Value)]) -> Value {
    for (pointer, value) in fields {
        let mut place = &mut object;
        for name in pointer.trim_start_matches('/').split('/') {
            place = match (name.parse::<usize>(), place.is_array()) {
                (Ok(index), true) => &mut place[index],
                _ => &mut place[name],
            };
        }
        *place = value.clone();
    }
    object
}

pub fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

pub fn config_map(namespace: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web", "namespace": namespace },
        "data": { "key": value },
    })
}

pub fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "selector": { "app": "web" },
            "ports": [{ "name": "http", "port": 8000, "protocol": "TCP", "targetPort": 8000 }],
        },
    })
}

fn workload(api_version: &str, kind: &str, namespace: &str, version: &str, pod: Value) -> Value {
    let mut workload = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": { "name": "web", "namespace": namespace, "labels": { "app": "web" } },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": { "metadata": { "labels": { "app": "web", "version": version } } },
        },
    });
    workload["spec"]["template"]["spec"] = pod;
    workload
}

/// A Deployment of one pod. Another version is another template.
pub fn deployment(namespace: &str, version: &str, pod: Value) -> Value {
    with(workload("apps/v1", "Deployment", namespace, version, pod), &[("/spec/replicas", json!(1))])
}

pub fn stateful_set(namespace: &str, version: &str, pod: Value) -> Value {
    let set = workload("apps/v1", "StatefulSet", namespace, version, pod);
    with(set, &[("/spec/replicas", json!(3)), ("/spec/serviceName", json!("web"))])
}

pub fn daemon_set(namespace: &str, version: &str, pod: Value) -> Value {
    workload("apps/v1", "DaemonSet", namespace, version, pod)
}

/// A Job whose pods run once and are not started again.
pub fn job(namespace: &str, mut pod: Value) -> Value {
    pod["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "web", "namespace": namespace },
        "spec": { "template": { "spec": pod } },
    })
}

/// The name of an object as the adapter takes it.
pub fn name_of(object: &Value) -> ObjectName {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ObjectName {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
        namespace: text(&object["metadata"]["namespace"]),
        name: text(&object["metadata"]["name"]),
    }
}
