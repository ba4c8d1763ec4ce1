//! SQS batches: every record is handled by itself, and only those that failed are delivered again.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use domain::ids::Stage;
use domain::message::{Ask, parse_stage_message};
use domain::ports::{Advice, Fault, Redelivery};
use futures::future::join_all;
use serde::{Deserialize, Serialize};

/// What the event source mapping hands over.
#[derive(Debug, Deserialize)]
pub struct SqsEvent {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// One message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// SQS's id, the same on every delivery.
    pub message_id: String,
    /// This delivery's receipt.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// What SQS says about it; absent from events that people write by hand.
    #[serde(default)]
    pub attributes: Attributes,
}

/// What SQS itself says about a message
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attributes {
    /// The unique id of the principal that sent it: `AIDA…` of a user, `AROA…:session` of a role.
    pub sender_id: Option<String>,
    /// How often it has been received, this time included; a number.
    pub approximate_receive_count: Option<String>,
}

/// What a stage's queue delivers, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageMessage {
    /// What it asks for.
    pub ask: Ask,
    /// SQS's id, the same on every delivery. Messages with the same body in one batch are handled as the first.
    pub message_id: String,
    /// The unique id of the principal that sent it.
    pub sender: Option<String>,
}

/// The messages to be delivered again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It is done with; the queue forgets it.
    Acknowledge,
    /// It comes again, after the delay.
    GiveBack {
        /// Why.
        reason: String,
        /// When.
        delay: Duration,
    },
    /// It cannot be understood: it is set aside among the dead letters with the reason, then forgotten. A crash
    /// between the two leaves a second copy there. Where it cannot be set aside it comes again, until the queue
    /// itself moves it, without a reason.
    Refuse {
        /// Why.
        reason: String,
    },
}

impl From<Fault> for Disposition {
    fn from(fault: Fault) -> Self {
        let delay = match fault.advice {
            Advice::Retry(after) => after.unwrap_or(Duration::from_secs(2)),
            Advice::Reject => Duration::from_secs(30),
        };
        Self::GiveBack { reason: fault.chain(), delay }
    }
}

/// Handles the records at the same time and reports those to be delivered again. Records that say the same are
/// handled once, and what becomes of one becomes of all: of a large run, many wakes of notify lie in one batch.
pub async fn each<F, R>(event: SqsEvent, redelivery: &R, handle: impl Fn(Record) -> F) -> BatchResponse
where
    F: Future<Output = Disposition>,
    R: Redelivery,
{
    let mut alike: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut handled = Vec::new();
    for record in event.records {
        let places = alike.entry(record.body.clone()).or_default();
        places.push((record.message_id.clone(), record.receipt_handle.clone()));
        if places.len() == 1 {
            // Boxed: a stage's whole work nested in the runtime's own futures is deeper than the compiler goes.
            let (body, disposition) = (record.body.clone(), Box::pin(handle(record)));
            handled.push(async move { (body, disposition.await) });
        }
    }
    let mut batch_item_failures = Vec::new();
    for (body, disposition) in join_all(handled).await {
        for (id, receipt) in alike.remove(&body).unwrap_or_default() {
            if dispose(Place { id: &id, receipt: &receipt, body: &body }, &disposition, redelivery).await {
                batch_item_failures.push(BatchItemFailure { item_identifier: id });
            }
        }
    }
    BatchResponse { batch_item_failures }
}

/// One delivery of a message.
#[derive(Clone, Copy)]
struct Place<'a> {
    id: &'a str,
    receipt: &'a str,
    body: &'a str,
}

/// Tells the queue what becomes of a message; true when it is to be delivered again.
async fn dispose(place: Place<'_>, disposition: &Disposition, redelivery: &impl Redelivery) -> bool {
    match disposition {
        Disposition::Acknowledge => false,
        Disposition::GiveBack { reason, delay } => {
            give_back(place, reason, *delay, redelivery).await;
            true
        }
        Disposition::Refuse { reason } => match redelivery.set_aside(place.body, reason).await {
            Ok(()) => {
                tracing::error!(message_id = %place.id, reason, "message refused; it lies among the dead letters");
                false
            }
            Err(fault) => {
                tracing::error!(message_id = %place.id, reason, "message refused, but it cannot be set aside");
                if let Disposition::GiveBack { reason, delay } = fault.into() {
                    give_back(place, &reason, delay, redelivery).await;
                }
                true
            }
        },
    }
}

async fn give_back(place: Place<'_>, reason: &str, delay: Duration, redelivery: &impl Redelivery) {
    tracing::warn!(message_id = %place.id, reason, delay_seconds = delay.as_secs(), "message given back");
    if let Err(fault) = redelivery.delay(place.receipt, delay).await {
        tracing::warn!(message_id = %place.id, fault = fault.chain(), "the queue's own visibility timeout holds");
    }
}

/// [`each`] for a stage's queue: what cannot be parsed is refused.
pub async fn each_stage_message<F, R>(
    event: SqsEvent,
    redelivery: &R,
    stage: Stage,
    handle: impl Fn(StageMessage) -> F,
) -> BatchResponse
where
    F: Future<Output = Disposition>,
    R: Redelivery,
{
    each(event, redelivery, |record| {
        let Record { message_id, body, attributes, .. } = record;
        let message = |ask| StageMessage { ask, message_id, sender: attributes.sender_id };
        let parsed = parse_stage_message(&body, stage).map(message).map(&handle);
        async move {
            match parsed {
                Ok(handled) => handled.await,
                Err(unreadable) => Disposition::Refuse { reason: unreadable.to_string() },
            }
        }
    })
    .await
}
