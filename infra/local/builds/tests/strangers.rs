//! Hostile code in builds of the two test projects, with the roles that the template gives them.
//!
//! The local AWS enforces roles here. What each project may do stands in `template.yaml` and nowhere else.

mod support;

use std::collections::BTreeMap;

use aws_sdk_codebuild::types::{
    ArtifactPackaging, ArtifactsType, Build, EnvironmentVariable, ProjectArtifacts, SourceType, StatusType,
};
use local_ministack::{MiniStack, Settings};
use serde_json::{Value, json};
use support::{Cloud, http, zip};

const ATTEMPTS: &str = include_str!("strangers/attempts.py");
const TEMPLATE: &str = include_str!("../../../../template.yaml");
const BUILDSPEC: &str = "version: 0.2\nphases:\n  build:\n    commands: ['python3 */attempts.py']\n\
                         artifacts:\n  files: ['*/attempts.py']\n";

/// The part of the template that builds have to do with.
const RESOURCES: [&str; 13] = [
    "Table",
    "Bucket",
    "BucketTlsOnly",
    "WebhookSecret",
    "GitHubSecret",
    "TestQueue",
    "TestDeadLetters",
    "TestProject",
    "TestProjectLogs",
    "TestProjectRole",
    "UntrustedProject",
    "UntrustedProjectLogs",
    "UntrustedProjectRole",
];
const OUTPUTS: [(&str, &str); 5] = [
    ("Bucket", "!Ref Bucket"),
    ("Table", "!Ref Table"),
    ("Queue", "!Ref TestQueue"),
    ("TestRole", "!GetAtt TestProjectRole.Arn"),
    ("UntrustedRole", "!GetAtt UntrustedProjectRole.Arn"),
];

/// So much is tried.
const ASKED: usize = 31;

/// All that a build of the repository's own commits gets; what is not named here is refused.
const TRUSTED: [&str; 6] = [
    "secret test/token",
    "read sources/a/b/commit.zip",
    "read cache/a/b/key",
    "write results/other/result.zip",
    "write cache/a/b/poison",
    "a login to the registry",
];

/// All that a stranger's build gets.
const UNTRUSTED: [&str; 2] = ["read untrusted/sources/a/b/commit.zip", "write untrusted/results/own/extra"];

#[tokio::test]
async fn a_build_gets_what_its_projects_role_says_and_nothing_else() {
    let stack = Stack::deploy();
    let cloud = stack.cloud("strangers").await;
    stack.prepare();
    for (project, prefix, allowed) in
        [("test", "", &TRUSTED[..]), ("untrusted", "untrusted/", &UNTRUSTED[..])]
    {
        let build = stack.run(&cloud, project, prefix).await;
        let log = stack.log(&build);
        assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{log}");
        let told = |outcome: &str| -> Vec<&str> {
            log.lines().filter_map(|line| line.strip_prefix(outcome)?.strip_prefix(' ')).collect()
        };
        assert_eq!(told("got"), allowed, "{project}: {log}");
        assert_eq!(told("refused").len() + allowed.len(), ASKED, "{project}: {log}");
    }
    cloud.end().await;
}

#[tokio::test]
async fn a_strangers_build_gets_no_secret_and_no_source_of_others_from_codebuild_either() {
    let stack = Stack::deploy();
    let cloud = stack.cloud("strangers-asked").await;
    stack.prepare();
    let secret = EnvironmentVariable::builder()
        .name("TOKEN")
        .value(format!("{}/test/token", stack.name))
        .r#type(aws_sdk_codebuild::types::EnvironmentVariableType::SecretsManager);
    let secret = secret.build().expect("complete");
    let start = stack.start(&cloud, "test", "").environment_variables_override(secret.clone());
    let build = stack.ended(&cloud, start).await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{}", stack.log(&build));

    let start = stack.start(&cloud, "untrusted", "untrusted/").environment_variables_override(secret);
    let refused = trouble(&stack.ended(&cloud, start).await);
    assert!(
        refused.starts_with("DOWNLOAD_SOURCE Secrets Manager Error: AccessDeniedException: "),
        "{refused}"
    );

    let source = stack.start(&cloud, "untrusted", "");
    let refused = trouble(&stack.ended(&cloud, source).await);
    assert!(refused.starts_with("DOWNLOAD_SOURCE CLIENT_ERROR: ") && refused.contains("403"), "{refused}");
    let source = stack.start(&cloud, "test", "untrusted/");
    let refused = trouble(&stack.ended(&cloud, source).await);
    assert!(refused.starts_with("DOWNLOAD_SOURCE CLIENT_ERROR: ") && refused.contains("403"), "{refused}");
    cloud.end().await;
}

/// The template's part in a local AWS of its own, which enforces roles.
struct Stack {
    aws: MiniStack,
    name: String,
    outputs: BTreeMap<String, String>,
    _state: StateDir,
}

/// Removed with the test.
struct StateDir(std::path::PathBuf);

impl Drop for StateDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Stack {
    fn deploy() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("strangers-{}-{number}", std::process::id());
        let state = StateDir(std::env::temp_dir().join(&name));
        let settings = Settings { environment: vec![("AUTH".into(), "true".into())], ..Settings::default() };
        let aws = local_ministack::start_with(&state.0, &settings).expect("a local AWS");
        let mut stack = Self { aws, name, outputs: BTreeMap::new(), _state: state };
        stack.create();
        stack
    }

    fn create(&mut self) {
        let template = template();
        let form = [
            ("Action", "CreateStack"),
            ("StackName", &self.name),
            ("TemplateBody", &template),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
        ];
        let created = self.query(&form);
        assert!(created.contains("<StackId>"), "{created}");
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        let described = loop {
            let described = self.query(&[("Action", "DescribeStacks"), ("StackName", &self.name)]);
            if described.contains("CREATE_COMPLETE") {
                break described;
            }
            assert!(described.contains("CREATE_IN_PROGRESS"), "{described}");
            assert!(std::time::Instant::now() < deadline, "{described}");
        };
        let element = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).expect("the element");
            rest.split_once("</").expect("its end").0.to_owned()
        };
        let outputs = described.split("<OutputKey>").skip(1);
        let pair = |output: &str| {
            (output.split_once("</").expect("its end").0.to_owned(), element(output, "OutputValue"))
        };
        self.outputs = outputs.map(pair).collect();
    }

    fn query(&self, form: &[(&str, &str)]) -> String {
        let encode = |text: &str| -> String {
            let byte = |byte: u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().map(byte).collect()
        };
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let authorization = owner("cloudformation");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let (_, answer) = http(self.aws.port(), "POST", "/", &headers, body.join("&").as_bytes());
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn json(&self, service: &str, target: &str, body: &Value) -> Value {
        let authorization = owner(service);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let (_, answer) = http(self.aws.port(), "POST", "/", &headers, body.to_string().as_bytes());
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    async fn cloud(&self, name: &str) -> Cloud {
        let endpoint = self.aws.endpoint().to_owned();
        Cloud::start_with(name, |options| options.aws_endpoint = endpoint).await
    }

    /// Everything that somebody could want.
    fn prepare(&self) {
        let source = zip(&[("repo-sha/attempts.py", 0o644, ATTEMPTS)]);
        let authorization = owner("s3");
        for (key, bytes) in [
            ("operator.yaml", &b"version: 1"[..]),
            ("sources/a/b/commit.zip", &source),
            ("results/other/result.zip", b"red"),
            ("cache/a/b/key", b"cached"),
            ("manifests/hash.json", b"[]"),
            ("untrusted/sources/a/b/commit.zip", &source),
            ("untrusted/results/other/result.zip", b"red"),
        ] {
            let path = format!("/{}/{key}", self.outputs["Bucket"]);
            let headers = [("authorization", authorization.as_str())];
            let (status, answer) = http(self.aws.port(), "PUT", &path, &headers, bytes);
            assert_eq!(status, 200, "{key}: {}", String::from_utf8_lossy(&answer));
        }
        let secret = json!({ "Name": format!("{}/test/token", self.name), "SecretString": "swordfish" });
        let created = self.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
        assert!(created["ARN"].is_string(), "{created}");
    }

    fn start(
        &self,
        cloud: &Cloud,
        project: &str,
        prefix: &str,
    ) -> aws_sdk_codebuild::operation::start_build::builders::StartBuildFluentBuilder {
        let bucket = &self.outputs["Bucket"];
        let result = ProjectArtifacts::builder()
            .r#type(ArtifactsType::S3)
            .location(bucket)
            .path(format!("{}results/own", if project == "untrusted" { "untrusted/" } else { "" }))
            .name("result.zip")
            .packaging(ArtifactPackaging::Zip);
        let variables = [
            ("STACK", self.name.as_str()),
            ("BUCKET", bucket),
            ("TABLE", &self.outputs["Table"]),
            ("QUEUE", &self.outputs["Queue"]),
            ("TEST_ROLE", &self.outputs["TestRole"]),
            ("UNTRUSTED_ROLE", &self.outputs["UntrustedRole"]),
        ];
        let variable = |(name, value): (&str, &str)| {
            EnvironmentVariable::builder().name(name).value(value).build().expect("complete")
        };
        cloud
            .client
            .start_build()
            .project_name(format!("{}-{project}", self.name))
            .source_type_override(SourceType::S3)
            .source_location_override(format!("{bucket}/{prefix}sources/a/b/commit.zip"))
            .buildspec_override(BUILDSPEC)
            .artifacts_override(result.build().expect("complete"))
            .set_environment_variables_override(Some(variables.map(variable).into()))
    }

    async fn run(&self, cloud: &Cloud, project: &str, prefix: &str) -> Build {
        self.ended(cloud, self.start(cloud, project, prefix)).await
    }

    async fn ended(
        &self,
        cloud: &Cloud,
        start: aws_sdk_codebuild::operation::start_build::builders::StartBuildFluentBuilder,
    ) -> Build {
        let started = start.send().await.expect("started");
        let id = started.build_value().and_then(Build::id).expect("an id").to_owned();
        cloud.wait_until(&id, Build::build_complete).await
    }

    fn log(&self, build: &Build) -> String {
        let logs = build.logs().expect("a log");
        let request = json!({
            "logGroupName": logs.group_name(), "logStreamName": logs.stream_name(), "startFromHead": true,
        });
        let answer = self.json("logs", "Logs_20140328.GetLogEvents", &request);
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let lines: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
        lines.join("\n")
    }
}

fn owner(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host")
}

/// The template with only these resources, so that no function has to be there.
fn template() -> String {
    let (head, rest) = TEMPLATE.split_once("\nGlobals:\n").expect("the globals");
    let (_, rest) = rest.split_once("\nResources:\n").expect("the resources");
    let (resources, _) = rest.split_once("\nOutputs:\n").expect("the outputs");
    let mut text = format!("{head}\nResources:\n");
    let mut wanted = false;
    for line in resources.lines() {
        if line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':') {
            wanted = RESOURCES.contains(&line.trim().trim_end_matches(':'));
        }
        if wanted {
            text.push_str(line);
            text.push('\n');
        }
    }
    let outputs = OUTPUTS.map(|(name, value)| format!("  {name}:\n    Value: {value}\n"));
    format!("{text}Outputs:\n{}", outputs.concat())
}

/// Phase, code and message of what went wrong.
fn trouble(build: &Build) -> String {
    let phase = build.phases().iter().find(|phase| !phase.contexts().is_empty()).expect("a failed phase");
    let (kind, context) = (phase.phase_type().map_or("", |kind| kind.as_str()), &phase.contexts()[0]);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!("{kind} {}: {}", text(context.status_code()), text(context.message()))
}
