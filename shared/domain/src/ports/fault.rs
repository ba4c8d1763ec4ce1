//! What a port answers: the thing itself, or a fault that says what the caller may do.

use std::time::Duration;

/// A port call that did not succeed, with what the caller may do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// Retry or not.
    pub advice: Advice,
    /// What was tried, for people: lower case, no full stop, no secret.
    pub what: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller may do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try again, after the given time where the other side said one.
    Retry(Option<Duration>),
    /// The same call will be refused again.
    Reject,
}

impl Fault {
    /// A fault that may pass.
    pub fn retry(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { advice: Advice::Retry(None), what: what.into(), source: Some(source.into()) }
    }

    /// A fault that will not pass.
    pub fn reject(what: impl Into<String>) -> Self {
        Self { advice: Advice::Reject, what: what.into(), source: None }
    }

    /// The same as a part of what was tried.
    #[must_use]
    pub fn within(self, what: &str) -> Self {
        Self { what: format!("{what}: {}", self.what), ..self }
    }

    /// The fault and its causes in one line.
    pub fn chain(&self) -> String {
        let mut line = self.what.clone();
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

/// The answer of a port.
pub type Answer<T> = Result<T, Fault>;

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It is there.
    Yes,
    /// Somebody else wrote first; read again.
    Conflict,
}
