//! The `scale` subresource: `autoscaling/v1` Scale of workloads.

use axum::http::{Method, StatusCode, request::Parts};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::api::request::{Parameters, Target, content_type, parse_body};
use crate::api::{Api, json as json_answer, manager};
use crate::objects::lifecycle::Writer;
use crate::objects::store::Key;
use crate::objects::{json as read, patch};

/// Answers a request on a scale.
///
/// # Errors
/// 404, 405, or why the new number is refused.
pub fn answer(
    api: &Api,
    target: &Target,
    parts: &Parts,
    parameters: &Parameters,
    body: &[u8],
) -> Result<Response, Failure> {
    let name = target.name.as_deref().ok_or_else(Failure::no_such_path)?;
    let key = Key::new(target.resource, &target.namespace, name);
    if parts.method == Method::GET {
        let workload =
            api.objects.store.get(&key).ok_or_else(|| Failure::not_found(target.resource, name))?;
        return Ok(answer_json(&workload));
    }
    if ![Method::PUT, Method::PATCH].contains(&parts.method) {
        return Err(Failure::method_not_allowed());
    }
    let change = parse_body(&parts.headers, body)?;
    let writer = Writer {
        manager: manager(parameters, &parts.headers),
        status: false,
        dry_run: parameters.text("dryRun") == "All",
    };
    let workload = api.objects.update(target.resource, &key, &writer, |before| {
        let mut scale = scale_of(before);
        match (&parts.method, content_type(&parts.headers)) {
            (&Method::PUT, _) => scale = change,
            (_, "application/json-patch+json") => patch::json_patch(&mut scale, &change)?,
            _ => patch::merge(&mut scale, &change),
        }
        let replicas = read::integer(&scale, "/spec/replicas");
        let replicas = replicas.ok_or_else(|| Failure::bad_request("a Scale carries `spec.replicas`"))?;
        let mut after = before.clone();
        after["spec"]["replicas"] = replicas.into();
        after["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
        Ok(after)
    })?;
    Ok(answer_json(&workload))
}

fn answer_json(workload: &Value) -> Response {
    json_answer(StatusCode::OK, &scale_of(workload))
}

fn scale_of(workload: &Value) -> Value {
    let selector = read::pairs(workload, "/spec/selector/matchLabels");
    let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let metadata = &workload["metadata"];
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": workload["spec"]["replicas"] },
        "status": {
            "replicas": read::integer(workload, "/status/replicas").unwrap_or(0), "selector": selector.join(","),
        },
    })
}
