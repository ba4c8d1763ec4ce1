//! The other services of the local cloud, as far as a build needs them.
//!
//! Projects must pass through as the very JSON they are, so this speaks the wire itself: one POST for each
//! operation of the JSON services, GET and PUT for S3. What a build asks for is asked with its role's credentials.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::sign::{self, Credentials, Unsigned};

/// A client of the local AWS.
#[derive(Debug, Clone)]
pub(crate) struct LocalAws {
    endpoint: String,
    region: String,
    credentials: Credentials,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl LocalAws {
    pub(crate) fn new(endpoint: &str, region: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            region: region.to_owned(),
            credentials: Credentials::owner(),
            client,
        }
    }

    /// The same for whoever has the role: what the role may not do is refused.
    pub(crate) async fn of_role(&self, role: &str, session: &str) -> anyhow::Result<Self> {
        let request =
            Request::builder().method(Method::POST).uri(format!("{}/_slipway/roles", self.endpoint));
        let body = json!({ "role": role, "session": session }).to_string();
        let (parts, body) = self.send(request.body(Full::new(body.into()))?).await?.into_parts();
        if !parts.status.is_success() {
            bail!("the role {role} cannot be assumed: {}", String::from_utf8_lossy(&body));
        }
        let answer: Value = serde_json::from_slice(&body)?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned).context("incomplete credentials");
        let credentials = Credentials {
            access_key: text("AccessKeyId")?,
            secret: text("SecretAccessKey")?,
            session_token: Some(text("SessionToken")?),
        };
        Ok(Self { credentials, ..self.clone() })
    }

    /// As programs in a build find them.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
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
            bail!("{}", refusal(&body));
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
        let version = version.filter(|version| !version.is_empty());
        let query = version.map(|version| format!("versionId={}", encode(version))).unwrap_or_default();
        let request = self.s3(&Method::GET, &object_path(bucket, key), &query, Bytes::new())?;
        let (parts, body) = self.send(request).await?.into_parts();
        if !parts.status.is_success() {
            bail!("s3://{bucket}/{key} cannot be read: {}", parts.status);
        }
        let version = parts.headers.get("x-amz-version-id").and_then(|value| value.to_str().ok());
        Ok((body, version.map(str::to_owned)))
    }

    /// Writes an object.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> anyhow::Result<()> {
        let request = self.s3(&Method::PUT, &object_path(bucket, key), "", body)?;
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
        let mut request = self.signed(&Method::POST, "/", "", service, Some(target), body)?;
        let json = header::HeaderValue::from_static("application/x-amz-json-1.1");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(request)
    }

    fn s3(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: Bytes,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        self.signed(method, path, query, "s3", None, body)
    }

    fn signed(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        service: &str,
        target: Option<&str>,
        body: Bytes,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let region = &self.region;
        let unsigned =
            Unsigned { method: method.as_str(), host, path, query, target, body: &body, region, service };
        let headers = sign::headers(&unsigned, &self.credentials, jiff::Timestamp::now());
        let separator = if query.is_empty() { "" } else { "?" };
        let request =
            Request::builder().method(method).uri(format!("{}{path}{separator}{query}", self.endpoint));
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(request.body(Full::new(body))?)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let answer = self.client.request(request).await;
        let (parts, body) = answer.context("the local AWS does not answer")?.into_parts();
        let body = body.collect().await.context("the local AWS broke off")?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

/// `AccessDeniedException: User … is not authorized …`, as AWS's clients print it.
fn refusal(body: &[u8]) -> String {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| told[name].as_str();
    let name = text("__type").map(|name| name.rsplit('#').next().unwrap_or(name));
    match (name, text("message").or_else(|| text("Message"))) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        _ => String::from_utf8_lossy(body).into_owned(),
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
