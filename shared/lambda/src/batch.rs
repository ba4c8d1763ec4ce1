//! SQS batches: every record is handled by itself, and only those that failed are delivered again.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::future::Future;
use std::time::Duration;

use domain::ids::Stage;
use domain::message::{Wake, parse_stage_message};
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
    /// It cannot be understood: it comes again until the queue moves it to the dead-letter queue.
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

/// Handles every record at the same time and reports those to be delivered again.
pub async fn each<F, R>(event: SqsEvent, redelivery: &R, handle: impl Fn(Record) -> F) -> BatchResponse
where
    F: Future<Output = Disposition>,
    R: Redelivery,
{
    let handled = event.records.into_iter().map(|record| {
        let (id, receipt) = (record.message_id.clone(), record.receipt_handle.clone());
        let disposition = handle(record);
        async move {
            match disposition.await {
                Disposition::Acknowledge => None,
                Disposition::GiveBack { reason, delay } => {
                    tracing::warn!(message = %id, reason, delay_seconds = delay.as_secs(), "message given back");
                    if let Err(fault) = redelivery.delay(&receipt, delay).await {
                        tracing::warn!(message = %id, fault = fault.chain(), "the queue's own visibility timeout holds");
                    }
                    Some(BatchItemFailure { item_identifier: id })
                }
                Disposition::Refuse { reason } => {
                    tracing::error!(message = %id, reason, "message refused; it goes to the dead-letter queue");
                    if let Err(fault) = redelivery.delay(&receipt, Duration::ZERO).await {
                        tracing::warn!(message = %id, fault = fault.chain(), "the queue's own visibility timeout holds");
                    }
                    Some(BatchItemFailure { item_identifier: id })
                }
            }
        }
    });
    BatchResponse { batch_item_failures: join_all(handled).await.into_iter().flatten().collect() }
}

/// [`each`] for a stage's queue: what cannot be parsed is refused, the rest is handled as a wake.
pub async fn each_stage_message<F, R>(
    event: SqsEvent,
    redelivery: &R,
    stage: Stage,
    handle: impl Fn(Wake) -> F,
) -> BatchResponse
where
    F: Future<Output = Disposition>,
    R: Redelivery,
{
    each(event, redelivery, |record| {
        let parsed = parse_stage_message(&record.body, stage).map(&handle);
        async move {
            match parsed {
                Ok(handled) => handled.await,
                Err(unreadable) => Disposition::Refuse { reason: unreadable.to_string() },
            }
        }
    })
    .await
}
