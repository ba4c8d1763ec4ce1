//! One stand-in on its own port and folder, a receiver of its webhooks, a git client, an HTTP client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use local_github::{GitHub, Installation, NewRepository, Options};
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Mutex, mpsc, watch};

pub use crate::keys::{KEYS, OTHER_KEYS, jwt, now};

pub const APP_ID: u64 = 77;
pub const INSTALLATION: u64 = 501;
pub const PUSH_TOKEN: &str = "push-token-of-the-tests";
pub const SECRET: &str = "It's a Secret to Everybody";
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook as it arrived; its signature has been checked.
#[derive(Debug)]
pub struct Hook {
    pub headers: HeaderMap,
    pub payload: Value,
    /// The very bytes that were signed.
    pub bytes: Bytes,
}

impl Hook {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A stand-in with `acme/shop` (private, covered), `acme/open` (public, covered) and `other/thing` (public).
pub struct World {
    pub url: String,
    pub github: GitHub,
    pub folder: PathBuf,
    pub hook_url: String,
    hooks: Mutex<mpsc::UnboundedReceiver<Hook>>,
    answer: watch::Sender<StatusCode>,
    client: Client<HttpConnector, Full<Bytes>>,
    _shutdown: watch::Sender<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        // A leftover folder is no reason to fail a test that passed.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// A world whose App is subscribed to these events besides the usual ones.
    pub async fn subscribed_to(events: &[&str]) -> Self {
        Self::start_with(|options| options.events.extend(events.iter().map(|event| (*event).to_owned())))
            .await
    }

    async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = fresh_folder();
        let (shutdown, stopped) = watch::channel(());
        let (sender, hooks) = mpsc::unbounded_channel();
        let (answer, answers) = watch::channel(StatusCode::ACCEPTED);
        let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let hook_url = format!("http://{}/webhook", receiver.local_addr().expect("it has an address"));
        let routes =
            Router::new().route("/webhook", axum::routing::post(receive)).with_state((sender, answers));
        let mut end = stopped.clone();
        tokio::spawn(async move {
            let done = async move { while end.changed().await.is_ok() {} };
            axum::serve(receiver, routes).with_graceful_shutdown(done).await
        });

        let mut options = Options::new(folder.join("state"), APP_ID, KEYS.public_pem.clone());
        options.installations = vec![Installation::on(INSTALLATION, "acme"), Installation::on(502, "nobody")];
        options.push_token = PUSH_TOKEN.into();
        options.webhook_secret = SECRET.into();
        options.repositories = vec![
            NewRepository::public("acme", "shop").private().default_branch("develop"),
            NewRepository::public("acme", "open"),
            NewRepository::public("other", "thing"),
        ];
        change(&mut options);
        let github = GitHub::open(options).await.expect("the stand-in opens");
        github.set_webhook(&hook_url, SECRET);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let mut end = stopped;
        let served = github.clone();
        tokio::spawn(async move {
            let done = async move { while end.changed().await.is_ok() {} };
            served.serve(listener, done).await
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { url, github, folder, hook_url, hooks: Mutex::new(hooks), answer, client, _shutdown: shutdown }
    }

    /// The next webhook; those of one push come in any order.
    pub async fn hook(&self) -> Hook {
        let mut hooks = self.hooks.lock().await;
        tokio::time::timeout(PATIENCE, hooks.recv())
            .await
            .expect("a webhook comes")
            .expect("the receiver lives")
    }

    /// The next webhook of this event, whatever came before it.
    pub async fn hook_of(&self, event: &str) -> Hook {
        loop {
            let hook = self.hook().await;
            if hook.header("x-github-event") == event {
                return hook;
            }
        }
    }

    /// The next webhooks, which come in any order, by `event.action` or `event` and what they say.
    pub async fn hooks(&self, count: usize) -> Vec<(String, Value)> {
        let mut told = Vec::new();
        for _ in 0..count {
            let hook = self.hook().await;
            let event = hook.header("x-github-event").to_owned();
            let action = hook.payload["action"].as_str().map(|action| format!(".{action}"));
            told.push((event + &action.unwrap_or_default(), hook.payload));
        }
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    }

    /// The next webhook of this event and action, whatever came before it.
    pub async fn hook_of_action(&self, event: &str, action: &str) -> Value {
        loop {
            let hook = self.hook_of(event).await;
            if hook.payload["action"] == action {
                return hook.payload;
            }
        }
    }

    /// Asserts that no webhook has come that nobody looked at.
    pub async fn no_hook_left(&self) {
        assert!(self.hooks.lock().await.try_recv().is_err(), "a webhook too many");
    }

    /// What the receiver of webhooks answers from now on.
    pub fn answer_hooks_with(&self, status: StatusCode) {
        self.answer.send_replace(status);
    }

    /// Sends a request: `"GET /path"`, an `Authorization` value, a body.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let (method, path) = line.split_once(' ').expect("a request line");
        let method: Method = method.parse().expect("a method");
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let mut request = Request::builder().method(method).uri(address).header("user-agent", "tests");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub async fn call(&self, line: &str, authorization: &str, body: Option<Value>) -> Reply {
        let headers = [("authorization", authorization)];
        let headers = if authorization.is_empty() { &[][..] } else { &headers[..] };
        self.send(line, headers, body.as_ref()).await
    }

    /// Sends a request and compares its answer with a status and the fields that matter.
    pub async fn check(
        &self,
        line: &str,
        who: &str,
        body: Option<Value>,
        status: u16,
        expected: Value,
    ) -> Value {
        let shown = body.as_ref().map(ToString::to_string).unwrap_or_default();
        let shown: String = shown.chars().take(200).collect();
        let reply = self.call(line, who, body).await;
        let json = reply.json();
        assert_eq!(reply.status.as_u16(), status, "{line} {shown} answered {json:#}");
        assert!(holds(&json, &expected), "{line} {shown}\nexpected {expected:#}\nin {json:#}");
        json
    }

    /// An `Authorization` value of the installation on `acme`.
    pub async fn app(&self) -> String {
        let line = format!("POST /app/installations/{INSTALLATION}/access_tokens");
        let reply = self.call(&line, &jwt(), None).await;
        assert_eq!(reply.status, StatusCode::CREATED);
        format!("Bearer {}", reply.json()["token"].as_str().expect("a token"))
    }

    /// A working copy of a new clone.
    pub async fn clone_of(&self, full_name: &str) -> Copy {
        let folder = self.folder.join(full_name.replace('/', "-"));
        let copy = Copy { folder };
        let address = self.url.replace("http://", &format!("http://dana:{PUSH_TOKEN}@"));
        git(&self.folder, &["clone", "--quiet", &format!("{address}/{full_name}.git"), &path(&copy.folder)])
            .await;
        copy
    }
}

/// A working copy.
pub struct Copy {
    pub folder: PathBuf,
}

impl Copy {
    pub async fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments).await
    }

    /// As [`Copy::git`], with a standard input.
    pub async fn git_fed(&self, arguments: &[&str], input: &str) {
        use tokio::io::AsyncWriteExt as _;
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&self.folder).stdin(std::process::Stdio::piped());
        let mut child = command.spawn().expect("git is installed");
        let mut pipe = child.stdin.take().expect("git has an input");
        pipe.write_all(input.as_bytes()).await.expect("git reads");
        drop(pipe);
        assert!(child.wait().await.expect("git ends").success(), "git {arguments:?}");
    }

    pub fn write(&self, file: &str, text: &str) {
        let file = self.folder.join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        std::fs::write(file, text).expect("it can be written");
    }

    /// Commits everything and answers the SHA.
    pub async fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]).await;
        self.git(&["commit", "--quiet", "--message", message]).await;
        self.git(&["rev-parse", "HEAD"]).await
    }

    /// Writes one file, commits it and pushes the branch.
    pub async fn push_file(&self, branch: &str, file: &str, text: &str) -> String {
        self.git(&["checkout", "--quiet", "-B", branch]).await;
        self.write(file, text);
        let sha = self.commit(&format!("Write {file}")).await;
        self.git(&["push", "--quiet", "origin", branch]).await;
        sha
    }
}

pub async fn git(folder: &Path, arguments: &[&str]) -> String {
    let (passed, output) = try_git(folder, arguments).await;
    assert!(passed, "git {arguments:?}: {output}");
    output
}

/// Whether git succeeded, and what it said.
pub async fn try_git(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Dana", "-c", "user.email=dana@example.com"]).args(arguments);
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_TERMINAL_PROMPT", "0").stdin(std::process::Stdio::null());
    let output = command.output().await.expect("git is installed");
    let shown = if output.status.success() { &output.stdout } else { &output.stderr };
    (output.status.success(), String::from_utf8_lossy(shown).trim().to_owned())
}

/// An `Authorization` value of a person.
pub fn person(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{PUSH_TOKEN}")))
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn fresh_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("local-github-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// The names of webhooks.
pub fn names(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

/// Whether every field of `expected` stands in `found` with the same value.
pub fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|known| holds(known, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(one, other)| holds(one, other))
        }
        _ => found == expected,
    }
}

type Receiver = (mpsc::UnboundedSender<Hook>, watch::Receiver<StatusCode>);

async fn receive(State((sender, answer)): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let sent = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tag = sent.strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok()).unwrap_or_default();
    if hmac::verify(&key, &body, &tag).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let payload = serde_json::from_slice(&body).expect("webhooks are JSON");
    sender.send(Hook { headers, payload, bytes: body }).expect("the test listens");
    *answer.borrow()
}
