//! What people read: texts, and the Slack and SES channels that carry them.
