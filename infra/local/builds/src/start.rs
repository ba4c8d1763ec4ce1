//! `StartBuild`: the project, with what the start lays over it, becomes a build.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::build::{
    ArtifactTarget, Artifacts, Build, CacheTarget, Environment, Logs, PhaseType, Source, Status, Variable,
    now,
};
use crate::buildspec::Buildspec;
use crate::error::Refusal;
use crate::registry::{Entry, Start};
use crate::{Service, executor};

/// The machines for Linux containers; here all of them are this machine.
const COMPUTE_TYPES: [&str; 5] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
];

/// The parameters of `StartBuild`, as far as they have a meaning here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StartRequest {
    project_name: String,
    source_version: Option<String>,
    source_type_override: Option<String>,
    source_location_override: Option<String>,
    buildspec_override: Option<String>,
    environment_variables_override: Vec<Variable>,
    artifacts_override: Option<ArtifactTarget>,
    cache_override: Option<CacheTarget>,
    image_override: Option<String>,
    image_pull_credentials_type_override: Option<String>,
    compute_type_override: Option<String>,
    environment_type_override: Option<String>,
    privileged_mode_override: Option<bool>,
    service_role_override: Option<String>,
    timeout_in_minutes_override: Option<u64>,
    idempotency_token: Option<String>,
}

/// A project as the local AWS describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Project {
    name: String,
    source: Source,
    source_version: Option<String>,
    artifacts: ArtifactTarget,
    cache: CacheTarget,
    #[serde(deserialize_with = "lenient_environment")]
    environment: Environment,
    service_role: String,
    timeout_in_minutes: Option<u64>,
    concurrent_build_limit: Option<usize>,
}

/// CloudFormation may have left `"true"` where the API has `true`.
fn lenient_environment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Environment, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    let flag = value.get("privilegedMode").and_then(Value::as_str).map(|text| text == "true");
    if let (Some(flag), Some(environment)) = (flag, value.as_object_mut()) {
        environment.insert("privilegedMode".to_owned(), Value::Bool(flag));
    }
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

/// Starts a build, or finds the one that the same token started.
pub(crate) async fn start(service: &Arc<Service>, body: &Value) -> Result<Arc<Entry>, Refusal> {
    let request: StartRequest = serde_json::from_value(body.clone())
        .map_err(|error| Refusal::invalid(format!("Invalid request provided: {error}")))?;
    let project = find_project(service, &request.project_name).await?;
    check(&request, &project)?;
    let start = Start {
        project: &project.name,
        token: request.idempotency_token.as_deref(),
        request: body.to_string(),
        account_limit: service.options.concurrent_builds.saturating_mul(6),
        project_limit: project.concurrent_build_limit,
        now: Instant::now(),
    };
    let make = |number| new_build(service, &project, &request, number);
    let (entry, is_new) = service.registry.enter(&start, make)?;
    if is_new {
        service.running.spawn(executor::run(Arc::clone(service), Arc::clone(&entry)));
    }
    Ok(entry)
}

/// Refuses a name that is no project.
pub(crate) async fn require_project(service: &Service, name: &str) -> Result<(), Refusal> {
    find_project(service, name).await.map(|_| ())
}

async fn find_project(service: &Service, name: &str) -> Result<Project, Refusal> {
    let body = serde_json::json!({ "names": [name] }).to_string();
    let answer = service.aws.pass_on("CodeBuild_20161006.BatchGetProjects", Bytes::from(body)).await;
    let (_, answer) = answer.map_err(|error| Refusal::internal(&error))?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| Refusal::internal(&error.into()))?;
    let Some(project) = answer.pointer("/projects/0") else {
        let arn = service.options.arn("codebuild", &format!("project/{name}"));
        return Err(Refusal::not_found(format!("Project cannot be found: {arn}")));
    };
    serde_json::from_value(project.clone()).map_err(|error| Refusal::internal(&error.into()))
}

fn check(request: &StartRequest, project: &Project) -> Result<(), Refusal> {
    if let Some(minutes) = request.timeout_in_minutes_override
        && !(5..=2160).contains(&minutes)
    {
        return Err(Refusal::invalid("Invalid timeout: it must be between 5 and 2160 minutes"));
    }
    let kind = request.source_type_override.as_ref().unwrap_or(&project.source.kind);
    let location = request.source_location_override.as_ref().or(project.source.location.as_ref());
    let buildspec = request.buildspec_override.as_ref().or(project.source.buildspec.as_ref());
    match kind.as_str() {
        "S3" if location.is_some_and(|location| location.contains('/')) => {}
        "S3" => return Err(Refusal::invalid("Invalid S3 source location: it must be <bucket>/<key>")),
        "NO_SOURCE" if buildspec.is_some_and(|text| Buildspec::is_inline(text)) => {}
        "NO_SOURCE" => {
            return Err(Refusal::invalid(
                "Project source type NO_SOURCE requires an inline build specification",
            ));
        }
        other => {
            return Err(Refusal::invalid(format!("Source type {other} is not available in the local cloud")));
        }
    }
    check_environment(request)?;
    let cache = request.cache_override.as_ref().unwrap_or(&project.cache);
    match (cache.kind.as_str(), cache.location.as_deref()) {
        ("NO_CACHE", _) => {}
        ("S3", Some(location)) if !location.is_empty() => {}
        _ => return Err(Refusal::invalid("Invalid cache: it must be NO_CACHE, or S3 with a location")),
    }
    let kinds = ["PLAINTEXT", "SECRETS_MANAGER", "PARAMETER_STORE"];
    for variable in &request.environment_variables_override {
        if !kinds.contains(&variable.kind.as_str()) {
            return Err(Refusal::invalid(format!("Invalid type of environment variable: {}", variable.kind)));
        }
    }
    Ok(())
}

fn check_environment(request: &StartRequest) -> Result<(), Refusal> {
    if let Some(compute) = &request.compute_type_override
        && !COMPUTE_TYPES.contains(&compute.as_str())
    {
        return Err(Refusal::invalid(format!("Invalid compute type: {compute}")));
    }
    match (request.image_override.as_deref(), request.image_pull_credentials_type_override.as_deref()) {
        (Some(image), Some("SERVICE_ROLE")) if image.starts_with("aws/codebuild/") => {
            Err(Refusal::invalid("CodeBuild's own images must be pulled with the credentials CODEBUILD"))
        }
        (_, None | Some("CODEBUILD" | "SERVICE_ROLE")) => Ok(()),
        (_, Some(other)) => Err(Refusal::invalid(format!("Invalid image pull credentials type: {other}"))),
    }
}

fn new_build(service: &Service, project: &Project, request: &StartRequest, number: u64) -> Build {
    let options = &service.options;
    let uuid = uuid::Uuid::new_v4().to_string();
    let id = format!("{}:{uuid}", project.name);
    let target = request.artifacts_override.clone().unwrap_or_else(|| project.artifacts.clone());
    let mut build = Build {
        arn: options.arn("codebuild", &format!("build/{id}")),
        id,
        build_number: number,
        start_time: now(),
        end_time: None,
        current_phase: PhaseType::Submitted,
        build_status: Status::InProgress,
        source_version: request.source_version.clone().or_else(|| project.source_version.clone()),
        project_name: project.name.clone(),
        phases: Vec::new(),
        source: Source {
            kind: request.source_type_override.clone().unwrap_or_else(|| project.source.kind.clone()),
            location: request.source_location_override.clone().or_else(|| project.source.location.clone()),
            buildspec: request.buildspec_override.clone().or_else(|| project.source.buildspec.clone()),
        },
        artifacts: Artifacts::default(),
        cache: request.cache_override.clone().unwrap_or_else(|| project.cache.clone()),
        environment: environment(project, request),
        service_role: request.service_role_override.clone().unwrap_or_else(|| project.service_role.clone()),
        logs: logs(service, &project.name, &uuid),
        timeout_in_minutes: request.timeout_in_minutes_override.or(project.timeout_in_minutes).unwrap_or(60),
        build_complete: false,
        initiator: "slipway".to_owned(),
        exported_environment_variables: Vec::new(),
        target,
    };
    build.source_version = build.source_version.filter(|version| !version.is_empty());
    build.open(PhaseType::Submitted);
    build.close(Status::Succeeded, None);
    build.open(PhaseType::Queued);
    build
}

fn environment(project: &Project, request: &StartRequest) -> Environment {
    let mut environment = project.environment.clone();
    for variable in &request.environment_variables_override {
        match environment.environment_variables.iter_mut().find(|known| known.name == variable.name) {
            Some(known) => *known = variable.clone(),
            None => environment.environment_variables.push(variable.clone()),
        }
    }
    if let Some(image) = &request.image_override {
        environment.image.clone_from(image);
    }
    if let Some(credentials) = &request.image_pull_credentials_type_override {
        environment.image_pull_credentials_type = Some(credentials.clone());
    }
    if let Some(compute_type) = &request.compute_type_override {
        environment.compute_type.clone_from(compute_type);
    }
    if let Some(kind) = &request.environment_type_override {
        environment.kind.clone_from(kind);
    }
    if let Some(privileged) = request.privileged_mode_override {
        environment.privileged_mode = privileged;
    }
    environment
}

fn logs(service: &Service, project: &str, uuid: &str) -> Logs {
    let group = format!("/aws/codebuild/{project}");
    let region = &service.options.region;
    Logs {
        deep_link: format!(
            "https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}/log-events/{uuid}",
            group.replace('/', "$252F")
        ),
        cloud_watch_logs_arn: service.options.arn("logs", &format!("log-group:{group}:log-stream:{uuid}")),
        group_name: group,
        stream_name: uuid.to_owned(),
    }
}
