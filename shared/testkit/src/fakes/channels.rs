//! Slack and mail: channels without keys, where what is said twice is there twice.

use domain::ports::{Answer, Chat, Fault, Mail, Post};

use super::shared::Shared;
use super::wire::Wire;

/// Slack. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryChat {
    wire: Wire,
    messages: Shared<Vec<SlackMessage>>,
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackMessage {
    /// Its timestamp, which is its name.
    pub timestamp: String,
    /// The channel.
    pub channel: String,
    /// The message that it answers.
    pub thread: Option<String>,
    /// What it says now.
    pub text: String,
    /// How often it was replaced.
    pub edits: u32,
}

impl MemoryChat {
    /// A workspace without messages.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), messages: Shared::default() }
    }

    /// Every message in its order.
    pub fn messages(&self) -> Vec<SlackMessage> {
        self.messages.with(|messages| messages.clone())
    }
}

impl Chat for MemoryChat {
    async fn post(&self, channel: &str, thread: Option<&str>, text: &str) -> Answer<String> {
        self.wire
            .call("chat.post", || {
                Ok(self.messages.with(|messages| {
                    let timestamp = format!("{}.0", messages.len() + 1);
                    messages.push(SlackMessage {
                        timestamp: timestamp.clone(),
                        channel: channel.to_owned(),
                        thread: thread.map(str::to_owned),
                        text: text.to_owned(),
                        edits: 0,
                    });
                    timestamp
                }))
            })
            .await
    }

    async fn update(&self, channel: &str, timestamp: &str, text: &str) -> Answer<()> {
        self.wire
            .call("chat.update", || {
                self.messages.with(|messages| {
                    let wanted = |message: &&mut SlackMessage| {
                        message.channel == channel && message.timestamp == timestamp
                    };
                    let message = messages.iter_mut().find(wanted);
                    let message = message.ok_or_else(|| Fault::reject("message_not_found"))?;
                    (message.text, message.edits) = (text.to_owned(), message.edits + 1);
                    Ok(())
                })
            })
            .await
    }
}

/// A mailbox. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryPost {
    wire: Wire,
    mails: Shared<Vec<Mail>>,
}

impl MemoryPost {
    /// An empty mailbox.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), mails: Shared::default() }
    }

    /// Every mail in its order.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.with(|mails| mails.clone())
    }
}

impl Post for MemoryPost {
    async fn send(&self, mail: &Mail) -> Answer<()> {
        self.wire
            .call("post.send", || {
                self.mails.with(|mails| mails.push(mail.clone()));
                Ok(())
            })
            .await
    }
}
