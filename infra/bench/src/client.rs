//! HTTP to this machine, without the delays of small packets.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A client with connections of its own.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// An answer and how long it took.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its body.
    pub(crate) body: Bytes,
    /// From the request's first byte to the answer's last.
    pub(crate) took: Duration,
}

impl Client {
    /// A client.
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector) }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        let uri = request.uri().clone();
        let response = self.pool.request(request).await.with_context(|| format!("{uri} does not answer"))?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body, took: begun.elapsed() })
    }

    /// Posts a body.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn post(&self, url: &str, body: impl Into<Bytes>) -> anyhow::Result<Answer> {
        self.send(Request::post(url).body(Full::new(body.into()))?).await
    }
}
