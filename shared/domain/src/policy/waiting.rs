//! The order of those that wait for an environment.

use serde::{Deserialize, Serialize};

/// Which of the rollouts that wait for an environment, while another one has it, have their turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// The newest; those before it are superseded.
    #[default]
    Newest,
    /// Each, the oldest first.
    InOrder,
}
