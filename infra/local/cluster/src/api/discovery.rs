//! What the server can do, as clients ask for it: groups, resources, version and the smallest `OpenAPI`.

use serde_json::{Map, Value, json};

use crate::api::failure::Failure;
use crate::objects::resources::{ALL, GROUPS, Resource};

/// Answers discovery paths; `None` for all others.
pub fn answer(path: &str) -> Option<Result<Value, Failure>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    Some(Ok(match parts.as_slice() {
        ["version"] => version(),
        ["api"] => json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
        ["apis"] => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS.map(group) }),
        ["apis", name] if GROUPS.contains(name) => group(name),
        ["api", "v1"] => resources(""),
        ["apis", name, "v1"] if GROUPS.contains(name) => resources(name),
        ["openapi", "v3"] => open_api_index(),
        ["openapi", "v3", "api", "v1"] => open_api(""),
        ["openapi", "v3", "apis", name, "v1"] if GROUPS.contains(name) => open_api(name),
        ["apis", _] | ["apis", _, _] | ["openapi", ..] => return Some(Err(Failure::no_such_path())),
        _ => return None,
    }))
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": crate::node::VERSION, "platform": "linux/amd64",
        "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "rustc",
    })
}

fn group(name: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    json!({ "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [version], "preferredVersion": version })
}

fn resources(group: &str) -> Value {
    let mut list = Vec::new();
    for resource in ALL.iter().filter(|resource| resource.group == group) {
        list.push(json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "shortNames": resource.short_names, "categories": categories(resource),
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }));
        let mut subresource = |name: &str, kind: &Value, verbs: &[&str]| {
            let mut entry = json!({
                "name": format!("{}/{name}", resource.plural), "singularName": "", "namespaced": resource.namespaced,
                "verbs": verbs,
            });
            entry
                .as_object_mut()
                .expect("it is an object")
                .extend(kind.as_object().cloned().unwrap_or_default());
            list.push(entry);
        };
        let own = json!({ "kind": resource.kind });
        if resource.has_status {
            subresource("status", &own, &["get", "patch", "update"]);
        }
        if resource.has_scale {
            let scale = json!({ "kind": "Scale", "group": "autoscaling", "version": "v1" });
            subresource("scale", &scale, &["get", "patch", "update"]);
        }
        if resource.plural == "pods" {
            subresource("log", &own, &["get"]);
        }
        if matches!(resource.plural, "pods" | "services") {
            let kind = json!({ "kind": format!("{}ProxyOptions", resource.kind) });
            subresource("proxy", &kind, &["create", "delete", "get", "patch", "update"]);
        }
    }
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": list })
}

fn categories(resource: &Resource) -> &'static [&'static str] {
    match resource.plural {
        "pods" | "services" | "deployments" | "replicasets" | "statefulsets" | "daemonsets" | "jobs"
        | "cronjobs" => &["all"],
        _ => &[],
    }
}

fn open_api_index() -> Value {
    let groups = GROUPS.iter().map(|group| format!("apis/{group}/v1"));
    let paths: Map<String, Value> = std::iter::once("api/v1".to_owned())
        .chain(groups)
        .map(|path| (path.clone(), json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash=1") })))
        .collect();
    json!({ "paths": paths })
}

/// Only what kubectl looks for: that writes take `fieldValidation`, so that it leaves validation to the server.
fn open_api(group: &str) -> Value {
    let parameter = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    let prefix = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
    let mut paths = Map::new();
    for resource in ALL.iter().filter(|resource| resource.group == group) {
        let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let kind = json!({ "group": group, "kind": resource.kind, "version": "v1" });
        let operation = json!({
            "x-kubernetes-group-version-kind": kind,
            "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")],
            "responses": { "200": { "description": "OK" } },
        });
        let path = format!("{prefix}{scope}/{}", resource.plural);
        paths.insert(format!("{path}/{{name}}"), json!({ "patch": operation, "put": operation }));
        paths.insert(path, json!({ "post": operation }));
    }
    json!({ "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "v1.33.0" }, "paths": paths })
}
