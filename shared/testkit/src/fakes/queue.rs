//! Standard SQS queues: messages come at least once, in no order, become invisible while they are handled, and end
//! in the dead-letter queue when they come back too often.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::message::{Outgoing, QueueName};
use domain::ports::{Answer, Fault, Queue, Redelivery, printable_reason};
use domain::time::Timestamp;

use super::clock::Clock;
use super::shared::Shared;
use super::wire::Wire;

/// How long a received message stays invisible.
pub const VISIBILITY: Duration = Duration::from_mins(6);

/// The most messages of one request, small so that tests see a send that is cut in two.
const BATCH: usize = 3;

/// After so many receives a message is dead, as in template.yaml.
fn most_receives(queue: QueueName) -> u32 {
    match queue {
        QueueName::Plan | QueueName::Stage(_) => 10,
        QueueName::Notify => 20,
    }
}

/// All of Slipway's queues. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryQueue {
    wire: Wire,
    clock: Clock,
    state: Shared<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: u64,
    messages: BTreeMap<u64, Message>,
    dead: Vec<DeadLetter>,
}

#[derive(Debug)]
struct Message {
    queue: QueueName,
    body: String,
    visible: Timestamp,
    receives: u32,
}

/// A message in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue it came from.
    pub queue: QueueName,
    /// Its body.
    pub body: String,
    /// Why its function set it aside; none where the queue itself moved it.
    pub reason: Option<String>,
}

/// A message in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The queue it came from.
    pub queue: QueueName,
    /// Its number: the same on every delivery.
    pub number: u64,
    /// Its body.
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
}

impl Received {
    /// SQS's id of the message.
    pub fn message_id(&self) -> String {
        format!("message-{}", self.number)
    }

    /// The receipt that [`Redelivery::delay`] takes.
    pub fn receipt(&self) -> String {
        self.number.to_string()
    }
}

impl MemoryQueue {
    /// Empty queues.
    pub fn new(wire: &Wire, clock: &Clock) -> Self {
        Self { wire: wire.clone(), clock: clock.clone(), state: Shared::default() }
    }

    /// Puts a text onto a queue, as EventBridge or an operator does.
    pub fn put(&self, queue: QueueName, body: &str, delay: Duration) {
        let visible = self.clock.now().after(delay);
        self.state.with(|state| state.push(queue, body.to_owned(), visible));
    }

    /// The numbers of the messages that could be received now.
    pub fn visible(&self) -> Vec<u64> {
        let now = self.clock.now();
        self.state.with(|state| {
            state
                .messages
                .iter()
                .filter(|(_, message)| message.visible <= now)
                .map(|(number, _)| *number)
                .collect()
        })
    }

    /// The numbers of the messages that could be received now from one queue.
    pub fn visible_on(&self, queue: QueueName) -> Vec<u64> {
        let now = self.clock.now();
        let visible = |message: &Message| message.queue == queue && message.visible <= now;
        self.state.with(|state| {
            state.messages.iter().filter(|(_, message)| visible(message)).map(|(number, _)| *number).collect()
        })
    }

    /// When the next message becomes visible, if any is not.
    pub fn next_visible(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        self.state.with(|state| {
            state.messages.values().map(|message| message.visible).filter(|visible| *visible > now).min()
        })
    }

    /// Takes a visible message into hands; none when it has come back too often and is dead now.
    pub fn receive(&self, number: u64) -> Option<Received> {
        let until = self.clock.now().after(VISIBILITY);
        self.state.with(|state| {
            let message = state.messages.get_mut(&number)?;
            message.receives += 1;
            message.visible = until;
            let (queue, body) = (message.queue, message.body.clone());
            let received = Received { queue, number, body, receives: message.receives };
            if message.receives <= most_receives(message.queue) {
                return Some(received);
            }
            state.messages.remove(&number);
            state.dead.push(DeadLetter { queue: received.queue, body: received.body, reason: None });
            None
        })
    }

    /// The message is done with, or lost.
    pub fn delete(&self, number: u64) {
        self.state.with(|state| state.messages.remove(&number));
    }

    /// SQS delivers it once more although somebody has it.
    pub fn duplicate(&self, number: u64) {
        let now = self.clock.now();
        self.state.with(|state| {
            if let Some(message) = state.messages.get_mut(&number) {
                message.visible = now;
            }
        });
    }

    /// The bodies that wait on a queue, visible or not.
    pub fn waiting(&self, queue: QueueName) -> Vec<String> {
        self.state.with(|state| {
            state
                .messages
                .values()
                .filter(|message| message.queue == queue)
                .map(|message| message.body.clone())
                .collect()
        })
    }

    /// How many messages were ever sent.
    pub fn sent(&self) -> u64 {
        self.state.with(|state| state.sent)
    }

    /// A visible message's queue and body, where it lies.
    pub fn body(&self, number: u64) -> Option<(QueueName, String)> {
        let shown = |message: &Message| (message.queue, message.body.clone());
        self.state.with(|state| state.messages.get(&number).map(shown))
    }

    /// How many messages wait on all queues.
    pub fn len(&self) -> usize {
        self.state.with(|state| state.messages.len())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What lies in the dead-letter queues.
    pub fn dead(&self) -> Vec<DeadLetter> {
        self.state.with(|state| state.dead.clone())
    }
}

impl State {
    fn push(&mut self, queue: QueueName, body: String, visible: Timestamp) {
        self.sent += 1;
        self.messages.insert(self.sent, Message { queue, body, visible, receives: 0 });
    }
}

impl Queue for MemoryQueue {
    async fn send(&self, messages: &[Outgoing]) -> Answer<()> {
        for batch in messages.chunks(BATCH) {
            let push = |state: &mut State| {
                for Outgoing { message, delay } in batch {
                    let body = serde_json::to_string(message).expect("messages are plain data");
                    state.push(message.queue(), body, self.clock.now().after(*delay));
                }
            };
            self.wire
                .call("queue.send", || {
                    self.state.with(push);
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

impl Redelivery for MemoryQueue {
    async fn delay(&self, receipt: &str, delay: Duration) -> Answer<()> {
        let visible = self.clock.now().after(delay);
        let change = |state: &mut State| {
            let message = receipt.parse().ok().and_then(|number: u64| state.messages.get_mut(&number));
            if let Some(message) = message {
                message.visible = visible;
            }
        };
        self.wire
            .call("queue.delay", || {
                self.state.with(change);
                Ok(())
            })
            .await
    }

    async fn set_aside(&self, body: &str, reason: &str) -> Answer<()> {
        let set_aside = |state: &mut State| {
            // All queues are one here: whose letters they are is told by the message in hands, or by what a function
            // wrote itself to be sent again.
            let in_hands = state.messages.values().find(|message| message.body == body);
            let written =
                || serde_json::from_str(body).ok().map(|message: domain::message::Message| message.queue());
            let queue = in_hands.map(|message| message.queue).or_else(written);
            let queue = queue.ok_or_else(|| Fault::reject("no queue holds such a message"))?;
            let (body, reason) = (body.to_owned(), Some(printable_reason(reason)));
            state.dead.push(DeadLetter { queue, body, reason });
            Ok(())
        };
        self.wire.call("queue.set_aside", || self.state.with(set_aside)).await
    }
}
