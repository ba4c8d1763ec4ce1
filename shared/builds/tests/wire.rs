//! The project against a stand-in that holds builds as CodeBuild does, and against a local CodeBuild.

#[path = "support/endings.rs"]
mod endings;

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::types::{
    ArtifactsType, ComputeType, EnvironmentType, ProjectArtifacts, ProjectEnvironment, ProjectSource,
    SourceType,
};
use builds::Builds;
use domain::ids::AttemptId;
use domain::ports::{Advice, BuildOptions, BuildRequest, BuildStart, BuildState, BuildStatus, Builds as _};
use domain::spec::Compute;
use serde_json::{Value, json};
use testkit::aws;
use testkit::aws_json::{JsonService, refusal};

type Outcome = Result<(), Box<dyn Error>>;

const RUN: &str = "vive-sphere.bot-manager.0123456789abcdef0123456789abcdef01234567";

fn attempt(number: u32) -> Result<AttemptId, Box<dyn Error>> {
    Ok(format!("{RUN}/test/authentication/{number}").parse()?)
}

fn request() -> Result<BuildRequest, Box<dyn Error>> {
    Ok(BuildRequest {
        attempts: vec![attempt(1)?],
        source: "bucket/sources/a.zip".to_owned(),
        buildspec: "version: 0.2\n",
        variables: BTreeMap::from([("COMMAND".to_owned(), "pytest -v".to_owned())]),
        options: BuildOptions::default(),
        result: format!("results/{RUN}/test/authentication/1/"),
    })
}

/// A build as `BatchGetBuilds` shows it.
fn build(number: u32, status: &str, of: &AttemptId) -> Value {
    let variables = json!([{ "name": "SLIPWAY_TASK", "value": of.to_string(), "type": "PLAINTEXT" }]);
    json!({
        "id": format!("project:{number}"),
        "buildNumber": number,
        "buildStatus": status,
        "buildComplete": status != "IN_PROGRESS",
        "environment": {
            "type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": variables,
        },
    })
}

/// A CodeBuild that holds these builds, the newest first, and lists two on a page.
async fn holding(builds: Vec<Value>) -> Result<JsonService, Box<dyn Error>> {
    let service = JsonService::start(move |operation, input| match operation {
        "ListBuildsForProject" => {
            let from: usize = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
            let ids: Vec<&Value> = builds.iter().skip(from).take(2).map(|build| &build["id"]).collect();
            let more = from + 2 < builds.len();
            (200, json!({ "ids": ids, "nextToken": more.then(|| (from + 2).to_string()) }))
        }
        "BatchGetBuilds" => {
            let asked = input["ids"].as_array().cloned().unwrap_or_default();
            let found: Vec<&Value> = builds.iter().filter(|build| asked.contains(&build["id"])).collect();
            (200, json!({ "builds": found, "buildsNotFound": [] }))
        }
        _ => (200, json!({})),
    })
    .await?;
    Ok(service)
}

#[tokio::test]
async fn a_start_says_everything_and_the_same_again() -> Outcome {
    let service = JsonService::start(|_, _| (200, json!({ "build": { "id": "project:1" } }))).await?;
    let builds = Builds::new(&service.config(), "project", "bucket");

    assert_eq!(builds.start(&request()?).await?, BuildStart::Started("project:1".to_owned()));
    assert_eq!(builds.start(&request()?).await?, BuildStart::Started("project:1".to_owned()));

    let requests = service.requests();
    let expected = json!({
        "projectName": "project",
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": "bucket/sources/a.zip",
        "buildspecOverride": "version: 0.2\n",
        "environmentVariablesOverride": [
            { "name": "COMMAND", "value": "pytest -v", "type": "PLAINTEXT" },
            { "name": "SLIPWAY_TASK", "value": attempt(1)?.to_string(), "type": "PLAINTEXT" },
        ],
        "artifactsOverride": {
            "type": "S3",
            "location": "bucket",
            "path": format!("results/{RUN}/test/authentication/1"),
            "name": "result.zip",
            "packaging": "ZIP",
            "namespaceType": "NONE",
            "overrideArtifactName": false,
        },
        "cacheOverride": { "type": "NO_CACHE" },
        "idempotencyToken": requests[0].1["idempotencyToken"],
    });
    assert_eq!(requests[0], ("StartBuild".to_owned(), expected));
    assert_eq!(requests[0], requests[1], "a start must be repeatable");
    assert_eq!(requests[0].1["idempotencyToken"].as_str().map(str::len), Some(64));
    Ok(())
}

#[tokio::test]
async fn what_it_runs_in_is_laid_over_the_project() -> Outcome {
    let service = JsonService::start(|_, _| (200, json!({ "build": { "id": "project:1" } }))).await?;
    let builds = Builds::new(&service.config(), "project", "bucket");
    let secrets = [("TOKEN", "slipway/test/token"), ("COMMAND", "slipway/test/other"), ("SLIPWAY_TASK", "x")];
    let options = BuildOptions {
        secrets: secrets.map(|(name, secret)| (name.to_owned(), secret.to_owned())).into(),
        image: Some("python:3.13".to_owned()),
        compute: Some(Compute::Xxlarge),
        timeout: Some(5),
        cache: Some("bucket/cache/vive-sphere/bot-manager".to_owned()),
    };
    builds.start(&BuildRequest { options: options.clone(), ..request()? }).await?;
    let curated = BuildOptions { image: Some("aws/codebuild/standard:7.0".to_owned()), ..options };
    builds.start(&BuildRequest { options: curated, ..request()? }).await?;

    let requests = service.requests();
    let input = &requests[0].1;
    let variables = json!([
        { "name": "COMMAND", "value": "pytest -v", "type": "PLAINTEXT" },
        { "name": "TOKEN", "value": "slipway/test/token", "type": "SECRETS_MANAGER" },
        { "name": "SLIPWAY_TASK", "value": attempt(1)?.to_string(), "type": "PLAINTEXT" },
    ]);
    assert_eq!(input["environmentVariablesOverride"], variables);
    assert_eq!(
        (&input["imageOverride"], &input["imagePullCredentialsTypeOverride"]),
        (&json!("python:3.13"), &json!("SERVICE_ROLE"))
    );
    assert_eq!(input["computeTypeOverride"], "BUILD_GENERAL1_2XLARGE");
    assert_eq!(input["timeoutInMinutesOverride"], 5);
    let cache = json!({ "type": "S3", "location": "bucket/cache/vive-sphere/bot-manager" });
    assert_eq!(input["cacheOverride"], cache);
    assert_eq!(requests[1].1["imagePullCredentialsTypeOverride"], "CODEBUILD");
    Ok(())
}

#[tokio::test]
async fn another_attempt_has_another_token() -> Outcome {
    let service = JsonService::start(|_, _| (200, json!({ "build": { "id": "project:1" } }))).await?;
    let builds = Builds::new(&service.config(), "project", "bucket");
    builds.start(&request()?).await?;
    builds.start(&BuildRequest { attempts: vec![attempt(2)?], ..request()? }).await?;
    let tokens: Vec<Value> =
        service.requests().into_iter().map(|(_, input)| input["idempotencyToken"].clone()).collect();
    assert_ne!(tokens[0], tokens[1]);
    Ok(())
}

#[tokio::test]
async fn a_full_account_is_busy_and_a_missing_project_is_refused() -> Outcome {
    let full = JsonService::start(|_, _| refusal("AccountLimitExceededException")).await?;
    let start = Builds::new(&full.config(), "project", "bucket").start(&request()?).await?;
    assert_eq!(start, BuildStart::Busy);

    let missing = JsonService::start(|_, _| refusal("ResourceNotFoundException")).await?;
    let start = Builds::new(&missing.config(), "project", "bucket").start(&request()?).await;
    assert_eq!(start.err().map(|fault| fault.advice), Some(Advice::Reject));

    let throttled = JsonService::start(|_, _| refusal("ThrottlingException")).await?;
    let start = Builds::new(&throttled.config(), "project", "bucket").start(&request()?).await;
    assert_eq!(start.err().map(|fault| fault.advice), Some(Advice::Retry(None)));
    Ok(())
}

#[tokio::test]
async fn the_oldest_build_is_adopted_and_the_surplus_stopped() -> Outcome {
    let (one, two) = (attempt(1)?, attempt(2)?);
    let service = holding(vec![
        build(6, "IN_PROGRESS", &two),
        build(5, "SUCCEEDED", &one),
        build(4, "IN_PROGRESS", &one),
        build(3, "IN_PROGRESS", &one),
    ])
    .await?;

    let found = Builds::new(&service.config(), "project", "bucket").find(&one).await?;

    assert_eq!(found.as_deref(), Some("project:3"));
    let stopped: Vec<Value> = service
        .requests()
        .into_iter()
        .filter(|(operation, _)| operation == "StopBuild")
        .map(|(_, input)| input["id"].clone())
        .collect();
    assert_eq!(stopped, ["project:4"]);
    Ok(())
}

#[tokio::test]
async fn a_stopped_build_is_not_adopted_and_an_unknown_attempt_has_none() -> Outcome {
    let one = attempt(1)?;
    let service = holding(vec![build(3, "FAILED", &one), build(2, "STOPPED", &one)]).await?;
    let builds = Builds::new(&service.config(), "project", "bucket");
    assert_eq!(builds.find(&one).await?.as_deref(), Some("project:3"));
    assert_eq!(builds.find(&attempt(2)?).await?, None);
    assert!(!service.operations().contains(&"StopBuild".to_owned()));

    let empty = holding(Vec::new()).await?;
    assert_eq!(Builds::new(&empty.config(), "project", "bucket").find(&one).await?, None);
    assert_eq!(empty.operations(), ["ListBuildsForProject"], "nothing to look at, nothing asked");
    Ok(())
}

#[tokio::test]
async fn the_search_ends_after_two_pages() -> Outcome {
    let (one, other) = (attempt(1)?, attempt(2)?);
    let mut all: Vec<Value> = (10..20).rev().map(|number| build(number, "SUCCEEDED", &other)).collect();
    all.push(build(1, "SUCCEEDED", &one));
    let service = holding(all).await?;
    assert_eq!(Builds::new(&service.config(), "project", "bucket").find(&one).await?, None);
    assert_eq!(service.requests().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_status_tells_the_state_the_log_and_the_reason() -> Outcome {
    let mut failed = build(2, "FAILED", &attempt(1)?);
    failed["logs"] = json!({ "deepLink": "https://console/log" });
    failed["artifacts"] = json!({ "location": "arn:aws:s3:::bucket/result.zip", "sha256sum": "abc" });
    failed["phases"] = json!([
        { "phaseType": "INSTALL", "phaseStatus": "SUCCEEDED", "contexts": [{ "message": "" }] },
        { "phaseType": "BUILD", "phaseStatus": "FAILED",
          "contexts": [{ "statusCode": "COMMAND_EXECUTION_ERROR", "message": "exit status 1" }] },
        { "phaseType": "COMPLETED" },
    ]);
    let service = holding(vec![failed, build(1, "IN_PROGRESS", &attempt(1)?)]).await?;
    let builds = Builds::new(&service.config(), "project", "bucket");

    let expected = BuildStatus {
        state: BuildState::Failed,
        log: Some("https://console/log".to_owned()),
        reason: Some("BUILD: exit status 1".to_owned()),
        digest: Some("abc".to_owned()),
    };
    assert_eq!(builds.status("project:2").await?, Some(expected));
    let running = BuildStatus { state: BuildState::InProgress, log: None, reason: None, digest: None };
    assert_eq!(builds.status("project:1").await?, Some(running));
    assert_eq!(builds.status("project:0").await?, None);
    Ok(())
}

#[tokio::test]
async fn every_state_has_its_name() -> Outcome {
    for (status, state) in [
        ("SUCCEEDED", BuildState::Succeeded),
        ("FAULT", BuildState::Fault),
        ("TIMED_OUT", BuildState::TimedOut),
        ("STOPPED", BuildState::Stopped),
        ("SOMETHING_NEW", BuildState::Fault),
    ] {
        let service = holding(vec![build(1, status, &attempt(1)?)]).await?;
        let found = Builds::new(&service.config(), "project", "bucket").status("project:1").await?;
        assert_eq!(found.map(|found| found.state), Some(state), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn stopping_what_is_gone_is_no_fault() -> Outcome {
    let gone = JsonService::start(|_, _| refusal("ResourceNotFoundException")).await?;
    Builds::new(&gone.config(), "project", "bucket").stop("project:1").await?;
    let denied = JsonService::start(|_, _| refusal("AccessDeniedException")).await?;
    let stopped = Builds::new(&denied.config(), "project", "bucket").stop("project:1").await;
    assert_eq!(stopped.err().map(|fault| fault.advice), Some(Advice::Reject));
    Ok(())
}

#[tokio::test]
async fn a_local_codebuild_runs_it() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let project = aws::unique("project");
    Client::new(&config)
        .create_project()
        .name(&project)
        .source(ProjectSource::builder().r#type(SourceType::S3).location("bucket/sources/a.zip").build()?)
        .artifacts(ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build()?)
        .environment(
            ProjectEnvironment::builder()
                .r#type(EnvironmentType::LinuxContainer)
                .image("slipway-local/build:bookworm")
                .compute_type(ComputeType::BuildGeneral1Small)
                .build()?,
        )
        .service_role("arn:aws:iam::000000000000:role/build")
        .send()
        .await?;
    let builds = Builds::new(&config, &project, "bucket");

    let BuildStart::Started(id) = builds.start(&request()?).await? else { return Err("it was busy".into()) };

    let status = builds.status(&id).await?.ok_or("the build is known")?;
    assert_eq!(status.state, BuildState::Succeeded);
    assert_eq!(builds.status(&format!("{project}:00000000-0000-0000-0000-000000000000")).await?, None);
    Ok(())
}
