//! The status of a pod from its containers.

use serde_json::{Value, json};

use crate::controllers::pods::condition;
use crate::kubelet::container::{Container, State};
use crate::objects::json::{now, text};

/// The whole status; times of unchanged conditions come from the state before.
pub fn of(pod: &Value, containers: &[Container], address: &str, ending: bool) -> Value {
    let (inits, mains): (Vec<_>, Vec<_>) = containers.iter().partition(|container| container.is_init);
    let initialized = inits.iter().all(|container| container.ended().is_some_and(|ended| ended.code == 0));
    let phase = phase(text(pod, "/spec/restartPolicy"), &mains, initialized);
    let statuses =
        |list: &[&Container]| -> Vec<Value> { list.iter().map(|container| container.status()).collect() };
    let mut status = json!({
        "phase": phase, "qosClass": "Burstable", "hostIP": "127.0.0.1", "containerStatuses": statuses(&mains),
    });
    if !inits.is_empty() {
        status["initContainerStatuses"] = statuses(&inits).into();
    }
    if !address.is_empty() {
        status["podIP"] = address.into();
        status["podIPs"] = json!([{ "ip": address }]);
    }
    let start = text(pod, "/status/startTime");
    status["startTime"] = if start.is_empty() { now().into() } else { start.into() };
    let unready: Vec<&str> =
        mains.iter().filter(|container| !container.ready).map(|container| container.name()).collect();
    let waiting = if ending || phase == "Succeeded" {
        Some(("PodCompleted", String::new()))
    } else {
        Some(("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))))
    };
    let ready = unready.is_empty();
    let waiting_ready = waiting.filter(|_| !ready);
    let uninitialized: Vec<&str> = inits.iter().map(|container| container.name()).collect();
    let incomplete = (!initialized).then(|| {
        (
            "ContainersNotInitialized",
            format!("containers with incomplete status: [{}]", uninitialized.join(" ")),
        )
    });
    status["conditions"] = json!([
        one(pod, "Initialized", initialized, incomplete),
        one(pod, "Ready", ready, waiting_ready.clone()),
        one(pod, "ContainersReady", ready, waiting_ready),
        one(pod, "PodScheduled", true, None),
    ]);
    status
}

fn phase(policy: &str, mains: &[&Container], initialized: bool) -> &'static str {
    let running = mains.iter().any(|container| container.is_running());
    let waiting = mains
        .iter()
        .any(|container| matches!(container.state, State::Waiting(..)) && container.last.is_none());
    if !initialized || waiting {
        return "Pending";
    }
    let all_ended = mains.iter().all(|container| container.ended().is_some());
    let all_well = mains.iter().all(|container| container.ended().is_some_and(|ended| ended.code == 0));
    match policy {
        _ if running || !all_ended || policy == "Always" => "Running",
        "Never" if !all_well => "Failed",
        "OnFailure" if !all_well => "Running",
        _ => "Succeeded",
    }
}

fn one(pod: &Value, kind: &str, holds: bool, why: Option<(&str, String)>) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = condition(pod, kind).filter(|before| before["status"] == status);
    let since = before.map_or_else(now, |before| text(before, "/lastTransitionTime").to_owned());
    let mut condition = json!({
        "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
    });
    if let Some((reason, message)) = why {
        condition["reason"] = reason.into();
        if !message.is_empty() {
            condition["message"] = message.into();
        }
    }
    condition
}
