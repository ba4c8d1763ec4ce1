//! Builds without containers: what a build is to come to is decided by a rule, and it leaves the very files and
//! the very image that a real one would leave.
//!
//! Nothing of the source is read and nothing is logged: such a build costs the machine next to nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::artifacts::{self, File};
use crate::build::{Build, PhaseContext, PhaseType, Status};
use crate::registry::Entry;
use crate::{Service, events, role};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a pretended build comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Green reports, or an image under its tag.
    Passes,
    /// A failing test, or an image that cannot be built.
    Fails,
    /// Green tests that run half of the lines. An image or check passes.
    Uncovered,
    /// Checks that find a weakness of high severity. Everything else passes.
    Insecure,
    /// CodeBuild itself fails: no result is left.
    Faults,
}

/// What a pretended build comes to, and when.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// What it comes to.
    pub outcome: Outcome,
    /// How long it takes.
    pub after: Duration,
}

/// The rule that decides over builds by their `SLIPWAY_TASK`: of one that services share, over each of them.
#[derive(Clone)]
pub struct Pretence {
    rule: Arc<dyn Fn(&str) -> Fate + Send + Sync>,
    open: watch::Receiver<bool>,
}

impl Pretence {
    /// Builds that come to what `rule` says of their `SLIPWAY_TASK`.
    pub fn new(rule: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        // Nobody closes this gate.
        Self { rule: Arc::new(rule), open: watch::channel(true).1 }
    }

    /// The same builds, but none ends while this says `false`.
    #[must_use]
    pub fn while_open(self, open: watch::Receiver<bool>) -> Self {
        Self { open, ..self }
    }

    /// Builds that pass at once.
    pub fn passing() -> Self {
        Self::new(|_| Fate { outcome: Outcome::Passes, after: Duration::ZERO })
    }

    /// What each of the build's tasks comes to; at least one.
    fn fates(&self, build: &Build) -> Vec<Fate> {
        variable(build, "SLIPWAY_TASK").split(' ').map(|task| (self.rule)(task)).collect()
    }
}

impl fmt::Debug for Pretence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pretence")
    }
}

/// Runs a build to its end.
pub(crate) async fn run(service: &Service, entry: &Entry, pretence: &Pretence) {
    let build = entry.snapshot();
    events::announce(service, &build).await;
    let (mut stop, fates) = (entry.stop.subscribe(), pretence.fates(&build));
    let status = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Status::Stopped,
        status = work(service, entry, &fates, pretence.open.clone()) => status,
    };
    entry.update(|build| build.complete(status));
    entry.ended.send_replace(true);
    events::announce(service, &entry.snapshot()).await;
}

async fn work(service: &Service, entry: &Entry, fates: &[Fate], mut open: watch::Receiver<bool>) -> Status {
    let Ok(_place) = service.places.acquire().await else { return Status::Stopped };
    entry.update(|build| build.close(Status::Succeeded, None));
    entry.update(|build| build.open(PhaseType::Build));
    tokio::time::sleep(fates.iter().map(|fate| fate.after).sum()).await;
    // Whoever held the gate and is gone holds nobody any more.
    let _ = open.wait_for(|open| *open).await;
    if fates.iter().any(|fate| fate.outcome == Outcome::Faults) {
        return ended(entry, Status::Fault, "BUILD_CONTAINER_LOST", "the machine of the build was lost");
    }
    // What is judged by its reports alone ends well as a build; one that is shared always does.
    let passes = fates.len() > 1 || fates[0].outcome != Outcome::Fails;
    match leave(service, &entry.snapshot(), fates).await {
        Ok(artifacts) if passes => {
            entry.update(|build| {
                build.close(Status::Succeeded, None);
                build.artifacts = artifacts;
            });
            Status::Succeeded
        }
        Ok(artifacts) => {
            entry.update(|build| build.artifacts = artifacts);
            ended(entry, Status::Failed, "COMMAND_EXECUTION_ERROR", "exit status 1")
        }
        Err(error) => ended(entry, Status::Failed, "CLIENT_ERROR", &format!("{error:#}")),
    }
}

fn ended(entry: &Entry, status: Status, code: &str, message: &str) -> Status {
    let context = PhaseContext { status_code: code.to_owned(), message: message.to_owned() };
    entry.update(|build| build.close(status, Some(context)));
    status
}

/// Leaves what a real build leaves: reports, or the image's digest with the image in the registry.
async fn leave(service: &Service, build: &Build, fates: &[Fate]) -> anyhow::Result<crate::build::Artifacts> {
    let (kind, outcome) = (variable(build, "SLIPWAY_KIND"), fates[0].outcome);
    let files = match variable(build, "SLIPWAY_IMAGE") {
        "" if !variable(build, "SLIPWAY_MEMBERS").is_empty() => {
            let members = variable(build, "SLIPWAY_MEMBERS").split(' ').zip(fates);
            members
                .flat_map(|(member, fate)| {
                    let below = move |file: File| File { path: format!("{member}/{}", file.path), ..file };
                    reports(kind, fate.outcome).into_iter().map(below)
                })
                .collect()
        }
        "" => reports(kind, outcome),
        _ if outcome == Outcome::Fails => {
            vec![file("exit-code", "1\n"), file("log.txt", "the image could not be built\n")]
        }
        image => {
            let digest = push(service, build, image).await?;
            vec![
                file("exit-code", "0\n"),
                file("digest", &format!("{digest}\n")),
                file("log.txt", "pushed\n"),
            ]
        }
    };
    let aws = role::of(service, build).await?;
    artifacts::store_zip(&aws, build, "result.zip", files).await
}

fn variable<'a>(build: &'a Build, name: &str) -> &'a str {
    let mut variables = build.environment.environment_variables.iter();
    variables.find(|variable| variable.name == name).map_or("", |variable| variable.value.as_str())
}

fn reports(kind: &str, outcome: Outcome) -> Vec<File> {
    let passes = outcome != Outcome::Fails;
    if kind == "checks" {
        let code = if passes { "0\n" } else { "1\n" };
        let finding = if passes { "" } else { "backend/app.py:1:1: F401 'os' imported but unused\n" };
        let weakness = json!({
            "filename": "backend/app.py", "line_number": 2, "issue_severity": "HIGH", "issue_confidence": "HIGH",
            "issue_text": "subprocess call with shell=True", "test_id": "B602",
        });
        let is_weak = outcome == Outcome::Insecure;
        let results: Vec<_> = is_weak.then_some(weakness).into_iter().collect();
        let bandit = json!({ "errors": [], "results": results });
        return vec![
            file("exit-code", code),
            file("log.txt", "$ flake8\n"),
            file("flake8.txt", finding),
            file("flake8-exit-code", code),
            file("bandit.json", &bandit.to_string()),
            file("bandit-exit-code", if is_weak { "1\n" } else { "0\n" }),
        ];
    }
    let failure = r#"<failure message="assert 1 == 2">tests/test_app.py:2: AssertionError</failure>"#;
    let (failures, inner, code) = if passes { (0, "", "0\n") } else { (1, failure, "1\n") };
    let junit = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" errors="0" failures="{failures}" skipped="0" tests="1" time="0.01"><testcase classname="tests.test_app" name="test_app" file="tests/test_app.py" line="1" time="0.01">{inner}</testcase></testsuite></testsuites>"#
    );
    let mut files =
        vec![file("exit-code", code), file("log.txt", "$ pytest\n1 test\n"), file("junit.xml", &junit)];
    if kind == "service" {
        let covered = if outcome == Outcome::Uncovered { 50 } else { 100 };
        let totals = json!({ "covered_lines": covered, "num_statements": 100, "percent_covered": covered });
        files.push(file("coverage.json", &json!({ "totals": totals, "files": {} }).to_string()));
    }
    files
}

fn file(name: &str, content: &str) -> File {
    File { path: name.to_owned(), mode: 0o644, content: content.as_bytes().to_vec() }
}

/// Pushes an image without layers under the tag. Where the tag exists, its image counts, as for a real build.
async fn push(service: &Service, build: &Build, image: &str) -> anyhow::Result<String> {
    let (_, name) = image.split_once('/').context("an image is named with its registry")?;
    // The build's own id in the image: a second build of the same commit would have another digest.
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] },
        "config": { "Labels": { "build": build.id } },
    })
    .to_string();
    let config_digest = digest(&config);
    let (length, path) = (config.len(), format!("/v2/{name}/blobs/uploads/?digest={config_digest}"));
    service.aws.registry(Method::POST, &path, "application/octet-stream", config).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json", "size": length, "digest": config_digest,
        },
    })
    .to_string();
    let own = digest(&manifest);
    let path = format!("/v2/{name}/manifests/{}", variable(build, "SLIPWAY_TAG"));
    match service.aws.registry(Method::PUT, &path, MANIFEST, manifest).await {
        Ok(_) => Ok(own),
        Err(refusal) => {
            let held = service.aws.registry(Method::GET, &path, MANIFEST, String::new()).await;
            held.map(|manifest| digest(&manifest)).map_err(|_| refusal)
        }
    }
}

fn digest(content: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}
