//! Tests that are run again after a run that passed: the roll-up says how they stand now.

use domain::ports::CheckState;
use domain::run::{Run, RunOutcome, RunState};

use crate::checks;
use crate::story::{broken, checked, run, tested};

/// State and title of the roll-up.
fn roll_up(run: &Run, tasks: &[domain::task::Task]) -> (CheckState, String) {
    let check = checks(run, tasks).swap_remove(0);
    (check.state, check.title)
}

#[test]
fn a_test_that_fails_when_it_is_run_again_turns_the_roll_up_red() {
    let passed = Run { delivery: None, ..run(RunState::Finished(RunOutcome::Passed)) };
    let green = [checked("test/+checks"), tested("test/users", 61)];
    assert_eq!(roll_up(&passed, &green), (CheckState::Success, "Passed in 3 min 12 s".to_owned()));

    let again = Run { reruns: vec![green[1].id.clone()], ..passed.clone() };
    let running = (CheckState::InProgress, "Passed, and tests are run again".to_owned());
    assert_eq!(roll_up(&again, &green), running);

    let red = [checked("test/+checks"), broken("test/users", "assert 200 == 401", &[])];
    let failed = (CheckState::Failure, "Passed in 3 min 12 s, but 1 test failed when run again".to_owned());
    assert_eq!(roll_up(&passed, &red), failed);
}
