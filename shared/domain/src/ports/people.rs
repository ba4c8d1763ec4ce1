//! How people hear of a run: Slack and e-mail.

use std::future::Future;

use super::Answer;

/// Slack.
pub trait Chat: Send + Sync {
    /// Posts a message, into a thread where one is given; answers its timestamp.
    fn post(
        &self,
        channel: &str,
        thread: Option<&str>,
        text: &str,
    ) -> impl Future<Output = Answer<String>> + Send;
    /// Replaces a message.
    fn update(&self, channel: &str, timestamp: &str, text: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mail {
    /// Who gets it.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// E-mail.
pub trait Post: Send + Sync {
    /// Sends it.
    fn send(&self, mail: &Mail) -> impl Future<Output = Answer<()>> + Send;
}
