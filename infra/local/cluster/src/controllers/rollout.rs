//! The status of a deployment: counts and conditions, with the reasons a real controller writes.

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::deployment::{MANAGER, Rollout, wanted};
use crate::controllers::pods;
use crate::objects::json::{integer, list, now, object, seconds_since, text};
use crate::objects::lifecycle::Writer;
use crate::objects::resources::DEPLOYMENTS;
use crate::objects::store::Key;

/// `progressDeadlineSeconds` that means: none.
pub const NO_DEADLINE: i64 = 2_147_483_647;

/// Whether the status says that the present spec is rolled out.
pub fn is_complete(deployment: &Value) -> bool {
    let replicas = integer(deployment, "/spec/replicas").unwrap_or(1);
    completed(deployment, &deployment["status"], replicas)
}

fn completed(deployment: &Value, status: &Value, replicas: i64) -> bool {
    count(status, "updatedReplicas") == replicas
        && count(status, "replicas") == replicas
        && count(status, "availableReplicas") == replicas
        && integer(status, "/observedGeneration") >= integer(deployment, "/metadata/generation")
}

/// A condition that changed now.
pub fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let time = now();
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": time, "lastTransitionTime": time,
    })
}

/// Puts a condition into a status; one with the same status and reason stays as it is.
pub fn set_condition(status: &mut Value, mut condition: Value) {
    let mut conditions = list(status, "/conditions").to_vec();
    if let Some(position) = conditions.iter().position(|old| old["type"] == condition["type"]) {
        let old = conditions.remove(position);
        if old["status"] == condition["status"] && old["reason"] == condition["reason"] {
            return;
        }
        if old["status"] == condition["status"] {
            condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
        }
    }
    conditions.push(condition);
    object(status).insert("conditions".to_owned(), conditions.into());
}

/// Says that a deployment is paused or goes on.
///
/// # Errors
/// What the store answers.
pub fn note_pause(rollout: &Rollout<'_>, paused: bool) -> Result<(), Failure> {
    let reason =
        pods::condition(&rollout.deployment, "Progressing").map(|progressing| text(progressing, "/reason"));
    let new = match (paused, reason) {
        (true, reason) if !matches!(reason, Some("DeploymentPaused" | "ProgressDeadlineExceeded")) => {
            condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
        }
        (false, Some("DeploymentPaused")) => {
            condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
        }
        _ => return Ok(()),
    };
    let key = Key::of(&DEPLOYMENTS, &rollout.deployment);
    let written = rollout.objects.update(&DEPLOYMENTS, &key, &Writer::status(MANAGER), |before| {
        let mut after = before.clone();
        set_condition(&mut after["status"], new);
        Ok(after)
    });
    written.map(drop)
}

/// Writes the status when it differs.
///
/// # Errors
/// What the store answers.
pub fn write_status(rollout: &Rollout<'_>) -> Result<(), Failure> {
    let status = status(rollout);
    if rollout.deployment["status"] == status {
        return Ok(());
    }
    let key = Key::of(&DEPLOYMENTS, &rollout.deployment);
    let written = rollout.objects.update(&DEPLOYMENTS, &key, &Writer::status(MANAGER), |before| {
        let mut after = before.clone();
        after["status"] = status;
        Ok(after)
    });
    written.map(drop)
}

fn status(rollout: &Rollout<'_>) -> Value {
    let deployment = &rollout.deployment;
    let sum = |field: &str| -> i64 { rollout.all().map(|set| count(&set["status"], field)).sum() };
    let available = sum("availableReplicas");
    let asked: i64 = rollout.all().map(|set| wanted(set)).sum();
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"], "replicas": sum("replicas"),
        "updatedReplicas": rollout.new.as_ref().map_or(0, |new| count(&new["status"], "replicas")),
        "readyReplicas": sum("readyReplicas"), "availableReplicas": available,
        "unavailableReplicas": (asked - available).max(0),
    });
    object(&mut status).retain(|_, value| *value != 0);
    let conditions = list(deployment, "/status/conditions");
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    let least = rollout.limits.replicas - rollout.limits.unavailable;
    let availability = if available >= least {
        condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    };
    set_condition(&mut status, availability);
    note_progress(rollout, &mut status);
    status
}

fn note_progress(rollout: &Rollout<'_>, status: &mut Value) {
    let deployment = &rollout.deployment;
    let deadline = integer(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    if deployment["spec"]["paused"] == true || deadline == NO_DEADLINE {
        return;
    }
    let current = pods::condition(deployment, "Progressing");
    let done = current.is_some_and(|current| current["reason"] == "NewReplicaSetAvailable");
    if done && count(status, "replicas") == count(status, "updatedReplicas") {
        return;
    }
    let name = match &rollout.new {
        Some(new) => format!("ReplicaSet \"{}\"", text(new, "/metadata/name")),
        None => format!("Deployment \"{}\"", text(deployment, "/metadata/name")),
    };
    if completed(deployment, status, rollout.limits.replicas) {
        let message = format!("{name} has successfully progressed.");
        set_condition(status, condition("Progressing", "True", "NewReplicaSetAvailable", &message));
    } else if progressed(&deployment["status"], status) {
        let message = format!("{name} is progressing.");
        let mut progressing = condition("Progressing", "True", "ReplicaSetUpdated", &message);
        if let Some(current) = current.filter(|current| current["status"] == "True") {
            progressing["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
        // Replaced even when the reason stays: the time of the last progress counts for the deadline.
        let mut conditions = list(status, "/conditions").to_vec();
        conditions.retain(|condition| condition["type"] != "Progressing");
        conditions.push(progressing);
        status["conditions"] = conditions.into();
    } else if current.is_some_and(|current| timed_out(current, deadline)) {
        let message = format!("{name} has timed out progressing.");
        set_condition(status, condition("Progressing", "False", "ProgressDeadlineExceeded", &message));
    }
}

fn progressed(before: &Value, after: &Value) -> bool {
    let old = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    let grew = |field: &str| count(after, field) > count(before, field);
    grew("updatedReplicas") || old(after) < old(before) || grew("readyReplicas") || grew("availableReplicas")
}

fn timed_out(progressing: &Value, deadline: i64) -> bool {
    match text(progressing, "/reason") {
        "NewReplicaSetAvailable" => false,
        "ProgressDeadlineExceeded" => true,
        _ => seconds_since(text(progressing, "/lastUpdateTime")).is_some_and(|seconds| seconds > deadline),
    }
}

fn count(status: &Value, field: &str) -> i64 {
    status.get(field).and_then(Value::as_i64).unwrap_or(0)
}
