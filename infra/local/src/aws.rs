//! A small client for the local AWS: plain HTTP, no signatures, the three wire forms its services speak.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_ministack::{CREDENTIAL, REGION};
use serde_json::Value;

/// The local AWS at one endpoint.
#[derive(Debug, Clone)]
pub struct Aws {
    endpoint: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Aws {
    /// A client of the AWS at `endpoint`, such as `http://127.0.0.1:4566`.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Where it is, without a slash at its end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls an operation of a JSON service; `target` is the value of `X-Amz-Target`.
    ///
    /// # Errors
    /// When it does not answer, or answers with an error.
    pub async fn json(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .request(Method::POST, service, "/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        let answer = self.send(request, body.to_string()).await.with_context(|| target.to_owned())?;
        if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer)?) }
    }

    /// Calls an operation of a Query service with form parameters and gives its XML back.
    ///
    /// # Errors
    /// As [`Aws::json`].
    pub async fn query(&self, service: &str, parameters: &[(String, String)]) -> anyhow::Result<String> {
        let request = self
            .request(Method::POST, service, "/")
            .header("content-type", "application/x-www-form-urlencoded");
        let form: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let answer = self.send(request, form.join("&")).await.with_context(|| service.to_owned())?;
        Ok(String::from_utf8(answer.into())?)
    }

    /// Calls a REST service and gives the body back.
    ///
    /// # Errors
    /// As [`Aws::json`].
    pub async fn rest(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Bytes> {
        let request = self.request(method, service, path);
        self.send(request, body).await.with_context(|| format!("{service} {path}"))
    }

    fn request(&self, method: Method, service: &str, path: &str) -> hyper::http::request::Builder {
        // The local AWS reads the service's name from the credential scope and checks no signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={CREDENTIAL}/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header("authorization", authorization)
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Bytes> {
        let request = request.body(Full::new(body.into()))?;
        let response = self.client.request(request).await.context("the local AWS does not answer")?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status >= StatusCode::BAD_REQUEST {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// Percent-encodes everything but what a form takes as it is.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
