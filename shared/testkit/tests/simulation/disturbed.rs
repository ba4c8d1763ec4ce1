//! One run under every disturbance.

use crate::scenario::{Scenario, disturbances, ending, scenarios};
use crate::scheduler::Disturbance;
use crate::tidy::{config, tidy};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_disturbed_run_ends_as_on_a_good_day(scenario in scenarios(), disturbance in disturbances()) {
        let good = scenario.play(&Disturbance::default()).map_err(TestCaseError::fail)?;
        tidy(&good)?;
        let disturbed = scenario.play(&disturbance).map_err(TestCaseError::fail)?;
        prop_assert_eq!(ending(&disturbed, 1), ending(&good, 1));
        tidy(&disturbed)?;
    }
}

#[test]
fn a_good_day_ends_well() {
    let world = Scenario::good(3).play(&Disturbance::default()).expect("it comes to rest");
    let ending = ending(&world, 1);
    assert_eq!(ending.state, domain::run::RunState::Finished(domain::run::RunOutcome::Passed));
    assert_eq!(ending.tasks.len(), 5 + 4 * 3);
}
