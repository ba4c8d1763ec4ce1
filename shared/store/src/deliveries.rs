//! Webhook deliveries.
//!
//! `body` is the delivery as it came first; `state` beside it moves on, and only forwards: a webhook that notes
//! `Enqueued` after plan noted `Planned` changes nothing. A second item, keyed by the body's hash, names the delivery that
//! brought the body first; it never changes.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::ids::DeliveryId;
use domain::ports::{Answer, Deliveries, Delivery, DeliveryState, Fault, Receipt};

use crate::Store;
use crate::item::{Attributes, DELIVERIES_KEPT, Item, Key, PutOutcome, body, number, text, text_of};
use crate::runs::{cancelled, is_lost, reasons};

/// How often a delivery is looked at that somebody else records at the same time.
const ROUNDS: usize = 3;

impl Deliveries for Store {
    async fn receive(&self, delivery: &Delivery) -> Answer<Receipt> {
        let what = || format!("delivery `{}` cannot be recorded", delivery.id);
        for _ in 0..ROUNDS {
            let of_body = Item::new(&Key::of_body(&delivery.body), &delivery.id)?
                .kept(delivery.received, DELIVERIES_KEPT);
            match self.transact(vec![item(delivery)?, of_body]).await? {
                Ok(_) => return Ok(Receipt::New),
                Err(error) if reasons(&error).iter().any(is_lost) => {}
                Err(error) => return Err(cancelled(what(), error)),
            }
            if let Some(known) = self.delivery(&delivery.id).await? {
                return Ok(Receipt::Known(known));
            }
            let bringer = self.get(&Key::of_body(&delivery.body), what).await?;
            if let Some(bringer) = bringer {
                return self.before(delivery, &body(&bringer)?).await;
            }
        }
        Err(Fault::retry(what(), "somebody else records it just now"))
    }

    async fn record(&self, delivery: &Delivery) -> Answer<Delivery> {
        let what = || format!("delivery `{}` cannot be recorded", delivery.id);
        let outcome = self.put(item(delivery)?, what).await?;
        match outcome {
            PutOutcome::Written => Ok(delivery.clone()),
            PutOutcome::Conflict(Some(recorded)) => read(&recorded),
            PutOutcome::Conflict(None) => {
                Err(Fault::retry("a delivery cannot be recorded", "somebody else records it just now"))
            }
        }
    }

    async fn note(&self, id: &DeliveryId, state: &DeliveryState) -> Answer<()> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::of_delivery(id).attributes()))
            .update_expression("SET #state = :state, #progress = :progress")
            .condition_expression("attribute_exists(pk) AND #progress <= :progress")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#progress", "progress")
            .expression_attribute_values(":state", text(json(state)?))
            .expression_attribute_values(":progress", number(progress(state)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                // An item that is there has come further already.
                let recorded = failed.item().is_some_and(|item| !item.is_empty());
                let unknown = || Fault::reject(format!("delivery `{id}` was never recorded"));
                recorded.then_some(()).ok_or_else(unknown)
            }
            _ => Err(aws::fault(format!("what became of delivery `{id}` cannot be noted"), error)),
        }
    }
}

impl Store {
    async fn delivery(&self, id: &DeliveryId) -> Answer<Option<Delivery>> {
        let item = self.get(&Key::of_delivery(id), || format!("delivery `{id}` cannot be read")).await?;
        item.as_ref().map(read).transpose()
    }

    /// The delivery that brought the body first. DynamoDB removes what has expired one by one: where that one is gone
    /// already, nothing came before.
    async fn before(&self, delivery: &Delivery, bringer: &DeliveryId) -> Answer<Receipt> {
        if let Some(first) = self.delivery(bringer).await? {
            return Ok(Receipt::Before(first));
        }
        let recorded = self.record(delivery).await?;
        Ok(if recorded == *delivery { Receipt::New } else { Receipt::Known(recorded) })
    }
}

fn item(delivery: &Delivery) -> Answer<Item> {
    Ok(Item::new(&Key::of_delivery(&delivery.id), delivery)?
        .with("state", text(json(&delivery.state)?))
        .with("progress", number(progress(&delivery.state)))
        .kept(delivery.received, DELIVERIES_KEPT))
}

fn read(item: &Attributes) -> Answer<Delivery> {
    let state = serde_json::from_str(text_of(item, "state")?)
        .map_err(|error| aws::lasting("a delivery's state cannot be read", error))?;
    Ok(Delivery { state, ..body(item)? })
}

fn progress(state: &DeliveryState) -> u64 {
    match state {
        DeliveryState::Received => 0,
        DeliveryState::Enqueued => 1,
        DeliveryState::Ignored(_) => 2,
        DeliveryState::Planned(_) => 3,
    }
}

fn json(state: &DeliveryState) -> Answer<String> {
    serde_json::to_string(state)
        .map_err(|error| aws::lasting("a delivery's state cannot be written as JSON", error))
}
