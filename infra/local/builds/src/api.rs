//! The wire: one route, the operation named by a header, JSON both ways.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::page::{ListRequest, page};
use crate::{Service, start};

const PREFIX: &str = "CodeBuild_20161006.";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// How long `StopBuild` waits for the container to be gone before it answers.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// CodeBuild's limit on one question.
const MOST_BUILDS_ASKED: usize = 100;

/// The route of the API.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(1024 * 1024)).with_state(service)
}

async fn answer(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = check_signed(&headers) {
        return refusal.into_response();
    }
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(operation) = target.strip_prefix(PREFIX) else {
        return Refusal::unknown_operation().into_response();
    };
    service.options.control.count(operation);
    let fault = service.options.control.api_fault(operation);
    if let Some(fault) = fault.filter(|fault| !fault.has_effect()) {
        return fault.answer().await;
    }
    let answer = answered(&service, target, operation, body).await;
    match fault {
        Some(fault) => fault.answer().await,
        None => answer,
    }
}

async fn answered(service: &Arc<Service>, target: &str, operation: &str, body: Bytes) -> Response {
    let answered = match operation {
        "StartBuild" | "BatchGetBuilds" | "StopBuild" | "ListBuilds" | "ListBuildsForProject" => {
            match serde_json::from_slice(&body) {
                Ok(body) => perform(service, operation, body).await,
                Err(error) => Err(Refusal::invalid(format!("Invalid request provided: {error}"))),
            }
        }
        // Projects live in the local AWS: it answers for them.
        _ => return pass_on(service, target, body).await,
    };
    match answered {
        Ok(answer) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], answer.to_string()).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Signatures are not checked here, but whoever forgets to sign would fail on AWS.
fn check_signed(headers: &HeaderMap) -> Result<(), Refusal> {
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
    let access_key = credential.split('/').next().unwrap_or_default();
    let signed = authorization.starts_with("AWS4-HMAC-SHA256") && !access_key.is_empty();
    if signed { Ok(()) } else { Err(Refusal::not_signed()) }
}

async fn perform(service: &Arc<Service>, operation: &str, body: Value) -> Result<Value, Refusal> {
    match operation {
        "StartBuild" => {
            let entry = start::start(service, &body).await?;
            Ok(json!({ "build": entry.snapshot() }))
        }
        "BatchGetBuilds" => batch_get_builds(service, &body),
        "StopBuild" => stop_build(service, &body).await,
        "ListBuilds" => page(service.registry.ids(None), &list_request(body)?),
        _ => {
            let request = list_request(body)?;
            start::require_project(service, &request.project_name).await?;
            page(service.registry.ids(Some(&request.project_name)), &request)
        }
    }
}

fn list_request(body: Value) -> Result<ListRequest, Refusal> {
    serde_json::from_value(body)
        .map_err(|error| Refusal::invalid(format!("Invalid request provided: {error}")))
}

fn batch_get_builds(service: &Service, body: &Value) -> Result<Value, Refusal> {
    let ids = body.get("ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
    if ids.is_empty() || ids.len() > MOST_BUILDS_ASKED {
        return Err(Refusal::invalid(format!("Between 1 and {MOST_BUILDS_ASKED} build ids must be given")));
    }
    let (mut builds, mut not_found) = (Vec::new(), Vec::new());
    for id in ids {
        match service.registry.find(id) {
            Some(entry) => builds.push(entry.snapshot()),
            None => not_found.push(id),
        }
    }
    Ok(json!({ "builds": builds, "buildsNotFound": not_found }))
}

async fn stop_build(service: &Service, body: &Value) -> Result<Value, Refusal> {
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    let Some(entry) = service.registry.find(id) else {
        return Err(Refusal::not_found(format!("Build {id} not found")));
    };
    entry.stop.send_replace(true);
    let mut ended = entry.ended.subscribe();
    if tokio::time::timeout(STOP_LIMIT, ended.wait_for(|ended| *ended)).await.is_err() {
        tracing::warn!("build {id} has not stopped yet");
    }
    Ok(json!({ "build": entry.snapshot() }))
}

async fn pass_on(service: &Service, target: &str, body: Bytes) -> Response {
    match service.aws.pass_on(target, body).await {
        Ok((status, answer)) => (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], answer).into_response(),
        Err(error) => {
            tracing::error!("{target}: {error:#}");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}
