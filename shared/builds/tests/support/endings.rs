//! Whose fault a bad end is.

use std::error::Error;

use builds::Builds;
use domain::ports::Builds as _;
use serde_json::json;

use super::*;

/// How a build that failed in a phase shows, and why.
async fn failing(status: &str, phase: &str, code: &str, message: &str) -> Result<String, Box<dyn Error>> {
    let mut build = build(1, status, &attempt(1)?);
    build["phases"] = json!([
        { "phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED" },
        { "phaseType": phase, "phaseStatus": status, "contexts": [{ "statusCode": code, "message": message }] },
        { "phaseType": "COMPLETED" },
    ]);
    let service = holding(vec![build]).await?;
    let found = Builds::new(&service.config(), "project", "bucket").status("project:1").await?;
    let found = found.ok_or("the build is known")?;
    Ok(format!("{:?}: {}", found.state, found.reason.unwrap_or_default()))
}

#[tokio::test]
async fn a_bad_end_is_the_machinerys_the_pipeline_files_or_the_codes() -> Outcome {
    const PULL: &str = "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE";
    const SECRET: &str = "Secrets Manager Error";
    for (status, phase, code, message, expect) in [
        ("FAILED", "BUILD", "COMMAND_EXECUTION_ERROR", "exit status 1", "Failed: BUILD: exit status 1"),
        (
            "FAILED",
            "UPLOAD_ARTIFACTS",
            "CLIENT_ERROR",
            "no matching artifact paths found",
            "Failed: UPLOAD_ARTIFACTS: no matching artifact paths found",
        ),
        (
            "FAILED",
            "SUBMITTED",
            "INTERNAL_SERVICE_ERROR",
            "Please try again",
            "Fault: SUBMITTED: Please try again",
        ),
        ("FAILED", "QUEUED", "", "", "Fault: QUEUED failed"),
        ("FAILED", "PROVISIONING", "CLIENT_ERROR", "no capacity", "Fault: PROVISIONING: no capacity"),
        (
            "FAILED",
            "DOWNLOAD_SOURCE",
            "CLIENT_ERROR",
            "RequestError: send request failed",
            "Fault: DOWNLOAD_SOURCE: RequestError: send request failed",
        ),
        ("FAILED", "INSTALL", "CLIENT_ERROR", "the runtime is gone", "Fault: INSTALL: the runtime is gone"),
        (
            "FAULT",
            "BUILD",
            "BUILD_CONTAINER_LOST",
            "the machine was lost",
            "Fault: BUILD: the machine was lost",
        ),
        ("TIMED_OUT", "QUEUED", "", "", "Fault: QUEUED failed"),
        (
            "TIMED_OUT",
            "BUILD",
            "BUILD_TIMED_OUT",
            "Build has timed out.",
            "TimedOut: BUILD: Build has timed out.",
        ),
        ("STOPPED", "PROVISIONING", "", "", "Stopped: PROVISIONING failed"),
        (
            "FAILED",
            "PROVISIONING",
            PULL,
            "CannotPullContainerError: no such manifest",
            "Refused: the image `i` cannot be pulled; check `image` in the pipeline file: CannotPullContainerError: no such manifest",
        ),
        (
            "FAILED",
            "PROVISIONING",
            PULL,
            "net/http: request canceled",
            "Fault: PROVISIONING: net/http: request canceled",
        ),
        (
            "FAILED",
            "PROVISIONING",
            PULL,
            "toomanyrequests: You have reached your limit",
            "Fault: PROVISIONING: toomanyrequests: You have reached your limit",
        ),
        (
            "FAILED",
            "DOWNLOAD_SOURCE",
            SECRET,
            "ResourceNotFoundException: can't find the specified secret",
            "Refused: a secret cannot be read; check the names under `secrets` in the pipeline file, and that an operator has made the secret: ResourceNotFoundException: can't find the specified secret",
        ),
        (
            "FAILED",
            "DOWNLOAD_SOURCE",
            SECRET,
            "ThrottlingException: Rate exceeded",
            "Fault: DOWNLOAD_SOURCE: ThrottlingException: Rate exceeded",
        ),
        // What the code prints decides nothing.
        ("FAILED", "BUILD", SECRET, "Secrets Manager", "Failed: BUILD: Secrets Manager"),
        ("FAILED", "BUILD", "X", "a\u{1b}[31m\nb", "Failed: BUILD: a b"),
    ] {
        assert_eq!(failing(status, phase, code, message).await?, expect);
    }
    let long = failing("FAILED", "BUILD", "X", &"x".repeat(100_000)).await?;
    assert_eq!(long.chars().count(), "Failed: ".len() + 500);
    Ok(())
}
