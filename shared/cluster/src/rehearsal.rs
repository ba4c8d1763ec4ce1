//! What an apply would change, as the API server itself says.

use domain::policy::Conflicts;
use domain::ports::{Answer, Change};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::FIELD_MANAGER;
use crate::changes::changes;
use crate::fault::ask;
use crate::kinds::Kinds;
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
    let lines = changes(&json!(live), &json!(applied), text(object, "/kind") == "Secret");
    Ok(if lines.is_empty() { Change::Nothing } else { Change::Fields(lines) })
}

fn refused(label: &str, failure: crate::fault::Failure, what: &str) -> Answer<Change> {
    match refusal::sentence(label, &failure) {
        Some(sentence) => Ok(Change::Refused(sentence)),
        None => Err(failure.fault(what)),
    }
}
