//! A push of which no webhook came.

use domain::run::Run;
use domain::tips::{GRACE, INTERVAL};
use proptest::prelude::*;
use testkit::builders::{a_push, a_sha, name};
use testkit::fakes::World;

use crate::functions::Functions;
use crate::scenario::{Scenario, disturbances, ending, scenarios};
use crate::scheduler::{Disturbance, Scheduler};
use crate::tidy::{config, tidy};

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_lost_webhook_is_repaired_by_the_tip_check(scenario in scenarios(), disturbance in disturbances()) {
        let told = play(&scenario, &Disturbance::default(), true).map_err(TestCaseError::fail)?;
        let lost = play(&scenario, &disturbance, false).map_err(TestCaseError::fail)?;
        prop_assert_eq!(ending(&lost, 2), ending(&told, 2));
        prop_assert!(found_by_the_tip_check(&lost));
        prop_assert!(!found_by_the_tip_check(&told));
        tidy(&lost)?;
    }
}

/// Commit 1 is pushed with a webhook; commit 2, half an hour later, with one or without.
fn play(scenario: &Scenario, disturbance: &Disturbance, told: bool) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let pushes =
        [a_push(scenario.branch(), None, &a_sha(1)), a_push(scenario.branch(), Some(&a_sha(1)), &a_sha(2))];
    // Between the last look at the lock and the apply lies one request; nobody stalls there for a whole run.
    let disturbance = Disturbance { stall: disturbance.stall.min(24), ..disturbance.clone() };
    let mut scheduler = Scheduler::new(&world, &functions, scenario, &disturbance);
    scenario.prepare(&world, 1);
    scheduler.post(&pushes[0]);
    scheduler.pass(INTERVAL * 2);
    scheduler.run()?;
    scenario.prepare(&world, 2);
    if told {
        scheduler.post(&pushes[1]);
    }
    // The next look, what a trouble may have put off, and the time for a late webhook.
    scheduler.pass(INTERVAL * 2 + GRACE * 2);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}

fn found_by_the_tip_check(world: &World) -> bool {
    let is_second = |head: &&Run| head.id.sha == a_sha(2);
    let heads = world.store.heads();
    let second = heads.iter().find(is_second).expect("commit 2 has a run");
    let noted = second.notes.iter().any(|note| note.starts_with("Found by the tip check"));
    assert_eq!(noted, second.origin.delivery == name(&format!("tip-{}", a_sha(2))));
    noted
}
