//! Server-side apply of a set of objects, in an order that works.

use std::time::Instant;

use domain::policy::Conflicts;
use domain::ports::{Answer, Application, Fault, Standing};
use domain::task::Tier;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use crate::FIELD_MANAGER;
use crate::fault::{Failure, ask_as_long_as};
use crate::guard::Guard;
use crate::kinds::Kinds;
use crate::target::{Target, text};
use crate::{refusal, target};

/// Each slot is a connection of its own.
const IN_PARALLEL: usize = 8;

/// Applies tier after tier, in the order of the objects as far as their tiers allow; a tier with refused objects is the
/// last one. What its standing leaves no time for is not sent.
pub(crate) async fn apply<S: Standing>(
    client: &Client,
    kinds: &Kinds,
    objects: &[Value],
    conflicts: Conflicts,
    standing: &S,
) -> Answer<Application> {
    let guard = Guard::new(standing);
    let (begun, patience) = (Instant::now(), standing.patience());
    let (mut taken, mut applied) = (Vec::new(), 0);
    let mut ordered: Vec<&Value> = objects.iter().collect();
    ordered.sort_by_key(|object| Tier::of(text(object, "/kind")));
    for tier in ordered.chunk_by(|one, next| Tier::of(text(one, "/kind")) == Tier::of(text(next, "/kind"))) {
        let mut calls = Vec::new();
        for object in tier {
            let guard = &guard;
            calls.push(async move {
                if begun.elapsed() < patience {
                    apply_one(client, kinds, object, conflicts, guard).await
                } else {
                    Ok(Outcome::Unsent)
                }
            });
        }
        let outcomes: Vec<Outcome> = futures::stream::iter(calls).buffered(IN_PARALLEL).try_collect().await?;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Overtaken)) {
            return Ok(Application::Overtaken);
        }
        // Time only passes: what comes after the first unsent one was not sent either.
        let unsent = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Unsent));
        applied += unsent.unwrap_or(outcomes.len());
        let mut refusals = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Refused(sentence) => refusals.push(sentence),
                Outcome::Taken(sentence) => taken.push(sentence),
                Outcome::Applied | Outcome::Overtaken | Outcome::Unsent => {}
            }
        }
        if !refusals.is_empty() {
            return Ok(Application::Refused(refusals.join("; ")));
        }
        if unsent.is_some() {
            return Ok(Application::Partly { applied, taken });
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
    /// There was no time left for it.
    Unsent,
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
