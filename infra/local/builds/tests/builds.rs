//! Builds that really run, driven by AWS's own client against a real local AWS and a real engine.

mod support;

use std::time::Duration;

use aws_sdk_codebuild::types::{EnvironmentVariable, EnvironmentVariableType, StatusType};
use local_builds::EventSink;
use serde_json::json;
use support::{Cloud, zip};

#[tokio::test]
async fn a_build_runs_pytest_and_leaves_its_report_behind() {
    let cloud = Cloud::start("pytest").await;
    cloud.put_source(&zip(&[
        ("repo-sha/backend/add.py", 0o644, "def add(a, b):\n    return a + b\n"),
        (
            "repo-sha/backend/test_add.py",
            0o644,
            "from add import add\n\n\ndef test_right():\n    assert add(1, 2) == 3\n\n\ndef test_wrong():\n    assert add(1, 2) == 4\n",
        ),
        ("repo-sha/run.sh", 0o755, "#!/bin/sh\npytest backend -v --junitxml=\"$1\"\n"),
    ]));
    let buildspec = r#"version: 0.2
phases:
  install:
    commands:
      - pip install --quiet pytest
  build:
    commands:
      - cd "$CODEBUILD_SRC_DIR"/*/
      - out="$CODEBUILD_SRC_DIR/result"; mkdir "$out"
      - ./run.sh "$out/junit.xml"
  post_build:
    commands:
      - echo "succeeding=$CODEBUILD_BUILD_SUCCEEDING in $(basename "$PWD")" > "$out/log.txt"
artifacts:
  base-directory: result
  files: ['**/*']
"#;
    let build = cloud.run(cloud.start_build(buildspec)).await;

    assert_eq!(build.build_status(), Some(&StatusType::Failed));
    let log = Cloud::log(&build);
    assert!(log.contains("test_wrong FAILED") && log.contains("test_right PASSED"), "{log}");
    let failed = build.phases().iter().find(|phase| !phase.contexts().is_empty()).expect("a failed phase");
    assert_eq!(failed.phase_type().map(|phase| phase.as_str().to_owned()), Some("BUILD".to_owned()));
    assert_eq!(failed.contexts()[0].status_code(), Some("COMMAND_EXECUTION_ERROR"));
    let message = failed.contexts()[0].message().expect("a message");
    assert_eq!(message, "Error while executing command: ./run.sh \"$out/junit.xml\". Reason: exit status 1");
    let result = cloud.result();
    assert!(result["junit.xml"].contains("test_wrong"), "{result:?}");
    assert_eq!(result["log.txt"], "succeeding=0 in repo-sha\n");
    let location = build.artifacts().and_then(|artifacts| artifacts.location()).expect("a location");
    assert_eq!(location, format!("arn:aws:s3:::{}/results/result.zip", cloud.bucket));

    let events = cloud.events();
    let statuses: Vec<&str> =
        events.iter().filter_map(|event| event["detail"]["build-status"].as_str()).collect();
    assert_eq!(statuses, ["IN_PROGRESS", "FAILED"]);
    let last = &events[1];
    assert_eq!(last["source"], "aws.codebuild");
    assert_eq!(last["detail-type"], "CodeBuild Build State Change");
    assert_eq!(last["detail"]["build-id"].as_str(), build.arn());
    assert_eq!(last["detail"]["project-name"].as_str(), Some(cloud.project.as_str()));
    let information = &last["detail"]["additional-information"];
    let variables = &information["environment"]["environment-variables"];
    assert_eq!(variables[0]["name"], "SLIPWAY_TASK");
    assert_eq!(information["logs"]["stream-name"].as_str(), build.logs().and_then(|logs| logs.stream_name()));
    assert_eq!(information["phases"][4]["phase-type"], "INSTALL");
    cloud.end().await;
}

#[tokio::test]
async fn secrets_reach_the_build_and_never_its_log() {
    let cloud = Cloud::start("secrets").await;
    let secret = format!("{}-secret", cloud.bucket);
    Cloud::json(
        "secretsmanager",
        "secretsmanager.CreateSecret",
        &json!({ "Name": secret, "SecretString": "{\"token\": \"xoxb-swordfish\"}" }),
    );
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let variable = |name: &str, value: &str, kind| {
        let variable = EnvironmentVariable::builder().name(name).value(value).r#type(kind);
        variable.build().expect("complete")
    };
    let buildspec = "version: 0.2\nenv:\n  variables: {GREETING: from-buildspec, OTHER: kept}\n  \
                     exported-variables: [GREETING]\nphases:\n  build:\n    commands:\n      \
                     - 'echo \"$TOKEN\"'\n      - 'test \"${#TOKEN}\" = 14'\n      \
                     - 'echo \"$GREETING $OTHER\"'\n      - 'env | sort'\n";
    let start = cloud
        .start_build(buildspec)
        .environment_variables_override(variable(
            "TOKEN",
            &format!("{secret}:token"),
            EnvironmentVariableType::SecretsManager,
        ))
        .environment_variables_override(variable(
            "GREETING",
            "from-start",
            EnvironmentVariableType::Plaintext,
        ));
    let build = cloud.run(start).await;

    let log = Cloud::log(&build);
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{log}");
    assert!(log.contains("from-start kept"), "{log}");
    assert!(log.contains("TOKEN=***") && !log.contains("swordfish"), "{log}");
    assert!(log.contains(&format!("CODEBUILD_BUILD_ID={}", build.id().expect("an id"))), "{log}");
    assert!(log.contains(&format!("AWS_ENDPOINT_URL={}", local_ministack::shared().endpoint())), "{log}");
    assert!(!log.contains("CARGO_"), "this machine's environment stays outside: {log}");
    assert_eq!(build.exported_environment_variables()[0].value(), Some("from-start"));
    let shown = format!("{build:?}{:?}", cloud.events());
    assert!(!shown.contains("swordfish"), "{shown}");
    cloud.end().await;
}

#[tokio::test]
async fn a_stopped_build_leaves_no_container() {
    let cloud = Cloud::start("stop").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let buildspec = "version: 0.2\nphases:\n  build:\n    commands: ['echo started', 'sleep 600']\n";
    let started = cloud.start_build(buildspec).send().await.expect("started");
    let id = started.build_value().and_then(|build| build.id()).expect("an id").to_owned();
    cloud.wait_until(&id, |build| Cloud::log(build).contains("\nstarted")).await;
    assert_eq!(cloud.containers().await, 1);

    let stopped = cloud.client.stop_build().id(&id).send().await.expect("stopped");
    let build = stopped.build_value().expect("a build");
    assert_eq!(build.build_status(), Some(&StatusType::Stopped));
    assert_eq!(cloud.containers().await, 0);
    let again = cloud.client.stop_build().id(&id).send().await.expect("stopping twice is fine");
    assert_eq!(again.build_value().and_then(|build| build.build_status()), Some(&StatusType::Stopped));
    cloud.wait_for_events(2).await;
    assert_eq!(cloud.events()[1]["detail"]["build-status"], "STOPPED");
    cloud.end().await;
}

#[tokio::test]
async fn a_build_that_takes_too_long_times_out() {
    let cloud = Cloud::start_with("timeout", |options| options.minute = Duration::from_millis(600)).await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let buildspec = "version: 0.2\nphases:\n  build:\n    commands: ['sleep 600']\n";
    let build = cloud.run(cloud.start_build(buildspec).timeout_in_minutes_override(5)).await;
    assert_eq!(build.build_status(), Some(&StatusType::TimedOut));
    assert_eq!(cloud.containers().await, 0);
    cloud.end().await;
}

#[tokio::test]
async fn the_cloud_ends_with_its_builds() {
    let cloud = Cloud::start("shutdown").await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let buildspec = "version: 0.2\nphases:\n  build:\n    commands: ['echo started', 'sleep 600']\n";
    let started = cloud.start_build(buildspec).send().await.expect("started");
    let id = started.build_value().and_then(|build| build.id()).expect("an id").to_owned();
    cloud.wait_until(&id, |build| Cloud::log(build).contains("\nstarted")).await;
    cloud.end().await;
}

#[tokio::test]
async fn a_privileged_build_builds_and_only_it_reaches_the_engine() {
    let cloud = Cloud::start("privileged").await;
    let dockerfile = format!("FROM {}\nCOPY hello /\nRUN pip install --quiet six\n", cloud.base);
    cloud.put_source(&zip(&[("repo/Dockerfile", 0o644, &dockerfile), ("repo/hello", 0o644, "hi")]));
    let tag = format!("slipway-test-{}", cloud.bucket);
    let buildspec = format!(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - cd repo\n      - docker build --network host --tag {tag} .\n"
    );
    let build = cloud.run(cloud.start_build(&buildspec).privileged_mode_override(true)).await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{}", Cloud::log(&build));
    cloud.engine.output(&["image", "rm", &tag]).await.expect("the image is there");

    let build = cloud.run(cloud.start_build(&buildspec)).await;
    assert_eq!(build.build_status(), Some(&StatusType::Failed));
    cloud.end().await;
}

#[tokio::test]
async fn a_rule_of_the_local_aws_hands_the_events_to_its_queue() {
    let cloud = Cloud::start_with("rule", |options| options.events = EventSink::LocalAws).await;
    cloud.put_source(&zip(&[("file", 0o644, "")]));
    let queue = format!("{}-queue", cloud.bucket);
    let created = Cloud::json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": queue }));
    let url = created["QueueUrl"].as_str().expect("a queue").to_owned();
    let pattern = json!({
        "source": ["aws.codebuild"],
        "detail-type": ["CodeBuild Build State Change"],
        "detail": { "project-name": [cloud.project], "build-status": ["SUCCEEDED", "FAILED"] },
    });
    let rule = json!({ "Name": queue, "EventPattern": pattern.to_string() });
    Cloud::json("events", "AWSEvents.PutRule", &rule);
    let target = json!({ "Id": "queue", "Arn": format!("arn:aws:sqs:us-east-1:000000000000:{queue}") });
    Cloud::json("events", "AWSEvents.PutTargets", &json!({ "Rule": queue, "Targets": [target] }));

    let buildspec = "version: 0.2\nphases: {build: {commands: ['true']}}";
    let started = cloud.start_build(buildspec).send().await.expect("started");
    let id = started.build_value().and_then(|build| build.id()).expect("an id").to_owned();
    let build = cloud.wait_until(&id, aws_sdk_codebuild::types::Build::build_complete).await;

    let event = cloud.receive(&url).await;
    assert_eq!(event["detail-type"], "CodeBuild Build State Change");
    assert_eq!(event["resources"][0].as_str(), build.arn());
    assert_eq!(event["detail"]["build-id"].as_str(), build.arn());
    assert_eq!(event["detail"]["build-status"], "SUCCEEDED");
    cloud.end().await;
}
