//! The event "CodeBuild Build State Change", as EventBridge hands it to the targets of a rule.

use serde_json::{Value, json};

use crate::Service;
use crate::aws::LocalAws;
use crate::build::Build;
use crate::faults::EventFault;
use crate::options::EventSink;

const DETAIL_TYPE: &str = "CodeBuild Build State Change";
const SOURCE: &str = "aws.codebuild";

/// Tells the world what a build has come to. A failure is only logged: on AWS, too, events may get lost.
pub(crate) async fn announce(service: &Service, build: &Build) {
    let detail = detail(build);
    match &service.options.events {
        EventSink::Function(function) => function(json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": DETAIL_TYPE,
            "source": SOURCE,
            "account": service.options.account,
            "time": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": service.options.region,
            "resources": [build.arn],
            "detail": detail,
        })),
        EventSink::LocalAws => {
            let entry = json!({
                "Source": SOURCE, "DetailType": DETAIL_TYPE, "Resources": [build.arn], "Detail": detail.to_string(),
            });
            put(service, &build.id, detail["build-status"].as_str().unwrap_or_default(), entry).await;
        }
    }
}

/// Puts an event on the bus, or does with it what a disturbance wants.
async fn put(service: &Service, id: &str, status: &str, entry: Value) {
    let aws = service.aws.clone();
    match service.options.control.event_fault(status) {
        None => put_once(&aws, id, &entry).await,
        Some(EventFault::Lost) => {}
        Some(EventFault::Doubled) => {
            put_once(&aws, id, &entry).await;
            put_once(&aws, id, &entry).await;
        }
        Some(EventFault::Late(by)) => {
            let id = id.to_owned();
            service.running.spawn(async move {
                tokio::time::sleep(by).await;
                put_once(&aws, &id, &entry).await;
            });
        }
    }
}

async fn put_once(aws: &LocalAws, id: &str, entry: &Value) {
    match aws.call("events", "AWSEvents.PutEvents", &json!({ "Entries": [entry] })).await {
        Ok(answer) if answer.get("FailedEntryCount") == Some(&json!(0)) => {}
        Ok(answer) => tracing::error!("the event of {id} was refused: {answer}"),
        Err(error) => tracing::error!("the event of {id} is lost: {error:#}"),
    }
}

fn detail(build: &Build) -> Value {
    let mut information = json!({
        "artifact": artifact(build),
        "environment": {
            "image": build.environment.image,
            "privileged-mode": build.environment.privileged_mode,
            "compute-type": build.environment.compute_type,
            "type": build.environment.kind,
            "environment-variables": build.environment.environment_variables,
        },
        "timeout-in-minutes": build.timeout_in_minutes,
        "build-complete": build.build_complete,
        "build-number": build.build_number,
        "initiator": build.initiator,
        "build-start-time": time(build.start_time),
        "source": { "type": build.source.kind, "location": build.source.location },
        "logs": {
            "group-name": build.logs.group_name,
            "stream-name": build.logs.stream_name,
            "deep-link": build.logs.deep_link,
        },
        "phases": phases(build),
    });
    if let Some(version) = &build.source_version {
        information["source-version"] = json!(version);
    }
    json!({
        "build-status": build.build_status,
        "project-name": build.project_name,
        "build-id": build.arn,
        "additional-information": information,
        "current-phase": build.current_phase,
        "current-phase-context": "[]",
        "version": "1",
    })
}

fn artifact(build: &Build) -> Value {
    let mut artifact = json!({ "location": build.artifacts.location.clone().unwrap_or_default() });
    if let Some(digest) = &build.artifacts.sha256sum {
        artifact["sha256sum"] = json!(digest);
    }
    artifact
}

fn phases(build: &Build) -> Vec<Value> {
    let phases = build.phases.iter().map(|phase| {
        let contexts =
            phase.contexts.iter().map(|context| format!("{}: {}", context.status_code, context.message));
        let mut entry = json!({ "phase-type": phase.phase_type, "start-time": time(phase.start_time) });
        if let (Some(status), Some(end)) = (phase.phase_status, phase.end_time) {
            entry["phase-context"] = json!(contexts.collect::<Vec<_>>());
            entry["phase-status"] = json!(status);
            entry["end-time"] = json!(time(end));
            entry["duration-in-seconds"] = json!(phase.duration_in_seconds);
        }
        entry
    });
    phases.collect()
}

/// Such as `Sep 1, 2017 4:12:29 PM`.
fn time(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are what the event says")]
    let timestamp = jiff::Timestamp::from_second(seconds as i64).unwrap_or_default();
    timestamp.strftime("%b %-d, %Y %-I:%M:%S %p").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_written_as_codebuild_writes_them() {
        assert_eq!(super::time(1_504_282_349.5), "Sep 1, 2017 4:12:29 PM");
    }
}
