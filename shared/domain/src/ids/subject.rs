//! What a task is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidName, ServiceName};

/// What a task is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// One service or component.
    Service(ServiceName),
    /// The repository-wide checks (flake8, bandit).
    Checks,
    /// The integration tests.
    Integration,
    /// The manifests of the run that a build renders.
    Manifests,
    /// The way back of one service to its last verified release.
    Rollback(ServiceName),
}

impl Subject {
    /// The service it is about, where it is about one.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Service(name) | Self::Rollback(name) => Some(name),
            Self::Checks | Self::Integration | Self::Manifests => None,
        }
    }

    /// Whether it is a way back.
    pub fn is_rollback(&self) -> bool {
        matches!(self, Self::Rollback(_))
    }
}

/// What the subject of a way back ends with.
const ROLLBACK_SUFFIX: &str = "+rollback";

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => name.fmt(formatter),
            // `+` is in no service's name, so these never collide with one.
            Self::Checks => formatter.write_str("+checks"),
            Self::Integration => formatter.write_str("+integration"),
            Self::Manifests => formatter.write_str("+manifests"),
            Self::Rollback(name) => write!(formatter, "{name}{ROLLBACK_SUFFIX}"),
        }
    }
}

impl FromStr for Subject {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        match value {
            "+checks" => Ok(Self::Checks),
            "+integration" => Ok(Self::Integration),
            "+manifests" => Ok(Self::Manifests),
            name => match name.strip_suffix(ROLLBACK_SUFFIX) {
                Some(service) => service.parse().map(Self::Rollback),
                None => name.parse().map(Self::Service),
            },
        }
    }
}
