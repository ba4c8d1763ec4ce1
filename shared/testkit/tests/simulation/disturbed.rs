//! One run under every disturbance.

use std::collections::BTreeMap;

use domain::run::Onset;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use testkit::fakes::{Trouble, World};

use crate::scenario::{Scenario, disturbances, ending, scenarios};
use crate::scheduler::Disturbance;

fn config() -> Config {
    Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_disturbed_run_ends_as_on_a_good_day(scenario in scenarios(), disturbance in disturbances()) {
        let good = scenario.play(&Disturbance::default()).map_err(TestCaseError::fail)?;
        tidy(&good)?;
        let disturbed = scenario.play(&disturbance).map_err(TestCaseError::fail)?;
        prop_assert_eq!(ending(&disturbed, 1), ending(&good, 1));
        tidy(&disturbed)?;
    }
}

/// What holds after every run, however it went.
fn tidy(world: &World) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.store.lock_holders(), vec![], "the lock is free");
    prop_assert!(world.queue.is_empty(), "nothing waits");
    for project in [&world.tests, &world.image_builds] {
        let mut started = BTreeMap::new();
        for build in project.all() {
            *started.entry(build.request.attempt.to_string()).or_insert(0) += 1;
        }
        started.retain(|_, count| *count > 1);
        prop_assert!(started.is_empty(), "built more than once: {:?}", started);
    }
    each_opening_once(world)?;
    said_once(world)
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
    let messages = world.chat.messages();
    let threads = messages.iter().filter(|message| message.thread.is_none()).count();
    let ends = messages.len() - threads;
    for (what, count) in [("thread", threads), ("end", ends), ("mail", world.post.mails().len())] {
        prop_assert!(count >= 1, "no {}", what);
        prop_assert!(count <= 1 + troubles, "{} of {} after {} troubles", count, what, troubles);
    }
    Ok(())
}

#[test]
fn a_good_day_ends_well() {
    let world = Scenario::good(3).play(&Disturbance::default()).expect("it comes to rest");
    let ending = ending(&world, 1);
    assert_eq!(ending.state, domain::run::RunState::Finished(domain::run::RunOutcome::Passed));
    assert_eq!(ending.tasks.len(), 5 + 4 * 3);
}
