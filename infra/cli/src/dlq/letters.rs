//! The dead-letter queues of a stack, read without hiding anything for long.
//!
//! SQS cannot be looked into: whoever reads a message hides it for a while. Here it is given back as soon as it has
//! been seen. Standard queues deliver at least once, so a message may be seen twice; it counts once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use domain::message::QueueName;
use domain::time::Timestamp;
use futures::future::try_join_all;

use crate::output;
use crate::stack::{Stack, output_of};

/// The functions that have a queue of dead letters. sweep has no queue before it: a schedule invokes it.
pub(super) const FUNCTIONS: [&str; 8] =
    ["plan", "test", "build", "publish", "deploy", "verify", "notify", "sweep"];

/// How long a message stays hidden, in seconds, when it cannot be given back, such as after a Ctrl-C.
const HIDDEN: i32 = 60;

/// The longest wait for a message that is not there, in seconds; without any, SQS asks only some of its servers.
const WAIT: i32 = 1;

/// The most messages of one queue that are read at once.
const MOST: usize = 1000;

/// The most messages of one request.
const BATCH: usize = 10;

/// A message that was set aside.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// SQS's id.
    pub(super) id: String,
    /// The function that it was for.
    pub(super) function: &'static str,
    pub(super) body: String,
    /// When it was sent. SQS keeps the first time where a queue itself moved it.
    pub(super) sent: Timestamp,
    /// How often it was received from this queue; looking counts too.
    pub(super) receives: u32,
    /// The attributes that are texts, such as `reason`.
    pub(super) attributes: BTreeMap<String, String>,
    url: String,
    receipt: String,
}

impl Letter {
    /// Why it lies there: what its function said, or what EventBridge said.
    pub(super) fn reason(&self) -> Option<&str> {
        let told =
            ["reason", "ERROR_MESSAGE", "ERROR_CODE"].iter().find_map(|name| self.attributes.get(*name));
        told.map(String::as_str)
    }

    /// The queue that it goes back to.
    pub(super) fn source(&self) -> anyhow::Result<QueueName> {
        let queue = QueueName::ALL.into_iter().find(|queue| queue.function() == self.function);
        queue.with_context(|| {
            format!(
                "`{}` has no queue to send {} to: the next schedule invokes it; drop the message",
                self.function, self.id
            )
        })
    }
}

/// What was seen in one queue.
#[derive(Debug)]
pub(super) struct Seen {
    /// The function whose dead letters these are.
    pub(super) function: &'static str,
    /// The oldest first.
    pub(super) letters: Vec<Letter>,
    /// How many SQS believes there are.
    pub(super) depth: usize,
}

/// The dead-letter queues of a stack.
pub(super) struct Letters {
    client: Client,
    stack: Stack,
    queues: Vec<(&'static str, String)>,
}

impl Letters {
    /// Those of the stack, or of one of its functions.
    pub(super) async fn of(stack: Stack, only: Option<&str>) -> anyhow::Result<Self> {
        let client = Client::new(&stack.config);
        let wanted = FUNCTIONS.into_iter().filter(|function| only.is_none_or(|only| only == *function));
        let queues =
            wanted.map(async |function| anyhow::Ok((function, url(&client, &stack.name, function).await?)));
        let queues = try_join_all(queues).await?;
        Ok(Self { client, stack, queues })
    }

    /// Everything there is, given back at once.
    pub(super) async fn look(&self) -> anyhow::Result<Vec<Seen>> {
        try_join_all(self.queues.iter().map(async |(function, url)| {
            let depth = self.depth(url).await?;
            let letters = self.receive_all(function, url).await?;
            self.give_back(&letters).await;
            anyhow::Ok(Seen { function, depth: depth.max(letters.len()), letters })
        }))
        .await
    }

    /// The one message whose id begins like that, given back.
    pub(super) async fn find(&self, prefix: &str) -> anyhow::Result<Letter> {
        let seen = self.look().await?;
        let mut found =
            seen.into_iter().flat_map(|seen| seen.letters).filter(|letter| letter.id.starts_with(prefix));
        let Some(letter) = found.next() else {
            bail!("no dead letter has an id that begins with `{prefix}`; `slipway dlq list` names them")
        };
        let others: Vec<String> = found.map(|letter| letter.id).collect();
        if !others.is_empty() {
            bail!(
                "`{prefix}` is the beginning of {} and of {}; write more of it",
                letter.id,
                others.join(", ")
            );
        }
        Ok(letter)
    }

    /// The message with that id, hidden from others until it is deleted or a minute is over.
    pub(super) async fn take(&self, id: &str) -> anyhow::Result<Letter> {
        let (mut taken, others): (Vec<_>, Vec<_>) =
            self.take_all().await?.into_iter().partition(|letter| letter.id == id);
        self.give_back(&others).await;
        taken.pop().with_context(|| format!("{id} is gone: somebody else has just taken it"))
    }

    /// Every message, hidden from others until it is deleted or a minute is over.
    pub(super) async fn take_all(&self) -> anyhow::Result<Vec<Letter>> {
        let queues = self.queues.iter().map(|(function, url)| self.receive_all(function, url));
        Ok(try_join_all(queues).await?.concat())
    }

    /// Makes messages visible again. They come back by themselves where this fails.
    pub(super) async fn give_back(&self, letters: &[Letter]) {
        for batch in letters.chunk_by(|one, other| one.url == other.url).flat_map(|same| same.chunks(BATCH)) {
            if let Err(error) = self.give_back_batch(batch).await {
                output::progress(&format!("some messages come back in {HIDDEN} s only: {error:#}"));
            }
        }
    }

    /// Sends a body to the queue that the letter came from, then takes the letter out.
    pub(super) async fn redrive(&self, letter: &Letter, body: &str) -> anyhow::Result<()> {
        let output = output_of(letter.source()?);
        let outputs = self.stack.outputs().await?;
        let name = &self.stack.name;
        let url =
            outputs.get(&output).with_context(|| format!("the stack `{name}` has no output `{output}`"))?;
        let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
        sent.with_context(|| format!("{} cannot be sent to `{url}`; it stays where it is", letter.id))?;
        self.delete(letter).await.with_context(|| format!("{} was sent, but lies there still", letter.id))
    }

    /// Takes a letter out.
    pub(super) async fn delete(&self, letter: &Letter) -> anyhow::Result<()> {
        let delete = self.client.delete_message().queue_url(&letter.url).receipt_handle(&letter.receipt);
        delete.send().await.with_context(|| format!("deleting {}", letter.id))?;
        Ok(())
    }

    async fn depth(&self, url: &str) -> anyhow::Result<usize> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let answer =
            self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
        let answer = answer.with_context(|| format!("reading the attributes of `{url}`"))?;
        Ok(answer.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or_default())
    }

    /// Pages until nothing new comes.
    async fn receive_all(&self, function: &'static str, url: &str) -> anyhow::Result<Vec<Letter>> {
        let (mut letters, mut known) = (Vec::new(), BTreeSet::new());
        while letters.len() < MOST {
            let request = self.client.receive_message().queue_url(url).max_number_of_messages(10);
            let request = request.visibility_timeout(HIDDEN).wait_time_seconds(WAIT);
            let answer = request
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .with_context(|| format!("reading `{url}`"))?;
            let new = answer.messages().iter().filter_map(|message| letter(function, url, message));
            let new: Vec<Letter> = new.filter(|letter| known.insert(letter.id.clone())).collect();
            if new.is_empty() {
                break;
            }
            letters.extend(new);
        }
        letters.sort_by_key(|letter: &Letter| (letter.sent, letter.id.clone()));
        Ok(letters)
    }

    async fn give_back_batch(&self, batch: &[Letter]) -> anyhow::Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let entry = |(number, letter): (usize, &Letter)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(&letter.receipt)
                .visibility_timeout(0)
                .build()
        };
        let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let request = self.client.change_message_visibility_batch().queue_url(&first.url);
        let answer = request.set_entries(Some(entries)).send().await?;
        if let Some(failed) = answer.failed().first() {
            bail!("{}: {}", failed.code(), failed.message().unwrap_or("no message"));
        }
        Ok(())
    }
}

/// The URL of a function's dead letters, by the name that the template gives them.
async fn url(client: &Client, stack: &str, function: &str) -> anyhow::Result<String> {
    let name = format!("{stack}-{function}-dead-letters");
    let answer = client.get_queue_url().queue_name(&name).send().await.map_err(SdkError::into_service_error);
    let answer = answer.with_context(|| {
        format!("the queue `{name}` is not found; is `{stack}` the name of a Slipway stack in this region?")
    })?;
    answer.queue_url.context("SQS answers with a URL")
}

fn letter(function: &'static str, url: &str, message: &Message) -> Option<Letter> {
    let system = |name| message.attributes().and_then(|all| all.get(&name)).map(String::as_str);
    let number = |name| system(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let attributes = message.message_attributes().into_iter().flatten();
    let text = |(name, value): (&String, &aws_sdk_sqs::types::MessageAttributeValue)| {
        Some((name.clone(), value.string_value()?.to_owned()))
    };
    Some(Letter {
        id: message.message_id()?.to_owned(),
        function,
        body: message.body()?.to_owned(),
        sent: Timestamp(number(MessageSystemAttributeName::SentTimestamp)),
        receives: u32::try_from(number(MessageSystemAttributeName::ApproximateReceiveCount))
            .unwrap_or(u32::MAX),
        attributes: attributes.filter_map(text).collect(),
        url: url.to_owned(),
        receipt: message.receipt_handle()?.to_owned(),
    })
}
