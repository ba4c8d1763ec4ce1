//! Items: how they are keyed, written on conditions and read back.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure};
use domain::ids::{DeliveryId, EnvironmentName, RepositoryName, RunId, TaskId};
use domain::message::Scanned;
use domain::ports::{Answer, Fault, Written};
use domain::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Store;

/// How long runs, their tasks and what was told of them stay after their last change.
pub(crate) const RUNS_KEPT: Duration = Duration::from_hours(90 * 24);
/// How long deliveries stay; GitHub redelivers for three days.
pub(crate) const DELIVERIES_KEPT: Duration = Duration::from_hours(30 * 24);
/// The partition of the index `due`: everything that waits for something.
pub(crate) const DUE: &str = "due";
/// The sort key of a run's head.
pub(crate) const HEAD: &str = "head";

/// What the keys of a run's and of a repository's items begin with.
pub(crate) const RUN: &str = "run#";
pub(crate) const REPOSITORY: &str = "repository#";

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// An item's primary key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn in_run(run: &RunId, sk: impl Into<String>) -> Self {
        Self { pk: format!("{RUN}{run}"), sk: sk.into() }
    }

    pub(crate) fn of_task(run: &RunId, id: &TaskId) -> Self {
        let environment = id.environment.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
        Self::in_run(run, format!("task#{}#{}{environment}", id.stage, id.subject))
    }

    pub(crate) fn of_delivery(id: &DeliveryId) -> Self {
        Self { pk: format!("delivery#{id}"), sk: "delivery".to_owned() }
    }

    /// Where it stands which delivery a body came with first.
    pub(crate) fn of_body(hash: &str) -> Self {
        Self { pk: format!("body#{hash}"), sk: "body".to_owned() }
    }

    pub(crate) fn in_environment(
        repository: &RepositoryName,
        environment: &EnvironmentName,
        sk: impl Into<String>,
    ) -> Self {
        Self { pk: format!("environment#{repository}#{environment}"), sk: sk.into() }
    }

    pub(crate) fn in_repository(repository: &RepositoryName, sk: &str) -> Self {
        Self { pk: format!("{REPOSITORY}{repository}"), sk: sk.to_owned() }
    }

    /// Of what waits for the scan of an image.
    pub(crate) fn of_scan(image: &Scanned, sk: &str) -> Self {
        Self { pk: format!("scan#{}@{}", image.repository, image.digest), sk: sk.to_owned() }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        HashMap::from([("pk".to_owned(), text(&self.pk)), ("sk".to_owned(), text(&self.sk))])
    }
}

/// An item to write as a whole, and on what condition.
pub(crate) struct Item {
    attributes: Attributes,
    condition: Condition,
}

/// What an item's old state must be, as one comparison of a number.
enum Condition {
    /// There is no such item.
    Absent,
    /// The attribute has this value.
    Equal(&'static str, u64),
    /// There is no such item, or the attribute is not above this value.
    AtMost(&'static str, u64),
}

impl Item {
    /// An item whose body is `value`, to be written only where there is none.
    pub(crate) fn new(key: &Key, value: &impl Serialize) -> Answer<Self> {
        let body = serde_json::to_string(value)
            .map_err(|error| aws::lasting(format!("`{}` cannot be written as JSON", key.sk), error))?;
        let item = Self { attributes: key.attributes(), condition: Condition::Absent };
        Ok(item.with("body", text(body)))
    }

    /// The item with one more attribute.
    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    /// The item with an expiry `kept` from `from` on.
    pub(crate) fn kept(self, from: Timestamp, kept: Duration) -> Self {
        self.with("expires_at", number(from.after(kept).seconds()))
    }

    /// The item numbered `value`, to be written over number `value - 1`; 1 is the first.
    pub(crate) fn next(mut self, name: &'static str, value: u64) -> Self {
        self.condition = if value <= 1 { Condition::Absent } else { Condition::Equal(name, value - 1) };
        self.with(name, number(value))
    }

    /// The item numbered `value`, to be written unless a higher number is there.
    pub(crate) fn not_below(mut self, name: &'static str, value: u64) -> Self {
        self.condition = Condition::AtMost(name, value);
        self.with(name, number(value))
    }

    /// The item as part of a transaction.
    pub(crate) fn into_put(self, table: &str) -> Answer<Put> {
        let put = Put::builder().table_name(table).set_item(Some(self.attributes));
        let put = match self.condition {
            Condition::Absent => put.condition_expression("attribute_not_exists(pk)"),
            Condition::Equal(name, value) => put
                .condition_expression("#number = :number")
                .expression_attribute_names("#number", name)
                .expression_attribute_values(":number", number(value)),
            Condition::AtMost(name, value) => put
                .condition_expression("attribute_not_exists(pk) OR #number <= :number")
                .expression_attribute_names("#number", name)
                .expression_attribute_values(":number", number(value)),
        };
        put.build().map_err(|error| aws::lasting("an item cannot be written", error))
    }
}

/// How a conditional put ended; a conflict brings the item that was in the way.
pub(crate) enum PutOutcome {
    Written,
    Conflict(Option<Attributes>),
}

impl From<PutOutcome> for Written {
    fn from(outcome: PutOutcome) -> Self {
        match outcome {
            PutOutcome::Written => Self::Yes,
            PutOutcome::Conflict(_) => Self::Conflict,
        }
    }
}

impl Store {
    /// Writes an item on its condition. `what` is said when that fails for another reason.
    pub(crate) async fn put(&self, item: Item, what: impl FnOnce() -> String) -> Answer<PutOutcome> {
        let put = item.into_put(&self.table)?;
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(PutOutcome::Written) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(PutOutcome::Conflict(failed.item().cloned()))
            }
            // A transaction holds the item: somebody else writes it just now.
            Some(PutItemError::TransactionConflictException(_)) => Ok(PutOutcome::Conflict(None)),
            _ => Err(aws::fault(what(), error)),
        }
    }

    /// Reads every item of a run whose sort key begins so.
    pub(crate) async fn below<T: DeserializeOwned>(
        &self,
        run: &RunId,
        prefix: &str,
        what: impl Fn() -> String,
    ) -> Answer<Vec<T>> {
        let query = self
            .in_run(run)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":prefix", text(prefix));
        every_item(query, what).await?.iter().map(body).collect()
    }

    /// Reads every item of a run whose sort key lies between these two, in the order of their keys.
    pub(crate) async fn between(
        &self,
        run: &RunId,
        first: &str,
        last: &str,
        what: impl Fn() -> String,
    ) -> Answer<Vec<Attributes>> {
        let query = self
            .in_run(run)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(last));
        every_item(query, what).await
    }

    /// Reads every item beside the key.
    pub(crate) async fn partition(&self, key: &Key, what: impl Fn() -> String) -> Answer<Vec<Attributes>> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk");
        every_item(query.expression_attribute_values(":pk", text(&key.pk)), what).await
    }

    fn in_run(&self, run: &RunId) -> QueryFluentBuilder {
        let pk = text(Key::in_run(run, "").pk);
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        query.expression_attribute_values(":pk", pk)
    }

    /// Reads one item.
    pub(crate) async fn get(&self, key: &Key, what: impl FnOnce() -> String) -> Answer<Option<Attributes>> {
        self.client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|error| aws::fault(what(), error))
    }

    /// Reads a few items by one request, in the order of the keys; no snapshot.
    pub(crate) async fn get_all(
        &self,
        keys: &[Key],
        what: impl Fn() -> String,
    ) -> Answer<Vec<Option<Attributes>>> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().map(Key::attributes).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| aws::lasting(what(), error))?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.table, wanted)
            .send()
            .await
            .map_err(|error| aws::fault(what(), error))?;
        if answer.unprocessed_keys().is_some_and(|keys| !keys.is_empty()) {
            return Err(Fault::retry(what(), "the table answered only in part"));
        }
        let items = answer.responses().and_then(|tables| tables.get(&self.table));
        let of = |key: &Key| {
            let is_it = |item: &&Attributes| text_of(item, "sk").is_ok_and(|sk| sk == key.sk);
            items.into_iter().flatten().find(is_it).cloned()
        };
        Ok(keys.iter().map(of).collect())
    }
}

/// The items of every page.
async fn every_item(query: QueryFluentBuilder, what: impl Fn() -> String) -> Answer<Vec<Attributes>> {
    let mut items = query.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item.map_err(|error| aws::fault(what(), error))?);
    }
    Ok(found)
}

/// The domain type in an item's body.
pub(crate) fn body<T: DeserializeOwned>(item: &Attributes) -> Answer<T> {
    let body = text_of(item, "body")?;
    serde_json::from_str(body).map_err(|error| {
        let sk = text_of(item, "sk").unwrap_or_default();
        aws::lasting(format!("the stored `{sk}` cannot be read"), error)
    })
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn text_of<'a>(item: &'a Attributes, name: &str) -> Answer<&'a str> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| Fault::reject(format!("a stored item has no text `{name}`")))
}

pub(crate) fn number_of(item: &Attributes, name: &str) -> Answer<u64> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Fault::reject(format!("a stored item has no number `{name}`")))
}
