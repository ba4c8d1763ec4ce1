//! Messages on SQS: sent in batches, and given back for another time than the queue's own.

mod batch;
mod redelivery;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use domain::message::{Outgoing, QueueName};
use domain::ports::{Answer, Fault};
use futures::{StreamExt, TryStreamExt, stream};

pub use redelivery::Redelivery;

/// How many batches are on their way at the same time.
const PARALLEL: usize = 8;
/// How often the messages that a batch left out are sent again before the caller has to.
const ROUNDS: usize = 3;

/// The queues that a function may send to.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    urls: BTreeMap<QueueName, String>,
}

impl Queue {
    /// The queues with these URLs; a message for any other is refused.
    pub fn new(config: &SdkConfig, urls: BTreeMap<QueueName, String>) -> Self {
        Self { client: Client::new(config), urls }
    }

    fn url(&self, queue: QueueName) -> Answer<&str> {
        let missing =
            || Fault::reject(format!("`{}` is not set, but a message must go there", queue.variable()));
        self.urls.get(&queue).map(String::as_str).ok_or_else(missing)
    }

    async fn send_batch(&self, url: &str, mut entries: Vec<SendMessageBatchRequestEntry>) -> Answer<()> {
        let count = entries.len();
        let what = || format!("{count} messages cannot be sent to `{url}`");
        let mut last = String::new();
        for _ in 0..ROUNDS {
            let answer = self
                .client
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(entries.clone()))
                .send()
                .await
                .map_err(|error| aws::fault(what(), error))?;
            let Some(failed) = answer.failed.first() else { return Ok(()) };
            if let Some(refused) = answer.failed.iter().find(|entry| entry.sender_fault) {
                return Err(Fault::reject(format!("{}: {}", what(), words(refused))));
            }
            last = words(failed);
            entries.retain(|entry| answer.failed.iter().any(|failed| failed.id == entry.id));
        }
        Err(Fault::retry(what(), last))
    }
}

impl domain::ports::Queue for Queue {
    async fn send(&self, messages: &[Outgoing]) -> Answer<()> {
        let mut by_queue: BTreeMap<QueueName, Vec<&Outgoing>> = BTreeMap::new();
        for outgoing in messages {
            by_queue.entry(outgoing.message.queue()).or_default().push(outgoing);
        }
        let mut batches = Vec::new();
        for (queue, messages) in by_queue {
            let url = self.url(queue)?;
            batches.extend(batch::pack(&messages)?.into_iter().map(|batch| self.send_batch(url, batch)));
        }
        stream::iter(batches).buffer_unordered(PARALLEL).try_collect().await
    }
}

fn words(failed: &BatchResultErrorEntry) -> String {
    format!("{}: {}", failed.code, failed.message().unwrap_or("no message"))
}
