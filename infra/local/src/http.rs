//! Reading what the cloud's services show, as a browser would.

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// GETs a JSON document, with a bearer token where one is needed.
///
/// # Errors
/// When nobody answers, or not with 2xx and JSON.
pub async fn get_json(url: &str, token: Option<&str>) -> anyhow::Result<Value> {
    let mut request = Request::get(url).header("user-agent", "slipway").header("accept", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response =
        client.request(request.body(Empty::<Bytes>::new())?).await.with_context(|| format!("GET {url}"))?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("GET {url}: {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("GET {url} gave no JSON"))
}
