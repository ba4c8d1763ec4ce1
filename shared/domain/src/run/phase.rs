//! The phases of a run, and how many chains of each have ended.

use serde::{Deserialize, Serialize};

use crate::ids::Stage;

/// A group of tasks that must all pass before the next group begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Which one.
    pub kind: PhaseKind,
    /// Chains in it: one for each subject.
    pub total: u32,
    /// Chains that ended well.
    pub passed: u32,
    /// Chains that ended badly.
    pub failed: u32,
}

impl Phase {
    /// Whether every chain has ended.
    pub fn complete(&self) -> bool {
        self.passed + self.failed >= self.total
    }
}

/// The phases of a run. In each, a subject passes through a chain of one or two stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// test
    Test,
    /// build, then publish
    Image,
    /// deploy, then verify
    Rollout,
}

impl PhaseKind {
    /// The phase that a stage belongs to.
    pub fn of(stage: Stage) -> Self {
        match stage {
            Stage::Test => Self::Test,
            Stage::Build | Stage::Publish => Self::Image,
            Stage::Deploy | Stage::Verify => Self::Rollout,
        }
    }

    /// The stage that begins the chain.
    pub fn first_stage(self) -> Stage {
        match self {
            Self::Test => Stage::Test,
            Self::Image => Stage::Build,
            Self::Rollout => Stage::Deploy,
        }
    }
}
