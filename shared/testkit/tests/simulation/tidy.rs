//! What holds after every run, however it went.

use std::collections::BTreeMap;

use domain::run::Onset;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use testkit::fakes::{Trouble, World};

/// The same cases every time, few unless `PROPTEST_CASES` asks for more; `PROPTEST_RNG_SEED` gives others.
pub fn config(cases: u32) -> Config {
    let asked = Config::default();
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { asked.rng_seed };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    Config { rng_seed, cases, failure_persistence: None, ..asked }
}

/// Locks are free, queues are empty, nothing was done or said twice.
pub fn tidy(world: &World) -> Result<(), TestCaseError> {
    settled(world)?;
    each_opening_once(world)?;
    said_once(world)
}

/// Locks are free, queues are empty, and no attempt was built twice.
pub fn settled(world: &World) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.store.lock_holders(), vec![], "the lock is free");
    prop_assert!(world.queue.is_empty(), "nothing waits");
    for project in [&world.tests, &world.untrusted, &world.image_builds, &world.renders] {
        let mut started = BTreeMap::new();
        for build in project.all() {
            for attempt in build.request.attempts {
                *started.entry(attempt.to_string()).or_insert(0) += 1;
            }
        }
        started.retain(|_, count| *count > 1);
        prop_assert!(started.is_empty(), "built more than once: {:?}", started);
    }
    Ok(())
}

/// Fan-in opens each phase, and ends the run, exactly once.
fn each_opening_once(world: &World) -> Result<(), TestCaseError> {
    for head in world.store.heads() {
        let mut openings: Vec<Onset> = Vec::new();
        let mut before = None;
        for version in world.store.history(&head.id) {
            if version.opening != before {
                openings.extend(version.opening.iter().map(|opening| opening.what.clone()));
            }
            before = version.opening;
        }
        for (index, opening) in openings.iter().enumerate() {
            prop_assert!(!openings[..index].contains(opening), "opened twice: {:?}", openings);
        }
    }
    Ok(())
}

/// One check run of each name; one Slack thread and one mail, and at most one more for each trouble in telling.
fn said_once(world: &World) -> Result<(), TestCaseError> {
    let mut names = BTreeMap::new();
    for run in world.github.check_runs() {
        *names.entry((run.sha, run.check.name)).or_insert(0) += 1;
    }
    names.retain(|_, count| *count > 1);
    prop_assert!(names.is_empty(), "check runs twice: {:?}", names);

    let in_telling = |(call, trouble): &&(&str, Trouble)| {
        let is_crash = matches!(trouble, Trouble::CrashBefore | Trouble::CrashAfter);
        is_crash || call.starts_with("chat.") || call.starts_with("post.") || call.ends_with("_told")
    };
    let troubles = world.wire.met().iter().filter(in_telling).count();
    let runs = world.store.heads().len();
    let messages = world.chat.messages();
    let threads = messages.iter().filter(|message| message.thread.is_none()).count();
    let ends = messages.len() - threads;
    for (what, count) in [("threads", threads), ("ends", ends), ("mails", world.post.mails().len())] {
        prop_assert!(count >= runs, "{} {} of {} runs", count, what, runs);
        prop_assert!(count <= runs + troubles, "{} {} after {} troubles", count, what, troubles);
    }
    Ok(())
}
