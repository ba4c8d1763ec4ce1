//! A namespace for one story, and requests in it that show what went over the wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{Lab, PATIENCE, namespace};

/// A namespace.
pub struct Space {
    pub lab: Arc<Lab>,
    pub name: String,
    client: Client,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    /// Null where it is no JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// The body of an answer with this code.
    pub fn expect(self, code: u16) -> anyhow::Result<Value> {
        ensure!(self.code == code, "expected {code}: {} {}", self.code, self.text);
        Ok(self.body)
    }
}

impl Space {
    pub async fn make(lab: Arc<Lab>, story: &str) -> anyhow::Result<Self> {
        // A name has 63 characters at most.
        let story: String =
            story.chars().take(40).map(|letter| if letter == '_' { '-' } else { letter }).collect();
        let name = format!("contract-{story}-{}", std::process::id());
        let client = lab.client().await?;
        let space = Self { lab, name, client };
        let begun = Instant::now();
        // A server of this test's own may still be starting.
        while let Err(error) = space.send(Method::GET, "/version", "", String::new()).await {
            ensure!(begun.elapsed() < PATIENCE, "the API server does not answer: {error:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        space.apply(&namespace(&space.name)).await?.expect(201)?;
        Ok(space)
    }

    /// Takes the namespace away; nobody waits for it.
    pub async fn leave(&self) -> anyhow::Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.send(Method::DELETE, &path, "", String::new()).await.map(drop)
    }

    pub async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> anyhow::Result<Answer> {
        send(&self.client, method, path, kind, body).await
    }

    /// The path of a kind in this namespace, or of one object.
    pub fn path(&self, kind: &str, name: &str) -> String {
        let (api, plural) = match kind {
            "Namespace" => return format!("/api/v1/namespaces/{name}"),
            "Deployment" => ("apis/apps/v1", "deployments"),
            "ReplicaSet" => ("apis/apps/v1", "replicasets"),
            "StatefulSet" => ("apis/apps/v1", "statefulsets"),
            "DaemonSet" => ("apis/apps/v1", "daemonsets"),
            "ControllerRevision" => ("apis/apps/v1", "controllerrevisions"),
            "Job" => ("apis/batch/v1", "jobs"),
            "ConfigMap" => ("api/v1", "configmaps"),
            "Secret" => ("api/v1", "secrets"),
            "Service" => ("api/v1", "services"),
            "Endpoints" => ("api/v1", "endpoints"),
            "Event" => ("api/v1", "events"),
            _ => ("api/v1", "pods"),
        };
        let path = format!("/{api}/namespaces/{}/{plural}", self.name);
        if name.is_empty() { path } else { format!("{path}/{name}") }
    }

    fn path_of(&self, object: &Value) -> String {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        self.path(text("/kind"), text("/metadata/name"))
    }

    /// Server-side apply by `slipway`.
    pub async fn apply(&self, object: &Value) -> anyhow::Result<Answer> {
        self.apply_with(object, "fieldManager=slipway").await
    }

    /// Server-side apply with another query.
    pub async fn apply_with(&self, object: &Value, query: &str) -> anyhow::Result<Answer> {
        let path = format!("{}?{query}", self.path_of(object));
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", object.to_string()).await
    }

    /// A merge patch by `editor`.
    pub async fn merge(&self, kind: &str, name: &str, change: &Value) -> anyhow::Result<Answer> {
        let path = format!("{}?fieldManager=editor", self.path(kind, name));
        self.send(Method::PATCH, &path, "application/merge-patch+json", change.to_string()).await
    }

    pub async fn create(&self, object: &Value) -> anyhow::Result<Answer> {
        let kind = object["kind"].as_str().unwrap_or_default();
        self.send(Method::POST, &self.path(kind, ""), "application/json", object.to_string()).await
    }

    pub async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, &self.path(kind, name), "", String::new()).await
    }

    /// What is there of a kind; `query` may select.
    pub async fn list(&self, kind: &str, query: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!("{}?{query}", self.path(kind, ""));
        let mut list = self.send(Method::GET, &path, "", String::new()).await?.expect(200)?;
        Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// DELETE with this propagation policy, or none said.
    pub async fn delete(&self, kind: &str, name: &str, policy: &str) -> anyhow::Result<Answer> {
        let options = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy });
        let (kind_of_body, body) =
            if policy.is_empty() { ("", String::new()) } else { ("application/json", options.to_string()) };
        self.send(Method::DELETE, &self.path(kind, name), kind_of_body, body).await
    }

    /// Gets an object until it is as wished.
    pub async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.wait(what, async || {
            let answer = self.get(kind, name).await?;
            if answer.code == 200 && holds(&answer.body) { Ok(Ok(answer.body)) } else { Ok(Err(answer.text)) }
        })
        .await
    }

    /// Lists a kind until the list is as wished.
    pub async fn until_listed(
        &self,
        kind: &str,
        what: &str,
        holds: impl Fn(&[Value]) -> bool,
    ) -> anyhow::Result<Vec<Value>> {
        self.wait(what, async || {
            let items = self.list(kind, "").await?;
            if holds(&items) { Ok(Ok(items)) } else { Ok(Err(json!(items).to_string())) }
        })
        .await
    }

    /// Asks until the answer is there; else tells the last one.
    async fn wait<T>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> anyhow::Result<Result<T, String>>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            match ask().await.with_context(|| what.to_owned())? {
                Ok(found) => return Ok(found),
                Err(last) if begun.elapsed() > PATIENCE => bail!("{what} did not happen; last: {last}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// A request by anybody.
pub async fn send(
    client: &Client,
    method: Method,
    path: &str,
    kind: &str,
    body: String,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    if !kind.is_empty() {
        request = request.header("content-type", kind);
    }
    let response = client.send(request.body(Body::from(body.into_bytes()))?).await?;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { code, body: serde_json::from_str(&text).unwrap_or_default(), text })
}
