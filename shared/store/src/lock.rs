//! An environment's lock: one request where nobody is in the way, else read and written on condition of its version.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::ids::RunId;
use domain::policy::Waiting;
use domain::ports::{Answer, Fault, Locking};
use domain::run::{Lock, Ticket};

use crate::Store;
use crate::item::{Attributes, Key, number, number_of, text, text_of};

/// After so many lost races the message comes again.
const MOST_RACES: u32 = 8;

impl Store {
    pub(crate) async fn lock_under(
        &self,
        key: &Key,
        run: &RunId,
        ticket: Ticket,
        waiting: Waiting,
    ) -> Answer<Locking> {
        let taking = self
            .locking(key)
            .update_expression(
                "SET #holder = :run, #taken = :number, #round = :round, \
                 #version = if_not_exists(#version, :zero) + :one",
            )
            .condition_expression(
                "(#holder = :run AND #round <= :round) OR (attribute_not_exists(#holder) \
                 AND attribute_not_exists(#waiting) AND (attribute_not_exists(#taken) OR #taken < :number \
                 OR (#taken = :number AND #round < :round)))",
            )
            .expression_attribute_names("#taken", "taken")
            .expression_attribute_names("#waiting", "waiting")
            .expression_attribute_values(":run", text(run.to_string()))
            .expression_attribute_values(":number", number(ticket.number))
            .expression_attribute_values(":round", number(ticket.round.into()));
        match attempted(taking).await? {
            Attempt::Done => Ok(Locking::Held),
            Attempt::Refused(seen) => self.moved(key, seen, |lock| lock.ask(run, ticket, waiting)).await,
        }
    }

    pub(crate) async fn unlock_under(&self, key: &Key, run: &RunId, ticket: Ticket) -> Answer<Vec<RunId>> {
        let freeing = self
            .locking(key)
            // `taken` stays: an older run must not take the lock after this one.
            .update_expression("SET #version = if_not_exists(#version, :zero) + :one REMOVE #holder")
            .condition_expression("#holder = :run AND #round <= :round AND attribute_not_exists(#waiting)")
            .expression_attribute_names("#waiting", "waiting")
            .expression_attribute_values(":run", text(run.to_string()))
            .expression_attribute_values(":round", number(ticket.round.into()));
        match attempted(freeing).await? {
            Attempt::Done => Ok(Vec::new()),
            Attempt::Refused(seen) => self.moved(key, seen, |lock| lock.free(run, ticket)).await,
        }
    }

    /// Does with the lock as it was seen, and as often as somebody else is faster with what it is by then.
    async fn moved<T>(&self, key: &Key, mut seen: Attributes, step: impl Fn(&mut Lock) -> T) -> Answer<T> {
        for _ in 0..MOST_RACES {
            let (before, version) = read(&seen)?;
            let mut lock = before.clone();
            let answer = step(&mut lock);
            if lock == before {
                return Ok(answer);
            }
            match attempted(self.replacing(key, &lock, version)).await? {
                Attempt::Done => return Ok(answer),
                Attempt::Refused(item) => seen = item,
            }
        }
        Err(Fault::retry("others take it or stand in line at the same time", "tried too often"))
    }

    /// An update of the lock that tells what was there where it does not go through.
    fn locking(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .expression_attribute_names("#holder", "holder")
            .expression_attribute_names("#round", "round")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// The lock as it shall be, on condition of its version.
    fn replacing(&self, key: &Key, lock: &Lock, version: Option<u64>) -> UpdateItemFluentBuilder {
        let (mut set, mut remove) = (vec!["#version = if_not_exists(#version, :zero) + :one"], Vec::new());
        let mut update = self
            .locking(key)
            .expression_attribute_names("#taken", "taken")
            .expression_attribute_names("#waiting", "waiting");
        match &lock.holder {
            Some(holder) => {
                set.push("#holder = :holder");
                update = update.expression_attribute_values(":holder", text(holder.to_string()));
            }
            None => remove.push("#holder"),
        }
        match lock.taken {
            Some(taken) => {
                set.extend(["#taken = :taken", "#round = :round"]);
                update = update
                    .expression_attribute_values(":taken", number(taken.number))
                    .expression_attribute_values(":round", number(taken.round.into()));
            }
            None => remove.extend(["#taken", "#round"]),
        }
        if lock.waiting.is_empty() {
            remove.push("#waiting");
        } else {
            set.push("#waiting = :waiting");
            let line = lock.waiting.iter().map(|(number, run)| (number.to_string(), text(run.to_string())));
            update = update.expression_attribute_values(":waiting", AttributeValue::M(line.collect()));
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        let update = update.update_expression(expression);
        match version {
            Some(version) => update
                .condition_expression("#version = :seen")
                .expression_attribute_values(":seen", number(version)),
            None => update.condition_expression("attribute_not_exists(#version)"),
        }
    }
}

/// How an update on condition ended.
enum Attempt {
    Done,
    /// With what was there.
    Refused(Attributes),
}

async fn attempted(update: UpdateItemFluentBuilder) -> Answer<Attempt> {
    let Err(error) = update.send().await else { return Ok(Attempt::Done) };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Ok(Attempt::Refused(failed.item().cloned().unwrap_or_default()))
        }
        _ => Err(aws::fault("the table does not answer", error)),
    }
}

/// The lock and its version; none where the item has never been written.
fn read(item: &Attributes) -> Answer<(Lock, Option<u64>)> {
    let has = |name: &str| item.contains_key(name);
    let holder = if has("holder") {
        let holder = text_of(item, "holder")?.parse();
        Some(holder.map_err(|error| aws::lasting("the lock names no run", error))?)
    } else {
        None
    };
    let taken = if has("taken") {
        let round = u32::try_from(number_of(item, "round")?).unwrap_or(u32::MAX);
        Some(Ticket { number: number_of(item, "taken")?, round })
    } else {
        None
    };
    let waiting = match item.get("waiting") {
        Some(AttributeValue::M(line)) => line.iter().map(waiting_in).collect::<Answer<_>>()?,
        _ => BTreeMap::new(),
    };
    let version = if has("version") { Some(number_of(item, "version")?) } else { None };
    Ok((Lock { holder, taken, waiting }, version))
}

/// Who stands in line, and under which number.
fn waiting_in((number, run): (&String, &AttributeValue)) -> Answer<(u64, RunId)> {
    let what = || "somebody unknown stands in line for the lock";
    let run = run.as_s().map_err(|_| Fault::reject(what()))?;
    Ok((
        number.parse().map_err(|error: std::num::ParseIntError| aws::lasting(what(), error))?,
        run.parse().map_err(|error| aws::lasting(what(), error))?,
    ))
}
