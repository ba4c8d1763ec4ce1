//! Tables for `kubectl get`: the columns people expect.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::objects::json::{integer, list, pairs, seconds_since, text};
use crate::objects::resources::Resource;

/// Whether the client asks for a table.
pub fn wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').next().is_some_and(|first| first.contains("as=Table") && first.contains("v=v1;"))
        || accept
            .split(',')
            .next()
            .is_some_and(|first| first.contains("as=Table") && first.trim_end().ends_with("v=v1"))
}

/// The objects as rows.
pub fn render(resource: &Resource, objects: &[Arc<Value>], revision: u64) -> Value {
    let columns: Vec<Value> = columns(resource)
        .iter()
        .map(|name| json!({ "name": name, "type": "string", "format": if *name == "Name" { "name" } else { "" }, "description": "", "priority": 0 }))
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let partial = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            });
            json!({ "cells": cells(resource, object), "object": partial })
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": revision.to_string() },
        "columnDefinitions": columns, "rows": rows,
    })
}

fn columns(resource: &Resource) -> &'static [&'static str] {
    match resource.plural {
        "pods" => &["Name", "Ready", "Status", "Restarts", "Age"],
        "deployments" => &["Name", "Ready", "Up-to-date", "Available", "Age"],
        "replicasets" => &["Name", "Desired", "Current", "Ready", "Age"],
        "statefulsets" => &["Name", "Ready", "Age"],
        "daemonsets" => {
            &["Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age"]
        }
        "jobs" => &["Name", "Status", "Completions", "Duration", "Age"],
        "cronjobs" => &["Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"],
        "controllerrevisions" => &["Name", "Controller", "Revision", "Age"],
        "nodes" => &["Name", "Status", "Roles", "Age", "Version"],
        "services" => &["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
        "namespaces" => &["Name", "Status", "Age"],
        "configmaps" => &["Name", "Data", "Age"],
        "secrets" => &["Name", "Type", "Data", "Age"],
        "endpoints" => &["Name", "Endpoints", "Age"],
        "events" => &["Last Seen", "Type", "Reason", "Object", "Message"],
        _ => &["Name", "Age"],
    }
}

fn cells(resource: &Resource, object: &Value) -> Vec<String> {
    let number = |pointer: &str| integer(object, pointer).unwrap_or(0).to_string();
    let middle = match resource.plural {
        "pods" => pod(object),
        "deployments" => vec![
            format!("{}/{}", number("/status/readyReplicas"), number("/spec/replicas")),
            number("/status/updatedReplicas"),
            number("/status/availableReplicas"),
        ],
        "replicasets" => {
            vec![number("/spec/replicas"), number("/status/replicas"), number("/status/readyReplicas")]
        }
        "statefulsets" => vec![format!("{}/{}", number("/status/readyReplicas"), number("/spec/replicas"))],
        "daemonsets" => daemon_set(object),
        "jobs" => job(object),
        "cronjobs" => {
            let suspended = object["spec"]["suspend"] == true;
            let parts = [
                text(object, "/spec/schedule"),
                "<none>",
                if suspended { "True" } else { "False" },
                "0",
                "<none>",
            ];
            parts.map(str::to_owned).to_vec()
        }
        "controllerrevisions" => {
            let owner = list(object, "/metadata/ownerReferences").first().unwrap_or(&Value::Null);
            let owner = format!("{}/{}", text(owner, "/kind").to_lowercase(), text(owner, "/name"));
            vec![owner, number("/revision")]
        }
        "nodes" => vec!["Ready".to_owned(), "<none>".to_owned()],
        "services" => {
            let ports = list(object, "/spec/ports").iter();
            let ports: Vec<String> =
                ports.map(|port| format!("{}/{}", port["port"], text(port, "/protocol"))).collect();
            let (kind, address) = (text(object, "/spec/type"), text(object, "/spec/clusterIP"));
            vec![kind.to_owned(), address.to_owned(), "<none>".to_owned(), ports.join(",")]
        }
        "namespaces" => vec![text(object, "/status/phase").to_owned()],
        "configmaps" => vec![pairs(object, "/data").len().to_string()],
        "secrets" => vec![text(object, "/type").to_owned(), pairs(object, "/data").len().to_string()],
        "endpoints" => vec![endpoints(object)],
        "events" => {
            let involved = &object["involvedObject"];
            return vec![
                age(text(object, "/lastTimestamp")),
                text(object, "/type").to_owned(),
                text(object, "/reason").to_owned(),
                format!("{}/{}", text(involved, "/kind").to_lowercase(), text(involved, "/name")),
                text(object, "/message").to_owned(),
            ];
        }
        _ => Vec::new(),
    };
    let mut cells = vec![text(object, "/metadata/name").to_owned()];
    cells.extend(middle);
    cells.push(age(text(object, "/metadata/creationTimestamp")));
    if resource.plural == "nodes" {
        cells.push(text(object, "/status/nodeInfo/kubeletVersion").to_owned());
    }
    cells
}

fn daemon_set(set: &Value) -> Vec<String> {
    let fields = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let number = |field: &&str| integer(&set["status"], &format!("/{field}")).unwrap_or(0).to_string();
    let selector = pairs(set, "/spec/template/spec/nodeSelector");
    let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let selector = if selector.is_empty() { "<none>".to_owned() } else { selector.join(",") };
    fields.iter().map(number).chain([selector]).collect()
}

fn job(job: &Value) -> Vec<String> {
    let holds = |kind: &str| {
        let conditions = list(job, "/status/conditions").iter();
        conditions
            .filter(|condition| condition["status"] == "True")
            .any(|condition| condition["type"] == kind)
    };
    let known = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
    let status = known.into_iter().find(|kind| holds(kind)).unwrap_or("Running");
    let succeeded = integer(job, "/status/succeeded").unwrap_or(0);
    let wanted = integer(job, "/spec/completions").map_or("1 of any".to_owned(), |number| number.to_string());
    let duration = match (text(job, "/status/startTime"), text(job, "/status/completionTime")) {
        ("", _) => String::new(),
        (start, "") => age(start),
        (start, end) => {
            let between = seconds_since(start).zip(seconds_since(end)).map_or(0, |(start, end)| start - end);
            spoken(between)
        }
    };
    vec![status.to_owned(), format!("{succeeded}/{wanted}"), duration]
}

fn pod(pod: &Value) -> Vec<String> {
    let statuses = list(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let restarts: i64 = statuses.iter().filter_map(|status| integer(status, "/restartCount")).sum();
    let mut reasons = statuses.iter().flat_map(|status| {
        ["/state/waiting/reason", "/state/terminated/reason"].map(|pointer| text(status, pointer))
    });
    let status = if text(pod, "/metadata/deletionTimestamp").is_empty() {
        reasons.rfind(|reason| !reason.is_empty()).unwrap_or_else(|| text(pod, "/status/phase"))
    } else {
        "Terminating"
    };
    let total = list(pod, "/spec/containers").len();
    vec![format!("{ready}/{total}"), status.to_owned(), restarts.to_string()]
}

fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for port in list(subset, "/ports") {
            let addresses = list(subset, "/addresses").iter();
            all.extend(addresses.map(|address| format!("{}:{}", text(address, "/ip"), port["port"])));
        }
    }
    if all.is_empty() { "<none>".to_owned() } else { all.join(",") }
}

/// As kubectl writes ages: the two largest units at most.
fn age(time: &str) -> String {
    let Some(seconds) = seconds_since(time).map(|seconds| seconds.max(0)) else {
        return "<unknown>".to_owned();
    };
    spoken(seconds)
}

fn spoken(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 > 0 => format!("{}m{}s", seconds / 60, seconds % 60),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
