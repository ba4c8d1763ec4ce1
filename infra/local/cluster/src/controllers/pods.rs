//! What the controllers ask about pods and owners.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controllers::round::owner_key;
use crate::objects::json::{list, seconds_since, text};
use crate::objects::lifecycle::Objects;
use crate::objects::resources::{PODS, Resource};
use crate::objects::store::Key;

/// Whether a pod counts: not ended, not ending.
pub fn is_active(pod: &Value) -> bool {
    !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
        && text(pod, "/metadata/deletionTimestamp").is_empty()
}

/// Whether a pod is ready.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True")
}

/// Whether a pod has been ready for so many seconds.
pub fn is_available(pod: &Value, seconds: i64) -> bool {
    let since =
        || condition(pod, "Ready").and_then(|ready| seconds_since(text(ready, "/lastTransitionTime")));
    is_ready(pod) && (seconds == 0 || since().is_some_and(|ready| ready >= seconds))
}

/// A condition in an object's status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| condition["type"] == kind)
}

/// The uid of the controller that owns an object.
pub fn controller(object: &Value) -> Option<&str> {
    let owner = list(object, "/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true);
    owner.map(|owner| text(owner, "/uid"))
}

/// Where the controller of an object lies.
pub fn controller_key(object: &Value) -> Option<Key> {
    let owner = list(object, "/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)?;
    owner_key(owner, text(object, "/metadata/namespace"))
}

/// The objects of a kind that a controller owns.
pub fn owned_of(objects: &Objects, resource: &Resource, owner: &Value) -> Vec<Arc<Value>> {
    let uid = text(owner, "/metadata/uid");
    let mut found = objects.store.owned(uid);
    found.retain(|(key, object)| key.plural == resource.plural && controller(object) == Some(uid));
    found.into_iter().map(|(_, object)| object).collect()
}

/// The pods that a controller owns.
pub fn owned(objects: &Objects, owner: &Value) -> Vec<Arc<Value>> {
    owned_of(objects, &PODS, owner)
}

/// The reference by which an object owns another as its controller.
pub fn reference(resource: &Resource, owner: &Value) -> Value {
    json!({
        "apiVersion": resource.api_version(), "kind": resource.kind, "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}
