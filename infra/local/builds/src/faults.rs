//! What can go wrong with CodeBuild on purpose: requests that fail, and events that are lost, doubled or late.
//!
//! A decision is a hash of the seed, the kind of request or event, and how often it came before.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::error::Refusal;

/// How much goes wrong.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// Decides, together with what is decided over.
    pub seed: u64,
    /// How many of a hundred requests fail.
    pub requests_percent: u64,
    /// How many of a hundred events are lost, doubled or late.
    pub events_percent: u64,
    /// How long an answer is held back that shall time out.
    pub hold: Duration,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiFault {
    Throttled,
    ErrorBefore,
    ErrorAfter,
    CutAfter,
    HeldAfter(Duration),
}

/// What goes wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventFault {
    Lost,
    Doubled,
    /// So late that the next one overtakes it.
    Late(Duration),
}

impl Disturbance {
    pub(crate) fn of_request(&self, operation: &str, number: u64) -> Option<ApiFault> {
        let dice = self.dice("request", operation, number);
        let fault = match dice.1 % 10 {
            0..3 => ApiFault::Throttled,
            3..5 => ApiFault::ErrorBefore,
            5..7 => ApiFault::ErrorAfter,
            7..9 => ApiFault::CutAfter,
            _ => ApiFault::HeldAfter(self.hold),
        };
        (dice.0 % 100 < self.requests_percent).then_some(fault)
    }

    pub(crate) fn of_event(&self, status: &str, number: u64) -> Option<EventFault> {
        let dice = self.dice("event", status, number);
        let fault = match dice.1 % 3 {
            0 => EventFault::Lost,
            1 => EventFault::Doubled,
            _ => EventFault::Late(Duration::from_millis(500 + dice.1 % 4000)),
        };
        (dice.0 % 100 < self.events_percent).then_some(fault)
    }

    fn dice(&self, kind: &str, name: &str, number: u64) -> (u64, u64) {
        let digest = Sha256::digest(format!("{} {kind} {name} {number}", self.seed));
        let word = |from: usize| {
            digest.iter().skip(from).take(7).fold(0, |word: u64, byte| (word << 8) | u64::from(*byte))
        };
        (word(0), word(7))
    }
}

impl ApiFault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::ErrorBefore => "error-before",
            Self::ErrorAfter => "error-after",
            Self::CutAfter => "cut-after",
            Self::HeldAfter(_) => "held-after",
        }
    }

    /// Whether the request has its effect although its answer is lost.
    pub(crate) fn has_effect(self) -> bool {
        !matches!(self, Self::Throttled | Self::ErrorBefore)
    }

    /// The wrong answer.
    pub(crate) async fn answer(self) -> Response {
        match self {
            Self::Throttled => Refusal::throttled().into_response(),
            Self::ErrorBefore | Self::ErrorAfter => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Self::CutAfter => cut(),
            Self::HeldAfter(hold) => {
                tokio::time::sleep(hold).await;
                cut()
            }
        }
    }
}

impl EventFault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lost => "event-lost",
            Self::Doubled => "event-doubled",
            Self::Late(_) => "event-late",
        }
    }
}

/// An answer that breaks off: the connection is closed in the middle of its body.
fn cut() -> Response {
    let broken = Err::<Bytes, _>(std::io::Error::other("cut off on purpose"));
    Response::new(Body::from_stream(futures::stream::iter([Ok(Bytes::from_static(b"{")), broken])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disturbance(seed: u64) -> Disturbance {
        Disturbance { seed, requests_percent: 5, events_percent: 30, hold: Duration::from_secs(1) }
    }

    #[test]
    fn a_seed_decides_alike_again_and_about_as_often_as_asked_for() {
        let decided = |seed| -> Vec<_> {
            (0..2000).map(|number| disturbance(seed).of_request("StartBuild", number)).collect()
        };
        assert_eq!(decided(1), decided(1));
        assert_ne!(decided(1), decided(2));
        let faults = decided(1).into_iter().flatten().count();
        assert!((60..140).contains(&faults), "{faults} of 2000");
        let events = (0..2000).filter_map(|number| disturbance(1).of_event("SUCCEEDED", number)).count();
        assert!((500..700).contains(&events), "{events} of 2000");
    }
}
