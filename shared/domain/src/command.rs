//! What people ask of a run from GitHub: comments, buttons and re-runs of checks.

mod check_name;
mod comment;

use serde::{Deserialize, Serialize};

pub use check_name::{Checked, checked_by};
pub use comment::commands;

use crate::ids::{DeliveryId, RepositoryName, RunId, Sha, Subject};

/// A person's wish, with what is needed to find out whether he may have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The webhook's delivery; what the request is known by, so that it is carried out once.
    pub delivery: DeliveryId,
    /// The repository whose installation sent it.
    pub repository: RepositoryName,
    /// The App installation.
    pub installation: u64,
    /// The login of who asks; whether he may is looked up at GitHub when the message is handled.
    pub by: String,
    /// What it is about.
    pub about: About,
    /// The comment that asks, to be answered; none for buttons and re-runs.
    pub comment: Option<u64>,
    /// What is asked, in order.
    pub commands: Vec<Command>,
    /// How often it had to wait because another side did not answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What a person's wish is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The newest commit of a pull request, by its number.
    Pull(u64),
    /// A commit, whoever offered it.
    Commit(Sha),
    /// A run.
    Run(RunId),
}

/// One thing asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `/retest`: every failed task again; where none has failed, nothing.
    Retest,
    /// `/test <service>`: one test again, also where its result was reused or it was not chosen.
    Test(Subject),
    /// GitHub's "Re-run all checks": every test again.
    TestAll,
    /// `/cancel`: stop the run.
    Cancel,
    /// `/ok-to-test <sha>`: admit exactly this commit of a stranger.
    OkToTest(Sha),
    /// It looks like a command and is none; the sentence says what to write instead.
    Malformed(String),
}
