//! What an apply would change, as the API server itself says.

use domain::policy::Conflicts;
use domain::ports::{Answer, Change};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::FIELD_MANAGER;
use crate::changes::changes;
use crate::fault::ask;
use crate::kinds::Kinds;
use crate::prune::OWNER;
use crate::refusal;
use crate::target::{Target, text, without_bookkeeping};

/// Each slot is a connection of its own.
const IN_PARALLEL: usize = 8;

/// One answer for each object, in its order.
pub(crate) async fn rehearse(
    client: &Client,
    kinds: &Kinds,
    objects: &[Value],
    conflicts: Conflicts,
) -> Answer<Vec<Change>> {
    let calls: Vec<_> = objects.iter().map(|object| rehearse_one(client, kinds, object, conflicts)).collect();
    futures::stream::iter(calls).buffered(IN_PARALLEL).try_collect().await
}

async fn rehearse_one(
    client: &Client,
    kinds: &Kinds,
    object: &Value,
    conflicts: Conflicts,
) -> Answer<Change> {
    let Target { label, name, api } = match Target::of(client, kinds, object).await? {
        Ok(target) => target,
        Err(sentence) => return Ok(Change::Refused(sentence)),
    };
    let what = || format!("could not rehearse {label}");
    let live = match ask(|| api.get(&name)).await {
        Ok(live) => Some(live),
        Err(failure) if failure.is_absence() => None,
        Err(failure) => return refused(&label, failure, &what()),
    };
    let mut parameters = PatchParams::apply(FIELD_MANAGER);
    parameters.dry_run = true;
    parameters.force = conflicts == Conflicts::Take;
    let intent = Patch::Apply(without_bookkeeping(object));
    let applied = match ask(|| api.patch(&name, &parameters, &intent)).await {
        Ok(applied) => applied,
        Err(failure) => return refused(&label, failure, &what()),
    };
    let Some(live) = live else { return Ok(Change::Created) };
    let lines = changes(&json!(live), &json!(applied), is_confidential(&live, object));
    Ok(if lines.is_empty() { Change::Nothing } else { Change::Fields(lines) })
}

/// Whether its values are nobody's business here: a Secret's, and those of an object that belongs to somebody else, which
/// the manifests may name by any name they like.
fn is_confidential(live: &DynamicObject, object: &Value) -> bool {
    let owner =
        object.pointer("/metadata/annotations").and_then(|all| all.get(OWNER)).and_then(Value::as_str);
    let known = live.metadata.annotations.as_ref().and_then(|all| all.get(OWNER)).map(String::as_str);
    text(object, "/kind") == "Secret" || known != owner
}

fn refused(label: &str, failure: crate::fault::Failure, what: &str) -> Answer<Change> {
    match refusal::sentence(label, &failure) {
        Some(sentence) => Ok(Change::Refused(sentence)),
        None => Err(failure.fault(what)),
    }
}
