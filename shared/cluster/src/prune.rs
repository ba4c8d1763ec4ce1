//! Deletion of what a service no longer names, as far as it is still its own.

use domain::ports::{Answer, Leftover, Standing};
use domain::task::ObjectName;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, core::DynamicObject};

use crate::fault::{Failure, ask, ask_as_long_as};
use crate::guard::Guard;
use crate::kinds::Kinds;
use crate::refusal;

/// Whose the object is: what deploy writes on each.
pub(crate) const OWNER: &str = "slipway.dev/owner";

/// What people say of an object that leaves its manifests: `keep` or `allow`.
const PRUNE: &str = "slipway.dev/prune";

/// What takes data or other objects with it is never deleted without consent.
const GUARDED: [&str; 4] =
    ["Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"];

/// Each slot is a connection of its own.
const IN_PARALLEL: usize = 8;

/// Deletes the objects that still belong to the owner; answers what became of each in the same order.
pub(crate) async fn prune(
    client: &Client,
    kinds: &Kinds,
    owner: &str,
    objects: &[ObjectName],
    guard: &Guard<'_, impl Standing>,
) -> Answer<Option<Vec<Leftover>>> {
    let calls: Vec<_> = objects.iter().map(|object| prune_one(client, kinds, owner, object, guard)).collect();
    let outcomes: Vec<Option<Leftover>> =
        futures::stream::iter(calls).buffered(IN_PARALLEL).try_collect().await?;
    Ok(outcomes.into_iter().collect())
}

/// What became of the object; none where its deletion is no longer wanted.
async fn prune_one(
    client: &Client,
    kinds: &Kinds,
    owner: &str,
    object: &ObjectName,
    guard: &Guard<'_, impl Standing>,
) -> Answer<Option<Leftover>> {
    let what = || format!("could not prune {object}");
    let found = kinds.find(client, &object.api_version, &object.kind).await;
    // What the cluster does not know any more went with its definition.
    let Some(kind) = found.map_err(|failure| failure.fault(&what()))? else {
        return Ok(Some(Leftover::Gone));
    };
    let api: Api<DynamicObject> = if kind.namespaced {
        Api::namespaced_with(client.clone(), &object.namespace, &kind.resource)
    } else {
        Api::all_with(client.clone(), &kind.resource)
    };
    let live: PartialObjectMeta<DynamicObject> = match ask(|| api.get_metadata(&object.name)).await {
        Ok(live) => live,
        Err(failure) if failure.is_absence() => return Ok(Some(Leftover::Gone)),
        Err(failure) => return refused(object, failure),
    };
    let annotation = |name: &str| {
        live.metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(name))
            .map(String::as_str)
            .unwrap_or_default()
    };
    if annotation(OWNER) != owner {
        return Ok(Some(Leftover::Left));
    }
    match annotation(PRUNE) {
        "keep" => {
            return Ok(Some(Leftover::Kept(format!("its annotation `{PRUNE}` says `keep`"))));
        }
        "allow" => {}
        _ if GUARDED.contains(&object.kind.as_str()) => {
            let reason = format!("a {} goes only where its annotation `{PRUNE}` says `allow`", object.kind);
            return Ok(Some(Leftover::Kept(reason)));
        }
        _ => {}
    }
    // The one that was looked at: somebody may have made another one of its name since.
    let seen = Preconditions { uid: live.metadata.uid.clone(), resource_version: None };
    let parameters = DeleteParams::background().preconditions(seen);
    match ask_as_long_as(guard, || api.delete(&object.name, &parameters)).await {
        Ok(_) => Ok(Some(Leftover::Pruned)),
        Err(Failure::Overtaken) => Ok(None),
        Err(failure) if failure.is_absence() => Ok(Some(Leftover::Gone)),
        Err(failure) => refused(object, failure),
    }
}

/// What the cluster does not allow stays, and people are told; what may pass is tried again.
fn refused(object: &ObjectName, failure: Failure) -> Answer<Option<Leftover>> {
    match refusal::sentence(&object.to_string(), &failure) {
        Some(sentence) => Ok(Some(Leftover::Kept(sentence))),
        None => Err(failure.fault(&format!("could not prune {object}"))),
    }
}
