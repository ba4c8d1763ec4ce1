//! What a commit may be the newest of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BranchName, InvalidName};

/// What a commit may be the newest of. A run lives as long as somebody claims it: the line whose newest commit it
/// judges.
///
/// Text form: `branch:develop`, `tag:v1.2.0`, `pull:12`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Line {
    /// A branch of the repository itself, a merge queue's among them.
    Branch(BranchName),
    /// A tag; its name follows a branch's rules.
    Tag(BranchName),
    /// A pull request, by its number.
    Pull(u64),
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(formatter, "branch:{name}"),
            Self::Tag(name) => write!(formatter, "tag:{name}"),
            Self::Pull(number) => write!(formatter, "pull:{number}"),
        }
    }
}

impl FromStr for Line {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new("line", value, "`branch:<name>`, `tag:<name>` or `pull:<number>`");
        let (kind, name) = value.split_once(':').ok_or_else(invalid)?;
        match kind {
            "branch" => Ok(Self::Branch(name.parse()?)),
            "tag" => Ok(Self::Tag(name.parse()?)),
            "pull" => name.parse().map(Self::Pull).map_err(|_| invalid()),
            _ => Err(invalid()),
        }
    }
}
