//! The one node, as clients see it.

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::objects::json::{now, pairs, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::NODES;
use crate::objects::store::Key;

/// The version that this server claims to be.
pub const VERSION: &str = "v1.33.0+slipway-local";
/// Its name.
pub const NAME: &str = "local";
/// What its processor is called in Kubernetes.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// Its labels.
const LABELS: [(&str, &str); 3] =
    [("kubernetes.io/hostname", NAME), ("kubernetes.io/os", "linux"), ("kubernetes.io/arch", ARCHITECTURE)];

/// Makes the node. `runtime` tells what runs its pods: `docker://20.10.24`.
///
/// # Errors
/// What the store answers.
pub fn make(objects: &Objects, runtime: &str) -> Result<(), Failure> {
    let labels: Value = LABELS.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    let node = json!({ "metadata": { "name": NAME, "labels": labels }, "spec": {} });
    objects.create(&NODES, node, &Writer::controller("kubelet"))?;
    let time = now();
    let room = json!({ "cpu": "16", "memory": "64Gi", "pods": "1000", "ephemeral-storage": "100Gi" });
    let status = json!({
        "capacity": room, "allocatable": room,
        "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }, { "type": "Hostname", "address": NAME }],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the local cluster is up",
            "lastHeartbeatTime": time, "lastTransitionTime": time,
        }],
        "nodeInfo": {
            "kubeletVersion": VERSION, "containerRuntimeVersion": runtime, "operatingSystem": "linux",
            "architecture": ARCHITECTURE, "osImage": "", "kernelVersion": "", "kubeProxyVersion": "",
            "machineID": "", "systemUUID": "", "bootID": "",
        },
    });
    let written = objects.update(&NODES, &Key::new(&NODES, "", NAME), &Writer::status("kubelet"), |before| {
        let mut after = before.clone();
        after["status"] = status;
        Ok(after)
    });
    written.map(drop)
}

/// Whether the node takes a pod with this spec: its labels are what the pod's `nodeSelector` asks for.
pub fn suits(spec: &Value) -> bool {
    pairs(spec, "/nodeSelector").iter().all(|label| LABELS.contains(label))
}

/// The status of a pod that has just been made, with the scheduler's word on it.
pub fn status_of_new(spec: &Value) -> Value {
    let mut status = json!({ "phase": "Pending", "qosClass": "Burstable" });
    if !suits(spec) && text(spec, "/nodeName").is_empty() {
        let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "lastProbeTime": null, "lastTransitionTime": now(),
        }]);
    }
    status
}
