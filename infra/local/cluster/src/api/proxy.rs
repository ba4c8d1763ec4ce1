//! The proxies of the API server: any request to a ready pod of a service, or to one pod.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::api::failure::Failure;
use crate::api::request::Target;
use crate::api::{Api, Pods};
use crate::objects::json;
use crate::objects::resources::PODS;
use crate::objects::store::Key;
use crate::services::backends;

/// Sends a request on and its answer back.
///
/// # Errors
/// 404 without the service or pod, 503 without a ready pod or a connection.
pub async fn forward(api: &Api, target: &Target, mut request: Request) -> Result<Response, Failure> {
    let address = address(api, target)?;
    if let Pods::Pretended(_) = &api.pods {
        // Only a ready pod has an address to get here with.
        return Ok(axum::Json(serde_json::json!({ "status": "ok" })).into_response());
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if target.rest.is_empty() { "/" } else { &target.rest };
    let url = format!("http://{address}{path}{query}");
    *request.uri_mut() = url.parse::<Uri>().map_err(|error| Failure::bad_request(error.to_string()))?;
    let headers = request.headers_mut();
    // The token is meant for this server only.
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::CONNECTION);
    if let Ok(host) = HeaderValue::from_str(&address) {
        headers.insert(header::HOST, host);
    }
    *request.version_mut() = axum::http::Version::HTTP_11;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let answer = client.request(request).await;
    let mut answer = answer.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Failure::unavailable(format!("error trying to reach service: {cause}"))
    })?;
    answer.headers_mut().remove(header::CONNECTION);
    Ok(answer.into_response())
}

fn address(api: &Api, target: &Target) -> Result<String, Failure> {
    let name = target.name.as_deref().ok_or_else(Failure::no_such_path)?;
    let parts: Vec<&str> = name.split(':').collect();
    let (scheme, name, port) = match parts.as_slice() {
        [name] => ("", *name, ""),
        [name, port] => ("", *name, *port),
        [scheme, name, port] => (*scheme, *name, *port),
        _ => return Err(Failure::bad_request(format!("invalid service request `{name}`"))),
    };
    if scheme == "https" {
        return Err(Failure::bad_request("this server's proxy speaks http to pods only"));
    }
    let key = Key::new(target.resource, &target.namespace, name);
    let object = api.objects.store.get(&key).ok_or_else(|| Failure::not_found(target.resource, name))?;
    if target.resource == &PODS {
        let address = json::text(&object, "/status/podIP");
        if address.is_empty() {
            return Err(Failure::unavailable(format!("address not allocated for pod \"{name}\"")));
        }
        let first = json::integer(&object, "/spec/containers/0/ports/0/containerPort").unwrap_or(80);
        let port = if port.is_empty() { first.to_string() } else { port.to_owned() };
        return Ok(format!("{address}:{port}"));
    }
    let offered = backends::of(&api.objects, &object);
    let wanted = offered.iter().find(|candidate| {
        (port.is_empty() && offered.len() == 1)
            || candidate.name == port
            || candidate.number.to_string() == port
    });
    let Some(wanted) = wanted else {
        return Err(Failure::unavailable(format!("no service port \"{port}\" found for service \"{name}\"")));
    };
    if wanted.ready.is_empty() {
        return Err(Failure::unavailable(format!("no endpoints available for service \"{name}\"")));
    }
    let (address, port) = &wanted.ready[fastrand::usize(..wanted.ready.len())];
    Ok(format!("{address}:{port}"))
}
