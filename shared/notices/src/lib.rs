//! What people read: texts, and the Slack and SES channels that carry them.

mod credentials;
mod mail;
mod slack;
pub mod text;

pub use crate::credentials::slack_token;
pub use crate::mail::Mailer;
pub use crate::slack::Slack;
