//! Which tests a change concerns, why, and what their results depend on.
//!
//! Pure: what changed comes from GitHub's comparison ([`Reach`]), what the commit holds from its zip ([`Contents`]),
//! and what each test reads from its plan ([`Reads`](crate::spec::Reads)).

mod contents;
mod image;
mod key;
mod reach;
mod reads;
mod rendering;
mod why;

pub use contents::{ContentHash, Contents, EntryKind};
pub use image::image_key;
pub use key::{KeyFacts, key};
pub use reach::Reach;
pub use rendering::{bases_in, kustomizations, manifests_key};

use crate::ids::Subject;
use crate::spec::Plan;
use crate::task::TaskSpec;

/// A test of the plan: what a change means for it, and what its result depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is tested.
    pub subject: Subject,
    /// Whether the change concerns it.
    pub affected: bool,
    /// Why, or why not, for people; without a full stop. Paths in it are cut and cleaned.
    pub why: String,
    /// What its result depends on: SHA-256 in hexadecimal.
    pub key: String,
}

/// Every test of the plan with what the change means for it, in the order of [`tasks_of`](crate::tasks::tasks_of).
pub fn choose(plan: &Plan, reach: &Reach<'_>, contents: &Contents, facts: &KeyFacts<'_>) -> Vec<Choice> {
    let choice = |(subject, spec): (Subject, TaskSpec)| {
        let (affected, why) = why::judged(&spec, reach);
        let key = key(&spec, contents, facts);
        Choice { subject, affected, why, key }
    };
    tests_of(plan).into_iter().map(choice).collect()
}

/// Every test of the plan, whether the change concerns it, and why.
pub fn affected(plan: &Plan, reach: &Reach<'_>) -> Vec<(Subject, bool, String)> {
    let judged = |(subject, spec): (Subject, TaskSpec)| {
        let (affected, why) = why::judged(&spec, reach);
        (subject, affected, why)
    };
    tests_of(plan).into_iter().map(judged).collect()
}

/// The tests of the plan, in the order of its tasks.
fn tests_of(plan: &Plan) -> Vec<(Subject, TaskSpec)> {
    let services = plan.services.iter().filter(|service| service.test.is_some());
    services
        .map(|service| (Subject::Service(service.name.clone()), TaskSpec::Service(service.clone())))
        .chain(plan.checks.iter().map(|checks| (Subject::Checks, TaskSpec::Checks(checks.clone()))))
        .chain(
            plan.integration
                .iter()
                .map(|integration| (Subject::Integration, TaskSpec::Integration(integration.clone()))),
        )
        .collect()
}

#[cfg(test)]
mod tests;
