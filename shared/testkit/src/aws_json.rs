//! A server that speaks AWS's JSON protocol and answers what a test says: for what the local AWS never does,
//! such as refusing for want of capacity.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What was asked: the operation's name and its input.
pub type Request = (String, Value);

/// The server; it ends when dropped.
pub struct JsonService {
    endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl JsonService {
    /// Answers every request with the status and the body that `answer` makes of the operation and its input.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start<F>(answer: F) -> io::Result<Self>
    where
        F: FnMut(&str, &Value) -> (u16, Value) + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(Mutex::new(answer)));
        let handler = move |headers: HeaderMap, body: Bytes| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
                let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
                let input: Value = serde_json::from_slice(&body).unwrap_or_default();
                let (status, output) =
                    (*answer.lock().unwrap_or_else(PoisonError::into_inner))(operation, &input);
                log.lock().unwrap_or_else(PoisonError::into_inner).push((operation.to_owned(), input));
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, [("content-type", "application/x-amz-json-1.1")], output.to_string()).into_response()
            }
        };
        let router = Router::new().route("/", post(handler));
        let server = tokio::spawn(async move {
            // Serves until the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, requests, server })
    }

    /// The configuration of clients that ask this server, once for each call.
    pub fn config(&self) -> SdkConfig {
        crate::aws::config(&self.endpoint).into_builder().retry_config(RetryConfig::disabled()).build()
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The operations asked so far.
    pub fn operations(&self) -> Vec<String> {
        self.requests().into_iter().map(|(operation, _)| operation).collect()
    }
}

impl Drop for JsonService {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// AWS's error of that code.
pub fn refusal(code: &str) -> (u16, Value) {
    (400, serde_json::json!({ "__type": code, "message": format!("{code}, says the test") }))
}
