//! What a start lays over its project, followed by builds that really run.

mod support;

use aws_sdk_codebuild::error::ProvideErrorMetadata;
use aws_sdk_codebuild::types::{
    Build, CacheType, ComputeType, ImagePullCredentialsType, ProjectCache, StatusType,
};
use support::{Cloud, zip};

const QUICK: &str = "version: 0.2\nphases: {build: {commands: ['true']}}";

/// Keeps one file for each content of `requirements.txt`, and tells what it found of it.
const CACHING: &str = r#"version: 0.2
phases:
  build:
    commands:
      - echo "found $(cat /root/.cache/tool/deep/kept 2>/dev/null || echo nothing)"
      - mkdir -p /root/.cache/tool/deep && echo "of $ROUND" > /root/.cache/tool/deep/kept
      - exit "$CODE"
cache:
  key: tool-$(codebuild-hash-files $FILES)
  paths: ['/root/.cache/tool/**/*']
"#;

fn s3(cloud: &Cloud) -> ProjectCache {
    let location = format!("{}/cache/vive-sphere/bot-manager", cloud.bucket);
    ProjectCache::builder().r#type(CacheType::S3).location(location).build().expect("complete")
}

fn variables(pairs: [(&str, &str); 3]) -> Vec<aws_sdk_codebuild::types::EnvironmentVariable> {
    let one = |(name, value): (&str, &str)| {
        let variable = aws_sdk_codebuild::types::EnvironmentVariable::builder().name(name).value(value);
        variable.build().expect("complete")
    };
    pairs.map(one).into()
}

/// What a build found of the rounds before it.
async fn round(cloud: &Cloud, number: &str, code: &str, cache: Option<ProjectCache>) -> String {
    let own = variables([("ROUND", number), ("CODE", code), ("FILES", "*/requirements.txt")]);
    let start =
        cloud.start_build(CACHING).set_environment_variables_override(Some(own)).set_cache_override(cache);
    let build = cloud.run(start).await;
    let log = Cloud::log(&build);
    let expected = if code == "0" { StatusType::Succeeded } else { StatusType::Failed };
    assert_eq!(build.build_status(), Some(&expected), "{log}");
    let found = log.lines().find_map(|line| line.strip_prefix("found ")).map(str::to_owned);
    found.unwrap_or_else(|| panic!("{log}"))
}

#[tokio::test]
async fn a_cache_is_kept_for_each_key_and_a_copy_never_changes() {
    let cloud = Cloud::start("cache").await;
    let requirements = |text: &str| cloud.put_source(&zip(&[("repo-sha/requirements.txt", 0o644, text)]));
    requirements("pytest==8\n");
    assert_eq!(round(&cloud, "1", "1", Some(s3(&cloud))).await, "nothing");
    assert_eq!(round(&cloud, "2", "0", Some(s3(&cloud))).await, "nothing", "a red build keeps nothing");
    assert_eq!(round(&cloud, "3", "0", Some(s3(&cloud))).await, "of 2");
    assert_eq!(round(&cloud, "4", "0", Some(s3(&cloud))).await, "of 2", "the copy of this key stays");
    assert_eq!(round(&cloud, "5", "0", None).await, "nothing", "a project has no cache of its own");
    requirements("pytest==9\n");
    assert_eq!(round(&cloud, "6", "0", Some(s3(&cloud))).await, "nothing", "another key");
    assert_eq!(round(&cloud, "7", "0", Some(s3(&cloud))).await, "of 6");
    cloud.end().await;
}

#[tokio::test]
async fn nothing_is_left_in_the_container_for_the_next_build() {
    let cloud = Cloud::start("apart").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let buildspec = "version: 0.2\nphases:\n  build:\n    commands:\n      - test ! -e /root/.cache/pip/left\n      \
                     - mkdir -p /root/.cache/pip && touch /root/.cache/pip/left\n";
    for _ in 0..2 {
        let build = cloud.run(cloud.start_build(buildspec)).await;
        assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{}", Cloud::log(&build));
    }
    cloud.end().await;
}

#[tokio::test]
async fn a_build_tells_what_it_runs_in() {
    let cloud = Cloud::start("machine").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let start = cloud
        .start_build("version: 0.2\nphases: {build: {commands: ['echo image $CODEBUILD_BUILD_IMAGE']}}")
        .image_override(cloud.base)
        .image_pull_credentials_type_override(ImagePullCredentialsType::ServiceRole)
        .compute_type_override(ComputeType::BuildGeneral1Large)
        .timeout_in_minutes_override(7)
        .cache_override(s3(&cloud));
    let build = cloud.run(start).await;
    let log = Cloud::log(&build);
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{log}");
    assert!(log.contains(&format!("image {}", cloud.base)), "{log}");
    assert!(log.contains("Unable to download cache: no paths specified"), "{log}");
    let environment = build.environment().expect("an environment");
    assert_eq!(environment.image(), cloud.base);
    assert_eq!(environment.compute_type(), &ComputeType::BuildGeneral1Large);
    let pull = environment.image_pull_credentials_type();
    assert_eq!(pull, Some(&ImagePullCredentialsType::ServiceRole));
    assert_eq!(build.timeout_in_minutes(), Some(7));
    assert_eq!(build.cache().map(ProjectCache::r#type), Some(&CacheType::S3));
    cloud.end().await;
}

#[tokio::test]
async fn what_codebuild_would_refuse_is_refused() {
    let cloud = Cloud::start("wrong").await;
    let no_place = ProjectCache::builder().r#type(CacheType::S3).build().expect("complete");
    for start in [
        cloud.start_build(QUICK).compute_type_override(ComputeType::from("BUILD_GENERAL1_HUGE")),
        cloud
            .start_build(QUICK)
            .image_override("aws/codebuild/standard:7.0")
            .image_pull_credentials_type_override(ImagePullCredentialsType::ServiceRole),
        cloud.start_build(QUICK).cache_override(no_place),
        cloud.start_build(QUICK).timeout_in_minutes_override(2161),
    ] {
        let refusal = start.send().await.expect_err("it is wrong");
        assert_eq!(refusal.code(), Some("InvalidInputException"), "{refusal:?}");
    }
    cloud.end().await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_fails_the_build_before_its_commands() {
    let cloud = Cloud::start("missing-secret").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let secret = aws_sdk_codebuild::types::EnvironmentVariable::builder()
        .name("TOKEN")
        .value("nobody/test/token")
        .r#type(aws_sdk_codebuild::types::EnvironmentVariableType::SecretsManager);
    let secret = secret.build().expect("complete");
    let build = cloud.run(cloud.start_build(QUICK).environment_variables_override(secret)).await;
    let (phase, code, message) = trouble(&build);
    assert_eq!((phase.as_str(), code.as_str()), ("DOWNLOAD_SOURCE", "Secrets Manager Error"), "{message}");
    assert!(message.starts_with("ResourceNotFoundException: "), "{message}");
    cloud.end().await;
}

/// Phase, code and message of what went wrong.
fn trouble(build: &Build) -> (String, String, String) {
    let phase = build.phases().iter().find(|phase| !phase.contexts().is_empty()).expect("a failed phase");
    let (kind, context) = (phase.phase_type().map(|kind| kind.as_str().to_owned()), &phase.contexts()[0]);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (kind.unwrap_or_default(), text(context.status_code()), text(context.message()))
}
