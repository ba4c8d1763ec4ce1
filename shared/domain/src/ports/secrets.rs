//! Secrets, and a text that never shows itself.

use std::future::Future;

use super::Answer;

/// Secrets by name.
pub trait Secrets: Send + Sync {
    /// The secret's current text.
    fn secret(&self, id: &str) -> impl Future<Output = Answer<Secret>> + Send;
    /// The secret's text as it is now: for a caller whose credential was refused, because it may have been rotated.
    fn fresh(&self, id: &str) -> impl Future<Output = Answer<Secret>> + Send;
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
