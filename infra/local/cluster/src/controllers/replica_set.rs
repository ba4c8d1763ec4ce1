//! Replica sets: as many pods as they ask for.

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::making::Maker;
use crate::controllers::pods;
use crate::objects::json::{integer, object, pairs, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::REPLICA_SETS;
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";
const COMPONENT: &str = "replicaset-controller";

/// Whether nothing is to be done for a replica set until something changes.
pub fn is_settled(set: &Value) -> bool {
    let wanted = integer(set, "/spec/replicas").unwrap_or(1);
    let status = |field: &str| integer(&set["status"], field).unwrap_or(0);
    status("/observedGeneration") >= integer(set, "/metadata/generation").unwrap_or(0)
        && status("/replicas") == wanted
        && status("/availableReplicas") == wanted
}

/// Brings a replica set to its number of pods and writes its status.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, set: &Value) -> Result<(), Failure> {
    let mut active = pods::owned(objects, set);
    active.retain(|pod| pods::is_active(pod));
    let wanted = usize::try_from(integer(set, "/spec/replicas").unwrap_or(1)).unwrap_or_default();
    if text(set, "/metadata/deletionTimestamp").is_empty() {
        let maker = Maker { objects, resource: &REPLICA_SETS, owner: set, component: COMPONENT };
        for _ in active.len()..wanted {
            let mut pod = maker.pod();
            pod["metadata"]["generateName"] = format!("{}-", text(set, "/metadata/name")).into();
            maker.create(pod)?;
        }
        if active.len() > wanted {
            // Those that serve least go first: not ready before ready, younger before older.
            active.sort_by_key(|pod| (pods::is_ready(pod), std::cmp::Reverse(integer_revision(pod))));
            for pod in &active[..active.len() - wanted] {
                maker.delete(pod)?;
            }
        }
    }
    write_status(objects, set)
}

fn write_status(objects: &Objects, set: &Value) -> Result<(), Failure> {
    let mut active = pods::owned(objects, set);
    active.retain(|pod| pods::is_active(pod));
    let seconds = integer(set, "/spec/minReadySeconds").unwrap_or(0);
    let labels = pairs(set, "/spec/template/metadata/labels");
    let labelled = |pod: &Value| {
        let have = pairs(pod, "/metadata/labels");
        labels.iter().all(|label| have.contains(label))
    };
    let mut status = json!({
        "replicas": active.len(), "observedGeneration": set["metadata"]["generation"],
        "fullyLabeledReplicas": active.iter().filter(|pod| labelled(pod)).count(),
        "readyReplicas": active.iter().filter(|pod| pods::is_ready(pod)).count(),
        "availableReplicas": active.iter().filter(|pod| pods::is_available(pod, seconds)).count(),
    });
    object(&mut status).retain(|name, value| name == "replicas" || *value != 0);
    if set["status"] == status {
        return Ok(());
    }
    let key = Key::of(&REPLICA_SETS, set);
    let written = objects.update(&REPLICA_SETS, &key, &Writer::status(MANAGER), |before| {
        let mut after = before.clone();
        after["status"] = status;
        Ok(after)
    });
    written.map(drop)
}

fn integer_revision(pod: &Value) -> u64 {
    // Creation times have whole seconds only; the first revision would be better but is not kept.
    text(pod, "/metadata/creationTimestamp")
        .parse::<jiff::Timestamp>()
        .map_or(0, |time| time.as_second().unsigned_abs())
}
