//! A cluster for one test, and a client that shows everything as it went over the wire.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request};
use futures::FutureExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local_cluster::{Access, Certificate, Options, Token};
use local_engine::{Engine, images, no_progress};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where things take longer than this they do not happen.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A server that a test speaks to.
#[derive(Clone)]
pub struct Server {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// The administrator's token; empty where a proxy adds it.
    pub token: String,
    /// An image with Python.
    pub image: String,
    /// The engine behind it.
    pub engine: Engine,
    /// Name of the cloud.
    pub cloud: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub code: u16,
    /// The body when it is JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

/// Runs a contract test: against a server of its own, or against the one at `SLIPWAY_CONTRACT_SERVER`
/// (a real one behind `kubectl proxy`).
pub async fn contract(name: &str, test: impl AsyncFnOnce(Server)) {
    let Ok(url) = std::env::var("SLIPWAY_CONTRACT_SERVER") else { return cluster(name, test).await };
    let image = "any".to_owned();
    let server = Server { url, token: String::new(), image, engine: Engine::at(None), cloud: String::new() };
    let path = format!("/api/v1/namespaces/{name}");
    server.delete(&path).await;
    server.until_gone(&path).await;
    server.make_namespace(name).await;
    test(server.clone()).await;
    server.delete(&path).await;
}

/// Runs a test against a cluster of its own, which has a namespace of the test's name.
pub async fn cluster(name: &str, test: impl AsyncFnOnce(Server)) {
    run(name, None, async |server: Server| {
        server.until("/readyz", "the server", |_| true).await;
        server.make_namespace(name).await;
        test(server).await;
    })
    .await;
}

/// Runs a test against a cluster that speaks TLS.
pub async fn secure_cluster(name: &str, certificate: Certificate, test: impl AsyncFnOnce(Server)) {
    run(name, Some(certificate), test).await;
}

async fn run(name: &str, certificate: Option<Certificate>, test: impl AsyncFnOnce(Server)) {
    let engine = Engine::at(std::env::var("SLIPWAY_DOCKER_HOST").ok());
    if let Err(error) = engine.version().await {
        panic!(
            "this test runs real containers: it needs a Docker engine (SLIPWAY_DOCKER_HOST, DOCKER_HOST): {error:#}"
        );
    }
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.slipway/images");
    let image = images::ensure_python(&engine, &cache, &no_progress).await.expect("a base image");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
    let cloud = format!("test-{name}-{}", std::process::id());
    let limited = |value: &str, access| Token { value: value.to_owned(), user: value.to_owned(), access };
    let options = Options {
        cloud: cloud.clone(),
        engine: engine.clone(),
        certificate,
        tokens: vec![
            Token::administrator("administrator"),
            limited("reader", Access::Read),
            limited("stranger", Access::Namespaces(vec!["elsewhere".to_owned()])),
        ],
        image_rewrites: vec![("registry.example/".to_owned(), "slipway-local/".to_owned())],
        helper_image: image.to_owned(),
        folder: std::env::temp_dir().join(format!("slipway-cluster-{cloud}")),
        back_off: Duration::from_secs(1),
        pretence: None,
    };
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(local_cluster::serve(listener, options, shutdown.clone()));
    let token = "administrator".to_owned();
    let server = Server { url, token, image: image.to_owned(), engine, cloud };
    let tested = AssertUnwindSafe(test(server)).catch_unwind().await;
    shutdown.cancel();
    let outcome = serving.await.expect("it does not panic");
    if let Err(panic) = tested {
        std::panic::resume_unwind(panic);
    }
    outcome.expect("it ends well");
}

impl Server {
    /// Any request.
    pub async fn send(&self, method: Method, path: &str, kind: &str, body: &str) -> Answer {
        self.send_as(&self.token, method, path, kind, body).await
    }

    /// Any request by somebody else.
    pub async fn send_as(&self, token: &str, method: Method, path: &str, kind: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) => return Answer { code: 0, body: Value::Null, text: error.to_string() },
        };
        let code = response.status().as_u16();
        let bytes = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { code, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", "").await
    }

    /// POST of JSON.
    pub async fn create(&self, path: &str, object: &Value) -> Answer {
        self.send(Method::POST, path, "application/json", &object.to_string()).await
    }

    /// Server-side apply by `slipway`, spelled as kube-rs does.
    pub async fn apply(&self, path: &str, object: &Value) -> Answer {
        let path = format!("{path}?&fieldManager=slipway");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", &object.to_string()).await
    }

    /// A merge patch by `editor`.
    pub async fn merge(&self, path: &str, change: &Value) -> Answer {
        let path = format!("{path}?fieldManager=editor");
        self.send(Method::PATCH, &path, "application/merge-patch+json", &change.to_string()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "", "").await
    }

    /// Gets until the answer is as wished.
    pub async fn until(&self, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(path).await;
            if answer.code == 200 && holds(&answer.body) {
                return answer.body;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{what} did not happen; last: {} {}",
                answer.code,
                answer.text
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gets until there is nothing.
    pub async fn until_gone(&self, path: &str) {
        let start = Instant::now();
        while self.get(path).await.code != 404 {
            assert!(start.elapsed() < PATIENCE, "{path} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a namespace.
    pub async fn make_namespace(&self, name: &str) {
        let namespace =
            serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        let answer = self.create("/api/v1/namespaces", &namespace).await;
        assert_eq!(answer.code, 201, "{}", answer.text);
    }
}

/// The value at a JSON pointer, null where there is none.
pub fn at<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    object.pointer(pointer).unwrap_or(&Value::Null)
}
