//! Server-side apply of a set of objects, in an order that works.

use domain::policy::Conflicts;
use domain::ports::{Answer, Application, Fault, Standing};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use crate::FIELD_MANAGER;
use crate::fault::{Failure, ask_as_long_as};
use crate::guard::Guard;
use crate::kinds::{Kinds, Tier, tier};
use crate::target::{Target, text};
use crate::{refusal, target};

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
    let Target { label, name, api } = match Target::of(client, kinds, object).await? {
        Ok(target) => target,
        Err(sentence) => return Ok(Outcome::Refused(sentence)),
    };
    let intent = Patch::Apply(target::without_bookkeeping(object));
    let parameters = PatchParams::apply(FIELD_MANAGER);
    let mut answer = ask_as_long_as(guard, || api.patch(&name, &parameters, &intent)).await;
    let mut taken = Outcome::Applied;
    // Only who has been refused learns whose the fields were.
    if conflicts == Conflicts::Take
        && let Some(fields) = answer.as_ref().err().and_then(refusal::conflicting_fields)
    {
        taken = Outcome::Taken(format!("{label}: taken over although {fields}"));
        let parameters = parameters.clone().force();
        answer = ask_as_long_as(guard, || api.patch(&name, &parameters, &intent)).await;
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
