//! The HTTP API: discovery, objects, watches, logs and the proxies to services and pods.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use local_engine::Engine;

pub mod authentication;
mod discovery;
pub mod failure;
mod logs;
mod objects;
mod proxy;
mod request;
mod scale;
mod table;
mod watch;

use crate::objects::lifecycle::Objects;
use crate::pretended::Pretence;
use authentication::Token;
use failure::Failure;
use request::{Parameters, Target};

/// Bodies beyond this are refused, as by a real server.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// What requests need.
pub struct Api {
    /// The objects.
    pub objects: Arc<Objects>,
    /// Who may do what.
    pub tokens: Vec<Token>,
    /// What runs the pods.
    pub pods: Pods,
}

/// What runs the pods: logs and proxies ask it.
pub enum Pods {
    /// Containers in this engine.
    In(Engine),
    /// Nothing: they are pretended.
    Pretended(Pretence),
}

/// The routes of the server.
pub fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(answer).with_state(api)
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = route(&api, request).await.unwrap_or_else(IntoResponse::into_response);
    tracing::debug!(%method, %uri, status = response.status().as_u16(), "request");
    response
}

async fn route(api: &Api, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path().to_owned();
    if matches!(path.as_str(), "/healthz" | "/readyz" | "/livez") {
        return Ok("ok".into_response());
    }
    let access = authentication::check(&api.tokens, request.headers())?;
    if let Some(answer) = discovery::answer(&path) {
        return answer.map(|body| axum::Json(body).into_response());
    }
    let target = Target::parse(&path)?;
    authentication::authorize(access, request.method(), &target)?;
    match (target.resource.plural, target.subresource.as_str()) {
        ("pods" | "services", "proxy") => proxy::forward(api, &target, request).await,
        ("pods", "log") => logs::read(api, &target, &Parameters::parse(request.uri())?),
        (_, "" | "status" | "scale") => {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, LARGEST_BODY).await;
            let body = body.map_err(|_| Failure::bad_request("the body is too large or broke off"))?;
            on_objects(api, target, &parts, &body)
        }
        _ => Err(Failure::no_such_path()),
    }
}

fn on_objects(api: &Api, target: Target, parts: &Parts, body: &[u8]) -> Result<Response, Failure> {
    let parameters = Parameters::parse(&parts.uri)?;
    let subresource = target.subresource.as_str();
    if subresource == "scale" && target.resource.has_scale {
        return scale::answer(api, &target, parts, &parameters, body);
    }
    if subresource == "scale" || (subresource == "status" && !target.resource.has_status) {
        return Err(Failure::no_such_path());
    }
    let call = objects::Call { api, target: &target, parameters: &parameters, headers: &parts.headers, body };
    match (&parts.method, &target.name) {
        (&Method::GET, _) if parameters.flag("watch") => {
            watch::start(Arc::clone(&api.objects), target, &parameters, &parts.headers)
        }
        (&Method::GET, Some(name)) => call.get(name),
        (&Method::GET, None) => call.list(),
        (&Method::POST, None) => call.create(),
        (&Method::PUT, Some(name)) => call.replace(name),
        (&Method::PATCH, Some(name)) => call.patch(name),
        (&Method::DELETE, Some(name)) => call.delete(name),
        (&Method::DELETE, None) => call.delete_collection(),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// A JSON answer.
fn json(code: StatusCode, body: &serde_json::Value) -> Response {
    (code, axum::Json(body)).into_response()
}

/// The manager of a write: the parameter, else the client's name as a real server takes it.
fn manager(parameters: &Parameters, parts: &axum::http::HeaderMap) -> String {
    let named = parameters.text("fieldManager");
    if !named.is_empty() {
        return named.to_owned();
    }
    let agent = parts.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or("unknown");
    agent.split('/').next().unwrap_or(agent).to_owned()
}
