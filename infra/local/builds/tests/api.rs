//! The API's own rules: tokens, limits, refusals, lists.

mod support;

use aws_sdk_codebuild::error::ProvideErrorMetadata;
use aws_sdk_codebuild::types::{SortOrderType, StatusType};
use support::{Cloud, zip};

const QUICK: &str = "version: 0.2\nphases: {build: {commands: ['true']}}";
const SLOW: &str = "version: 0.2\nphases: {build: {commands: ['sleep 600']}}";

#[tokio::test]
async fn the_same_token_gives_the_same_build() {
    let cloud = Cloud::start("token").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let start = || cloud.start_build(QUICK).idempotency_token("task-1");
    let first = start().send().await.expect("started");
    let second = start().send().await.expect("found");
    let id = |answer: &aws_sdk_codebuild::operation::start_build::StartBuildOutput| {
        answer.build_value().and_then(|build| build.id()).map(str::to_owned)
    };
    assert_eq!(id(&first), id(&second));

    let other = start().source_version("other").send().await.expect_err("other parameters");
    assert_eq!(other.code(), Some("InvalidInputException"));
    let third = cloud.start_build(QUICK).send().await.expect("without a token it is a new one");
    assert_ne!(id(&first), id(&third));
    cloud.end().await;
}

#[tokio::test]
async fn what_does_not_exist_is_said_by_codebuilds_names() {
    let cloud = Cloud::start("unknown").await;
    let refusal =
        cloud.client.start_build().project_name("nobody").send().await.expect_err("no such project");
    assert_eq!(refusal.code(), Some("ResourceNotFoundException"));
    let expect = "Project cannot be found: arn:aws:codebuild:us-east-1:000000000000:project/nobody";
    assert_eq!(refusal.message(), Some(expect));
    let refusal = cloud.client.stop_build().id("nobody:1").send().await.expect_err("no such build");
    assert_eq!(refusal.code(), Some("ResourceNotFoundException"));
    let refusal = cloud.client.list_builds_for_project().project_name("nobody").send().await;
    assert_eq!(refusal.expect_err("no such project").code(), Some("ResourceNotFoundException"));
    let answer = cloud.client.batch_get_builds().ids("nobody:1").send().await.expect("an answer");
    assert_eq!(answer.builds_not_found(), ["nobody:1"]);
    let answer = cloud.client.batch_get_projects().names(&cloud.project).send().await.expect("an answer");
    assert_eq!(answer.projects()[0].name(), Some(cloud.project.as_str()));
    let refusal =
        cloud.start_build(QUICK).timeout_in_minutes_override(4).send().await.expect_err("too short");
    assert_eq!(refusal.code(), Some("InvalidInputException"));
    cloud.end().await;
}

#[tokio::test]
async fn builds_beyond_the_limit_wait_and_then_are_refused() {
    let cloud = Cloud::start_with("limit", |options| options.concurrent_builds = 1).await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let mut ids = Vec::new();
    for _ in 0..6 {
        let started = cloud.start_build(SLOW).send().await.expect("started");
        ids.push(started.build_value().and_then(|build| build.id()).expect("an id").to_owned());
    }
    let refusal = cloud.start_build(SLOW).send().await.expect_err("too many");
    assert_eq!(refusal.code(), Some("AccountLimitExceededException"));

    let list = cloud.client.list_builds_for_project().project_name(&cloud.project);
    let list = list.sort_order(SortOrderType::Ascending).send().await.expect("a list");
    assert_eq!(list.ids(), ids);
    let newest = cloud.client.list_builds().send().await.expect("a list");
    assert_eq!(newest.ids().first(), ids.last());
    let queued = cloud.client.batch_get_builds().set_ids(Some(ids)).send().await.expect("builds");
    let waiting = queued.builds().iter().filter(|build| build.current_phase() == Some("QUEUED"));
    assert!(waiting.count() >= 5, "one place, so that at most one build runs");
    cloud.end().await;
}

#[tokio::test]
async fn broken_input_fails_in_the_phase_that_reads_it() {
    let cloud = Cloud::start("broken").await;
    let failed = |build: &aws_sdk_codebuild::types::Build| {
        assert_eq!(build.build_status(), Some(&StatusType::Failed));
        let phase = build.phases().iter().find(|phase| !phase.contexts().is_empty()).expect("a failed phase");
        let context = &phase.contexts()[0];
        assert_eq!(
            phase.phase_type().map(aws_sdk_codebuild::types::BuildPhaseType::as_str),
            Some("DOWNLOAD_SOURCE")
        );
        format!("{}: {}", context.status_code().unwrap_or_default(), context.message().unwrap_or_default())
    };
    let missing = failed(&cloud.run(cloud.start_build(QUICK)).await);
    assert!(missing.starts_with("CLIENT_ERROR: s3://") && missing.contains("404"), "{missing}");

    let pulled = cloud.start_build(QUICK).image_override("registry.invalid/nothing:1");
    let pulled = cloud.run(pulled).await;
    assert_eq!(pulled.build_status(), Some(&StatusType::Failed));
    let phase = pulled.phases().iter().find(|phase| !phase.contexts().is_empty()).expect("a failed phase");
    assert_eq!(phase.contexts()[0].status_code(), Some("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"));

    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let unreadable = failed(&cloud.run(cloud.start_build("version: 0.2\nphases: [")).await);
    assert!(unreadable.starts_with("YAML_FILE_ERROR: "), "{unreadable}");
    let absent = failed(&cloud.run(cloud.start_build("ci/buildspec.yml")).await);
    assert!(absent.starts_with("YAML_FILE_ERROR: ci/buildspec.yml does not exist"), "{absent}");
    cloud.end().await;
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let cloud = Cloud::start("unsigned").await;
    let (status, answer) = cloud.unsigned("CodeBuild_20161006.ListBuilds").await;
    assert_eq!(status, 403);
    assert!(answer.contains("MissingAuthenticationTokenException"), "{answer}");
    cloud.end().await;
}
