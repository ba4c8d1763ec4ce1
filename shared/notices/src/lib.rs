//! What people read: texts, and the Slack and SES channels that carry them.

mod mail;
mod slack;
pub mod text;

pub use crate::mail::Mailer;
pub use crate::slack::Slack;
