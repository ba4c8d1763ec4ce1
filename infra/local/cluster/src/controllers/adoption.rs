//! Adoption: an object without a controller becomes that of the workload whose selector means it.

use serde_json::Value;

use crate::api::failure::Failure;
use crate::controllers::{pods, stateful_set};
use crate::objects::json::{list, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{
    CONTROLLER_REVISIONS, DAEMON_SETS, DEPLOYMENTS, PODS, REPLICA_SETS, Resource, STATEFUL_SETS,
};
use crate::objects::selectors::selects;
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";

/// The kinds that adopt objects of a kind.
fn adopters(plural: &str) -> Vec<&'static Resource> {
    match plural {
        "pods" => vec![&REPLICA_SETS, &STATEFUL_SETS, &DAEMON_SETS],
        "controllerrevisions" => vec![&STATEFUL_SETS, &DAEMON_SETS],
        "replicasets" => vec![&DEPLOYMENTS],
        _ => Vec::new(),
    }
}

/// Whether an object has no controller and is of a kind that may get one.
pub fn is_orphan(key: &Key, object: &Value) -> bool {
    !adopters(key.plural).is_empty()
        && pods::controller(object).is_none()
        && text(object, "/metadata/deletionTimestamp").is_empty()
}

/// The objects of its namespace that a workload might adopt.
pub fn candidates(objects: &Objects, workload: &Key) -> Vec<Key> {
    let mut found = Vec::new();
    for resource in [&PODS, &REPLICA_SETS, &CONTROLLER_REVISIONS] {
        if adopters(resource.plural).iter().any(|adopter| adopter.plural == workload.plural) {
            let all = objects.store.list(resource, Some(&workload.namespace)).1;
            let keys = all.iter().map(|object| (Key::of(resource, object), object));
            found.extend(keys.filter(|(key, object)| is_orphan(key, object)).map(|(key, _)| key));
        }
    }
    found
}

/// Gives an orphan to the workload that means it, if there is one.
///
/// # Errors
/// What the store answers.
pub fn adopt(objects: &Objects, orphan: &Key) -> Result<(), Failure> {
    let Some(object) = objects.store.get(orphan).filter(|object| is_orphan(orphan, object)) else {
        return Ok(());
    };
    if orphan.plural == PODS.plural && !pods::is_active(&object) {
        return Ok(());
    }
    let labels = object.pointer("/metadata/labels");
    for resource in adopters(orphan.plural) {
        let workloads = objects.store.list(resource, Some(&orphan.namespace)).1;
        let adopter = workloads.iter().find(|workload| {
            text(workload, "/metadata/deletionTimestamp").is_empty()
                && selects(&workload["spec"]["selector"], labels)
                && fits(resource, workload, orphan)
        });
        let Some(adopter) = adopter else { continue };
        objects.update(super::round::resource(orphan), orphan, &Writer::controller(MANAGER), |before| {
            let mut after = before.clone();
            let mut owners = list(before, "/metadata/ownerReferences").to_vec();
            owners.push(pods::reference(resource, adopter));
            after["metadata"]["ownerReferences"] = owners.into();
            Ok(after)
        })?;
        return Ok(());
    }
    Ok(())
}

/// A stateful set takes only pods that are called as it would call them.
fn fits(resource: &Resource, workload: &Value, orphan: &Key) -> bool {
    resource != &STATEFUL_SETS
        || orphan.plural != PODS.plural
        || stateful_set::ordinal(workload, &orphan.name).is_some()
}
