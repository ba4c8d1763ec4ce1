//! Two commits on their way to one environment.

use std::collections::BTreeMap;

use domain::ids::Sha;
use domain::run::RunState;
use proptest::prelude::*;
use testkit::builders::{a_push, a_sha};
use testkit::fakes::World;

use crate::functions::Functions;
use crate::scenario::{Scenario, disturbances, scenarios};
use crate::scheduler::{Disturbance, Scheduler};
use crate::tidy::{config, tidy};

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn an_older_commit_never_overwrites_a_newer_one(
        scenario in scenarios(),
        disturbance in disturbances(),
        between in 0_usize..600,
    ) {
        let world = play(&scenario, &disturbance, between).map_err(TestCaseError::fail)?;
        tidy(&world)?;
        for head in world.store.heads() {
            prop_assert!(matches!(head.state, RunState::Finished(_)), "{} is {:?}", head.id, head.state);
        }
        forwards(&world)?;
    }
}

/// Commit 2 is pushed so many steps after commit 1.
fn play(scenario: &Scenario, disturbance: &Disturbance, between: usize) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let pushes =
        [a_push(scenario.branch(), None, &a_sha(1)), a_push(scenario.branch(), Some(&a_sha(1)), &a_sha(2))];
    // Between the last look at the lock and the apply lies one request; nobody stalls there for a whole run.
    let disturbance = Disturbance { stall: disturbance.stall.min(24), ..disturbance.clone() };
    let mut scheduler = Scheduler::new(&world, &functions, scenario, &disturbance);
    scenario.prepare(&world, 1);
    scheduler.post(&pushes[0]);
    scheduler.go(between);
    scenario.prepare(&world, 2);
    scheduler.post(&pushes[1]);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}

/// For each Deployment the commits were applied in their order.
fn forwards(world: &World) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for applied in world.cluster.applies() {
        let image =
            applied.object.pointer("/spec/template/spec/containers/0/image").and_then(|image| image.as_str());
        let Some((image, digest)) = image.and_then(|image| image.split_once('@')) else { continue };
        let tags = world.images.tags(image.split_once('/').map_or(image, |(_, name)| name));
        let commit = (1..=2).find(|number| {
            let sha: Sha = a_sha(*number);
            tags.get(sha.as_str()).is_some_and(|known| known.as_str() == digest)
        });
        let commit = commit.expect("every image was built from a commit");
        let before = last.insert(applied.name.name.clone(), commit).unwrap_or(0);
        prop_assert!(
            before <= commit,
            "{} went back from commit {} to {}",
            applied.name.name,
            before,
            commit
        );
    }
    Ok(())
}
