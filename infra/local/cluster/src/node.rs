//! The one node, as clients see it.

use serde_json::json;

use crate::api::failure::Failure;
use crate::objects::json::now;
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::NODES;
use crate::objects::store::Key;

/// The version that this server claims to be.
pub const VERSION: &str = "v1.33.0+slipway-local";
/// Its name.
const NAME: &str = "local";

/// Makes the node. `runtime` tells what runs its pods: `docker://20.10.24`.
///
/// # Errors
/// What the store answers.
pub fn make(objects: &Objects, runtime: &str) -> Result<(), Failure> {
    let labels = json!({
        "kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
    });
    let node = json!({ "metadata": { "name": NAME, "labels": labels }, "spec": {} });
    objects.create(&NODES, node, &Writer::controller("kubelet"))?;
    let time = now();
    let status = json!({
        "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }, { "type": "Hostname", "address": NAME }],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the local cluster is up",
            "lastHeartbeatTime": time, "lastTransitionTime": time,
        }],
        "nodeInfo": {
            "kubeletVersion": VERSION, "containerRuntimeVersion": runtime, "operatingSystem": "linux",
            "architecture": "amd64", "osImage": "", "kernelVersion": "", "kubeProxyVersion": "",
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
