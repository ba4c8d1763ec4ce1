//! Probes: startup first, then readiness and liveness, each by its own period and thresholds.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout};

use crate::kubelet::Node;
use crate::kubelet::worker::Message;
use crate::objects::json::{integer, list, text};
use crate::objects::store::Key;

/// Until it first succeeds, a probe is also tried between its periods: people wait for it. Only the tries at its
/// periods count as failures.
const EAGER: Duration = Duration::from_millis(100);

/// What a container's probes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The startup probe succeeded.
    Started,
    /// It serves.
    Ready,
    /// It does not serve.
    NotReady,
    /// It has to be started anew; the probe that said so.
    Dead(&'static str),
}

/// One start of a container, as its probes see it.
#[derive(Clone)]
pub struct Probed {
    /// Position among the pod's containers.
    pub index: usize,
    /// Which start of the container.
    pub run: u32,
    /// The container's id.
    pub id: String,
    /// Address of its pod.
    pub address: String,
    /// Its part of the spec.
    pub spec: Value,
    /// Its pod.
    pub pod: Key,
    /// Where verdicts go.
    pub verdicts: UnboundedSender<Message>,
}

impl Probed {
    /// Probes until aborted.
    pub async fn run(self, node: std::sync::Arc<Node>) {
        if self.spec["startupProbe"].is_object() {
            self.follow(&node, "startup", true).await;
        }
        self.say(Verdict::Started);
        let readiness = async {
            if self.spec["readinessProbe"].is_object() {
                self.follow(&node, "readiness", false).await;
            } else {
                self.say(Verdict::Ready);
            }
        };
        let liveness = async {
            if self.spec["livenessProbe"].is_object() {
                self.follow(&node, "liveness", false).await;
            }
        };
        tokio::join!(readiness, liveness);
    }

    fn say(&self, verdict: Verdict) {
        // A worker that has ended no longer cares.
        let _sent = self.verdicts.send(Message::Probed(self.index, self.run, verdict));
    }

    /// Runs one probe; the startup probe until it succeeds, the others for ever.
    async fn follow(&self, node: &Node, kind: &'static str, until_success: bool) {
        let probe = &self.spec[format!("{kind}Probe")];
        let seconds = |field: &str| {
            let number = probe[field].as_u64().unwrap_or_default();
            Duration::from_secs(number)
        };
        let (successes_needed, failures_needed) =
            (count(probe, "successThreshold"), count(probe, "failureThreshold"));
        let (mut successes, mut failures) = (0, 0);
        let (mut succeeded, mut next) = (false, Instant::now());
        sleep(seconds("initialDelaySeconds")).await;
        loop {
            let counts = Instant::now() >= next;
            if counts {
                next = Instant::now() + seconds("periodSeconds");
            }
            let limit = seconds("timeoutSeconds").max(Duration::from_secs(1));
            let result = timeout(limit, self.once(node, probe)).await;
            let result = result.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
            match result {
                Ok(()) => {
                    (successes, failures, succeeded) = (successes + 1, 0, true);
                    if successes == successes_needed && kind == "readiness" {
                        self.say(Verdict::Ready);
                    }
                    if until_success && successes >= successes_needed {
                        return;
                    }
                }
                Err(message) if counts => {
                    (successes, failures) = (0, failures + 1);
                    let mut name = kind.to_owned();
                    name[..1].make_ascii_uppercase();
                    node.tell(&self.pod, "Warning", "Unhealthy", &format!("{name} probe failed: {message}"));
                    if failures == failures_needed && kind == "readiness" {
                        self.say(Verdict::NotReady);
                    } else if failures == failures_needed {
                        self.say(Verdict::Dead(kind));
                        return std::future::pending().await;
                    }
                }
                Err(_) => {}
            }
            let eager = !succeeded && kind != "liveness";
            let pause = next.saturating_duration_since(Instant::now());
            sleep(if eager { pause.min(EAGER) } else { pause }).await;
        }
    }

    async fn once(&self, node: &Node, probe: &Value) -> Result<(), String> {
        if let Some(get) = probe.get("httpGet") {
            return self.get(get).await;
        }
        if let Some(socket) = probe.get("tcpSocket") {
            let address = format!("{}:{}", self.host(socket), self.port(&socket["port"])?);
            let connected = TcpStream::connect(&address).await;
            return connected
                .map(drop)
                .map_err(|error| format!("dial tcp {address}: connect: {}", words(&error)));
        }
        let words = list(probe, "/exec/command").iter().filter_map(Value::as_str);
        let arguments: Vec<&str> = ["exec", &self.id].into_iter().chain(words).collect();
        let output = node.docker.engine.command().args(arguments).output().await;
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(String::from_utf8_lossy(&said).trim().to_owned())
    }

    async fn get(&self, get: &Value) -> Result<(), String> {
        if text(get, "/scheme") == "HTTPS" {
            return Err("https probes are not supported by this kubelet".to_owned());
        }
        let path = text(get, "/path");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let authority = format!("{}:{}", self.host(get), self.port(&get["port"])?);
        let url = format!("http://{authority}{slash}{path}");
        let mut request =
            Request::get(&url).header("user-agent", "kube-probe/1.33").header("connection", "close");
        for header in list(get, "/httpHeaders") {
            request = request.header(text(header, "/name"), text(header, "/value"));
        }
        let request = request.body(Body::empty()).map_err(|error| error.to_string())?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let answer = client.request(request).await;
        let answer =
            answer.map_err(|error| format!("Get \"{url}\": dial tcp {authority}: {}", cause(&error)))?;
        if answer.status().is_success() || answer.status().is_redirection() {
            return Ok(());
        }
        Err(format!("HTTP probe failed with statuscode: {}", answer.status().as_u16()))
    }

    fn host<'a>(&'a self, handler: &'a Value) -> &'a str {
        match text(handler, "/host") {
            "" => &self.address,
            host => host,
        }
    }

    fn port(&self, port: &Value) -> Result<i64, String> {
        if let Some(number) = port.as_i64() {
            return Ok(number);
        }
        let name = port.as_str().unwrap_or_default();
        let named = list(&self.spec, "/ports").iter().find(|port| text(port, "/name") == name);
        let number = named.and_then(|port| integer(port, "/containerPort")).or_else(|| name.parse().ok());
        number.ok_or_else(|| format!("couldn't find port \"{name}\""))
    }
}

fn count(probe: &Value, field: &str) -> u64 {
    probe[field].as_u64().unwrap_or(1).max(1)
}

/// The innermost cause of a failed request, in the words a Go client would use.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<std::io::Error>() {
        Some(error) => format!("connect: {}", words(error)),
        None => innermost.to_string(),
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        _ => error.to_string(),
    }
}
