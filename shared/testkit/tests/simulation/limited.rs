//! A run that may have only so many test builds at a time.

use std::cell::Cell;

use domain::run::{RunOutcome, RunState};
use domain::spec::Plan;
use proptest::prelude::*;
use testkit::builders::{a_commit, a_plan, a_push, a_sha, name};
use testkit::fakes::{FakeBuild, World};

use crate::fates::end_build;
use crate::functions::Functions;
use crate::scenario::{disturbances, ending};
use crate::scheduler::{Disturbance, Fates, Scheduler};
use crate::tidy::{config, settled};

/// All builds are green; the most that ran at a time are counted.
#[derive(Default)]
struct Counting {
    most: Cell<usize>,
}

impl Fates for Counting {
    fn end(&self, world: &World, build: &FakeBuild) -> Option<FakeBuild> {
        self.most.set(self.most.get().max(world.tests.running().len()));
        end_build(world, build, |_| false)
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn so_many_builds_run_at_a_time_and_all_come_to_their_turn(
        most in 1_u16..5,
        sharing in prop_oneof![Just(0_usize), 2..5_usize],
        disturbance in disturbances(),
    ) {
        let counting = Counting::default();
        let world = play(most, sharing, &counting, &disturbance).map_err(TestCaseError::fail)?;
        settled(&world)?;
        prop_assert_eq!(ending(&world, 1).state, RunState::Finished(RunOutcome::Passed));
        prop_assert!(counting.most.get() <= usize::from(most), "{} ran at a time", counting.most.get());
        let alone = 10 - sharing + usize::from(sharing > 0);
        prop_assert_eq!(world.tests.all().len(), alone, "eight services, checks and integration tests");
    }
}

#[test]
fn on_a_good_day_every_place_is_used() {
    let counting = Counting::default();
    play(3, 0, &counting, &Disturbance::default()).expect("it comes to rest");
    assert_eq!(counting.most.get(), 3);
}

/// Eight services, of which so many share a build.
fn play(most: u16, sharing: usize, fates: &Counting, disturbance: &Disturbance) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let push = a_push("feature", None, &a_sha(1));
    let group = (1..=sharing).map(|number| name(&format!("service-{number}"))).collect();
    let shared_builds = if sharing > 0 { vec![group] } else { Vec::new() };
    let plan = Plan { max_parallel_builds: Some(most), shared_builds, ..a_plan(8) };
    world.github.push("feature", &a_sha(1), a_commit(&plan));
    let mut scheduler = Scheduler::new(&world, &functions, fates, disturbance);
    scheduler.post(&push);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}
