//! Deletion that follows deletion: of owned objects, of a namespace's contents, of old events.

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::events;
use crate::controllers::round::resource;
use crate::objects::deletion::Deletion;
use crate::objects::json::{list, object, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{EVENTS, NAMESPACES, Resource};
use crate::objects::store::{Decision, Key};

const WRITER: &str = "kube-controller-manager";

/// Does what follows for an object from what was deleted.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, key: &Key) -> Result<(), Failure> {
    let Some(object) = objects.store.get(key) else { return Ok(()) };
    let resource = resource(key);
    let owners = list(&object, "/metadata/ownerReferences");
    let finalizers = list(&object, "/metadata/finalizers");
    if !owners.is_empty() && !owners.iter().any(|owner| objects.store.exists(text(owner, "/uid"))) {
        delete(objects, resource, key, &object)
    } else if finalizers.contains(&json!("foregroundDeletion")) {
        delete_dependents(objects, resource, key, &object)
    } else if finalizers.contains(&json!("orphan")) {
        release_dependents(objects, resource, key, &object)
    } else if resource == &NAMESPACES && !text(&object, "/metadata/deletionTimestamp").is_empty() {
        empty(objects, key)
    } else if resource == &EVENTS && events::is_old(&object) {
        delete(objects, resource, key, &object)
    } else {
        Ok(())
    }
}

fn delete(objects: &Objects, resource: &Resource, key: &Key, object: &Value) -> Result<(), Failure> {
    if !text(object, "/metadata/deletionTimestamp").is_empty() {
        return Ok(());
    }
    let uid = Some(text(object, "/metadata/uid").to_owned());
    objects.delete(resource, key, &Deletion { uid, ..Deletion::default() }).map(drop)
}

fn delete_dependents(
    objects: &Objects,
    resource: &Resource,
    key: &Key,
    owner: &Value,
) -> Result<(), Failure> {
    let dependents = objects.store.owned(text(owner, "/metadata/uid"));
    for (key, object) in &dependents {
        delete(objects, self::resource(key), key, object)?;
    }
    if dependents.is_empty() { drop_finalizer(objects, resource, key, "foregroundDeletion") } else { Ok(()) }
}

fn release_dependents(
    objects: &Objects,
    resource: &Resource,
    key: &Key,
    owner: &Value,
) -> Result<(), Failure> {
    for (key, _) in objects.store.owned(text(owner, "/metadata/uid")) {
        objects.update(self::resource(&key), &key, &Writer::controller(WRITER), |before| {
            let mut after = before.clone();
            let mut owners = list(before, "/metadata/ownerReferences").to_vec();
            owners.retain(|reference| reference["uid"] != owner["metadata"]["uid"]);
            after["metadata"]["ownerReferences"] = owners.into();
            Ok(after)
        })?;
    }
    drop_finalizer(objects, resource, key, "orphan")
}

fn drop_finalizer(objects: &Objects, resource: &Resource, key: &Key, name: &str) -> Result<(), Failure> {
    let written = objects.update(resource, key, &Writer::controller(WRITER), |before| {
        let mut after = before.clone();
        let mut finalizers = list(before, "/metadata/finalizers").to_vec();
        finalizers.retain(|finalizer| finalizer != name);
        object(&mut after["metadata"]).insert("finalizers".to_owned(), finalizers.into());
        Ok(after)
    });
    written.map(drop)
}

/// Deletes what a namespace holds, and then the namespace.
fn empty(objects: &Objects, namespace: &Key) -> Result<(), Failure> {
    let contents = objects.store.in_namespace(&namespace.name);
    for (key, object) in &contents {
        delete(objects, resource(key), key, object)?;
    }
    if contents.is_empty() {
        objects.store.write(namespace, |_| Ok(Decision::Remove))?;
    }
    Ok(())
}
