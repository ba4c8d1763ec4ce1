//! The other services of the local cloud, as far as a build needs them.
//!
//! Projects must pass through as the very JSON they are, so this speaks the wire itself: one POST for each
//! operation of the JSON services, GET and PUT for S3. The local AWS checks no signatures.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of the local AWS.
#[derive(Debug, Clone)]
pub(crate) struct LocalAws {
    endpoint: String,
    region: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl LocalAws {
    pub(crate) fn new(endpoint: &str, region: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), region: region.to_owned(), client }
    }

    /// Hands on an operation of CodeBuild as it came, and its answer as it is.
    pub(crate) async fn pass_on(&self, target: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = self.json_request("codebuild", target, body)?;
        let (parts, body) = self.send(request).await?.into_parts();
        Ok((parts.status, body))
    }

    /// Calls an operation of a JSON service and reads its answer.
    pub(crate) async fn call(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.json_request(service, target, Bytes::from(body.to_string()))?;
        let (parts, body) = self.send(request).await?.into_parts();
        if !parts.status.is_success() {
            bail!("{target}: {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("{target} did not answer with JSON"))
    }

    /// Reads an object; with the version it has, where the bucket keeps versions.
    pub(crate) async fn get_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> anyhow::Result<(Bytes, Option<String>)> {
        let mut path = object_path(bucket, key);
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            path = format!("{path}?versionId={}", encode(version));
        }
        let request = self.request("GET", &path, "s3").body(Full::default())?;
        let (parts, body) = self.send(request).await?.into_parts();
        if !parts.status.is_success() {
            bail!("s3://{bucket}/{key} cannot be read: {}", parts.status);
        }
        let version = parts.headers.get("x-amz-version-id").and_then(|value| value.to_str().ok());
        Ok((body, version.map(str::to_owned)))
    }

    /// Writes an object.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> anyhow::Result<()> {
        let request = self.request("PUT", &object_path(bucket, key), "s3").body(Full::new(body))?;
        let (parts, body) = self.send(request).await?.into_parts();
        if !parts.status.is_success() {
            bail!(
                "s3://{bucket}/{key} cannot be written: {}: {}",
                parts.status,
                String::from_utf8_lossy(&body)
            );
        }
        Ok(())
    }

    /// Calls the image registry, which wants no login here, and gives the body back.
    pub(crate) async fn registry(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: String,
    ) -> anyhow::Result<Bytes> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        let request = request.header(header::CONTENT_TYPE, content_type).header(header::ACCEPT, content_type);
        let (parts, body) = self.send(request.body(Full::new(body.into()))?).await?.into_parts();
        if !parts.status.is_success() {
            bail!("the registry answers {}: {}", parts.status, String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    fn json_request(&self, service: &str, target: &str, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        let request = self.request("POST", "/", service);
        let request = request.header("x-amz-target", target);
        let request = request.header(header::CONTENT_TYPE, "application/x-amz-json-1.1");
        Ok(request.body(Full::new(body))?)
    }

    fn request(&self, method: &str, path: &str, service: &str) -> http::request::Builder {
        let scope = format!("test/20260101/{}/{service}/aws4_request", self.region);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={:064}", 0);
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header(header::AUTHORIZATION, authorization)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let answer = self.client.request(request).await;
        let (parts, body) = answer.context("the local AWS does not answer")?.into_parts();
        let body = body.collect().await.context("the local AWS broke off")?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

fn object_path(bucket: &str, key: &str) -> String {
    let key: Vec<String> = key.split('/').map(encode).collect();
    format!("/{}/{}", encode(bucket), key.join("/"))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let hexadecimal = hex::encode_upper([byte]);
            encoded.push('%');
            encoded.push_str(&hexadecimal);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_written_so_that_every_character_survives() {
        let path = super::object_path("bucket", "sources/a b/c+d.zip");
        assert_eq!(path, "/bucket/sources/a%20b/c%2Bd.zip");
    }
}
