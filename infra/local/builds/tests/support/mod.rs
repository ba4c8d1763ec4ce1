//! A cloud for one test: the shared local AWS and engine, a bucket, a project and a builds service of its own.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_codebuild::config::{BehaviorVersion, Region};
use aws_sdk_codebuild::operation::start_build::builders::StartBuildFluentBuilder;
use aws_sdk_codebuild::types::{
    ArtifactNamespace, ArtifactPackaging, ArtifactsType, Build, ComputeType, EnvironmentType,
    EnvironmentVariable, ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType,
};
use aws_sdk_codebuild::{Client, Config};
use local_builds::{EventSink, Options, serve};
use local_engine::{Shared, images, no_progress};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Held by the test that makes the build image; the others wait for it.
static IMAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How long a build may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

pub struct Cloud {
    pub client: Client,
    pub engine: Arc<Shared>,
    pub project: String,
    pub bucket: String,
    /// The base image for Python services.
    pub base: &'static str,
    label: String,
    builds_port: u16,
    events: Arc<Mutex<Vec<Value>>>,
    shutdown: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Cloud {
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, |_| {}).await
    }

    pub async fn start_with(name: &str, adjust: impl FnOnce(&mut Options)) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.slipway");
        let engine = local_engine::shared(&root.join("test-builds")).expect("an engine");
        let base = {
            let _one_at_a_time = IMAGE.lock().await;
            let cache = root.join("images");
            images::ensure_build(&engine, &cache, &no_progress).await.expect("the build image");
            images::ensure_python(&engine, &cache, &no_progress).await.expect("its base")
        };
        let own = format!("{name}-{}", std::process::id());
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let sink = Arc::clone(&events);
        let mut options = Options::new(&own, (**engine).clone(), local_ministack::shared().endpoint()).await;
        options.events = EventSink::Function(Arc::new(move |event| sink.lock().expect("events").push(event)));
        adjust(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let builds_port = listener.local_addr().expect("an address").port();
        let (shutdown, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, options, async move {
            let _ = stopped.await;
        }));
        let cloud = Self {
            client: client(builds_port),
            engine,
            project: format!("{own}-project"),
            bucket: own.clone(),
            base,
            label: format!("slipway.cloud={own}"),
            builds_port,
            events,
            shutdown,
            served,
        };
        local_aws("PUT", &format!("/{}", cloud.bucket), &[], b"");
        cloud.create_project().await;
        cloud
    }

    async fn create_project(&self) {
        let task = EnvironmentVariable::builder().name("SLIPWAY_TASK").value("run/test").build();
        let environment = ProjectEnvironment::builder()
            .r#type(EnvironmentType::LinuxContainer)
            .image("aws/codebuild/standard:7.0")
            .compute_type(ComputeType::BuildGeneral1Small)
            .environment_variables(task.expect("complete"));
        let nothing = ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build();
        let created = self
            .client
            .create_project()
            .name(&self.project)
            .source(ProjectSource::builder().r#type(SourceType::NoSource).build().expect("complete"))
            .artifacts(nothing.expect("complete"))
            .environment(environment.build().expect("complete"))
            .service_role("arn:aws:iam::000000000000:role/test-project")
            .send();
        created.await.expect("the project is passed on to the local AWS");
    }

    /// A start as Slipway makes it: source and result in S3, the build specification given inline.
    pub fn start_build(&self, buildspec: &str) -> StartBuildFluentBuilder {
        let artifacts = ProjectArtifacts::builder()
            .r#type(ArtifactsType::S3)
            .location(&self.bucket)
            .path("results")
            .name("result.zip")
            .packaging(ArtifactPackaging::Zip)
            .namespace_type(ArtifactNamespace::None)
            .override_artifact_name(false);
        self.client
            .start_build()
            .project_name(&self.project)
            .source_type_override(SourceType::S3)
            .source_location_override(format!("{}/source.zip", self.bucket))
            .buildspec_override(buildspec)
            .artifacts_override(artifacts.build().expect("complete"))
    }

    /// Starts a build and waits for its end, and for the event that tells it.
    pub async fn run(&self, start: StartBuildFluentBuilder) -> Build {
        let events = self.events().len();
        let started = start.send().await.expect("started");
        let id = started.build_value().and_then(Build::id).expect("an id").to_owned();
        let build = self.wait_until(&id, Build::build_complete).await;
        self.wait_for_events(events + 2).await;
        build
    }

    pub async fn wait_until(&self, id: &str, condition: impl Fn(&Build) -> bool) -> Build {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = self.client.batch_get_builds().ids(id).send().await.expect("an answer");
            let build = answer.builds().first().expect("the build").clone();
            if condition(&build) {
                return build;
            }
            assert!(Instant::now() < deadline, "{build:?}\n{}", Self::log(&build));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn wait_for_events(&self, count: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.events().len() < count {
            assert!(Instant::now() < deadline, "{:?}", self.events());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn events(&self) -> Vec<Value> {
        self.events.lock().expect("events").clone()
    }

    pub fn put_source(&self, zip: &[u8]) {
        local_aws("PUT", &format!("/{}/source.zip", self.bucket), &[], zip);
    }

    /// The files of the result as text.
    pub fn result(&self) -> BTreeMap<String, String> {
        let (status, bytes) = local_aws("GET", &format!("/{}/results/result.zip", self.bucket), &[], b"");
        assert_eq!(status, 200, "the result is there");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
        let mut files = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).expect("a file");
            let name = file.enclosed_name().expect("a plain name").display().to_string();
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            files.insert(name, text);
        }
        files
    }

    pub fn log(build: &Build) -> String {
        let logs = build.logs().expect("a log");
        let request = json!({
            "logGroupName": logs.group_name(), "logStreamName": logs.stream_name(), "startFromHead": true,
        });
        let answer = Self::json("logs", "Logs_20140328.GetLogEvents", &request);
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let lines: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
        lines.join("\n")
    }

    pub fn json(service: &str, target: &str, body: &Value) -> Value {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
        );
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let (_, answer) = local_aws("POST", "/", &headers, body.to_string().as_bytes());
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    /// The body of the first message in a queue, once there is one.
    pub async fn receive(&self, url: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = Self::json("sqs", "AmazonSQS.ReceiveMessage", &json!({ "QueueUrl": url }));
            if let Some(body) = answer["Messages"][0]["Body"].as_str() {
                return serde_json::from_str(body).expect("JSON");
            }
            assert!(Instant::now() < deadline, "no message comes: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn unsigned(&self, target: &'static str) -> (u16, String) {
        let port = self.builds_port;
        // Not on the thread that has to answer.
        let asked =
            tokio::task::spawn_blocking(move || http(port, "POST", "/", &[("x-amz-target", target)], b"{}"));
        let (status, body) = asked.await.expect("asked");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn containers(&self) -> usize {
        let filter = format!("label={}", self.label);
        let listed = self.engine.output(&["ps", "--all", "--quiet", "--filter", &filter]).await;
        listed.expect("a list").lines().count()
    }

    /// Ends the service: no container may be left.
    pub async fn end(self) {
        let _ = self.shutdown.send(());
        self.served.await.expect("it ends").expect("it ends well");
        let filter = format!("label={}", self.label);
        let left =
            self.engine.output(&["ps", "--all", "--quiet", "--filter", &filter]).await.expect("a list");
        assert_eq!(left, "", "no container stays");
        self.engine.remove_labelled(&self.label).await.expect("the cache goes with the cloud");
    }
}

fn client(port: u16) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(aws_sdk_codebuild::config::retry::RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// A zip of paths, modes and texts.
pub fn zip(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, mode, text) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        zip.start_file(*path, options).expect("a file");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("a zip").into_inner()
}

fn local_aws(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    http(local_ministack::shared().port(), method, path, headers, body)
}

pub fn http(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).expect("asked");
    connection.write_all(body).expect("asked");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("answered");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer[end + 4..].to_vec();
    (status, if head.contains("transfer-encoding: chunked") { dechunk(&body) } else { body })
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|bytes| bytes == b"\r\n") {
        let length = usize::from_str_radix(&String::from_utf8_lossy(&body[..end]), 16).expect("a length");
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    whole
}
