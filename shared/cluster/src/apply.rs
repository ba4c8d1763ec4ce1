//! Server-side apply of a set of objects, in an order that works.

use domain::policy::Conflicts;
use domain::ports::{Answer, Application, Fault, Standing};
use domain::task::ObjectName;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::FIELD_MANAGER;
use crate::fault::{Failure, ask_as_long_as};
use crate::guard::Guard;
use crate::kinds::{Kinds, Tier, tier};
use crate::refusal;

/// Each slot is a connection of its own.
const IN_PARALLEL: usize = 8;

/// Applies tier after tier; a tier with refused objects is the last one.
pub(crate) async fn apply(
    client: &Client,
    kinds: &Kinds,
    objects: &[Value],
    conflicts: Conflicts,
    guard: &Guard<'_, impl Standing>,
) -> Answer<Application> {
    let mut taken = Vec::new();
    for current in [Tier::Ground, Tier::Configuration, Tier::Services, Tier::Workloads] {
        let mut calls = Vec::new();
        for object in objects {
            if tier(text(object, "/kind")) == current {
                calls.push(apply_one(client, kinds, object, conflicts, guard));
            }
        }
        let outcomes: Vec<Outcome> =
            futures::stream::iter(calls).buffer_unordered(IN_PARALLEL).try_collect().await?;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Overtaken)) {
            return Ok(Application::Overtaken);
        }
        let mut refusals = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Refused(sentence) => refusals.push(sentence),
                Outcome::Taken(sentence) => taken.push(sentence),
                Outcome::Applied | Outcome::Overtaken => {}
            }
        }
        if !refusals.is_empty() {
            return Ok(Application::Refused(refusals.join("; ")));
        }
    }
    Ok(Application::Done(taken))
}

/// What became of one object.
enum Outcome {
    Applied,
    /// Applied with fields of another manager; the sentence for people.
    Taken(String),
    /// The sentence for people.
    Refused(String),
    Overtaken,
}

async fn apply_one(
    client: &Client,
    kinds: &Kinds,
    object: &Value,
    conflicts: Conflicts,
    guard: &Guard<'_, impl Standing>,
) -> Result<Outcome, Fault> {
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let label = ObjectName {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
    .to_string();
    if api_version.is_empty() || kind.is_empty() || name.is_empty() {
        return Ok(Outcome::Refused(format!("{label} lacks `apiVersion`, `kind` or `metadata.name`")));
    }
    let found = kinds.find(client, api_version, kind).await;
    let Some(known) =
        found.map_err(|failure| failure.fault(&format!("could not ask for the kinds of `{api_version}`")))?
    else {
        return Ok(Outcome::Refused(format!(
            "{label}: the cluster does not serve `{kind}` in `{api_version}`"
        )));
    };
    let api: Api<DynamicObject> = match (known.namespaced, namespace) {
        (true, "") => return Ok(Outcome::Refused(format!("{label} lacks `metadata.namespace`"))),
        (true, namespace) => Api::namespaced_with(client.clone(), namespace, &known.resource),
        (false, _) => Api::all_with(client.clone(), &known.resource),
    };
    let intent = Patch::Apply(without_bookkeeping(object));
    let parameters = PatchParams::apply(FIELD_MANAGER);
    let mut answer = ask_as_long_as(guard, || api.patch(name, &parameters, &intent)).await;
    let mut taken = Outcome::Applied;
    // Only who has been refused learns whose the fields were.
    if conflicts == Conflicts::Take
        && let Some(fields) = answer.as_ref().err().and_then(refusal::conflicting_fields)
    {
        taken = Outcome::Taken(format!("{label}: taken over although {fields}"));
        let parameters = parameters.clone().force();
        answer = ask_as_long_as(guard, || api.patch(name, &parameters, &intent)).await;
    }
    match answer {
        Ok(_) => Ok(taken),
        Err(Failure::Overtaken) => Ok(Outcome::Overtaken),
        Err(failure) => match refusal::sentence(&label, &failure) {
            Some(sentence) => Ok(Outcome::Refused(sentence)),
            None => Err(failure.fault(&format!("could not apply {label}"))),
        },
    }
}

/// An object read from a cluster carries its history, which an apply may not.
fn without_bookkeeping(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    object
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
