//! Two commits of the same content: what has passed is not tested again, and what has not is.

use std::collections::BTreeMap;

use domain::ids::{Stage, TaskId};
use domain::run::{RunOutcome, RunState};
use domain::task::Outcome;
use proptest::prelude::*;
use testkit::builders::{a_commit, a_push, a_sha, name};
use testkit::fakes::World;

use crate::functions::Functions;
use crate::scenario::{Scenario, disturbances, ending, scenarios};
use crate::scheduler::{Disturbance, Scheduler};
use crate::tidy::{config, settled};

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn only_what_has_not_passed_is_tested_again(scenario in scenarios(), disturbance in disturbances()) {
        let scenario = Scenario { delivers: false, ..scenario };
        let world = play(&scenario, &disturbance).map_err(TestCaseError::fail)?;
        settled(&world)?;
        let (first, second) = (ending(&world, 1), ending(&world, 2));
        prop_assert_eq!(&second.tasks, &first.tasks, "the same content, the same verdicts");
        let state = |red: bool| RunState::Finished(if red { RunOutcome::Failed } else { RunOutcome::Passed });
        let red = first.tasks.values().any(|task| *task == Ok(Outcome::Failed));
        prop_assert_eq!((&first.state, &second.state), (&state(red), &state(red)));

        let mut built: BTreeMap<TaskId, usize> = BTreeMap::new();
        for build in world.tests.all() {
            if build.request.attempts[0].run.sha == a_sha(2) {
                for attempt in build.request.attempts {
                    *built.entry(attempt.task).or_insert(0) += 1;
                }
            }
        }
        for (task, outcome) in &first.tasks {
            let expected = usize::from(*outcome != Ok(Outcome::Passed));
            prop_assert_eq!(built.get(task).copied().unwrap_or(0), expected, "builds of {}", task);
        }
        for task in world.store.tasks_of(&name(&format!("vive-sphere.bot-manager.{}", a_sha(2)))) {
            let earned = task.reused.map(|run| run.sha);
            let passed = first.tasks[&task.id] == Ok(Outcome::Passed) && task.id.stage == Stage::Test;
            prop_assert_eq!(earned, passed.then(|| a_sha(1)), "{}", task.id);
        }
    }
}

/// Commit 2 comes when commit 1 has ended, and holds the same files.
fn play(scenario: &Scenario, disturbance: &Disturbance) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let branch = scenario.branch();
    let pushes = [a_push(branch, None, &a_sha(1)), a_push(branch, Some(&a_sha(1)), &a_sha(2))];
    let mut scheduler = Scheduler::new(&world, &functions, scenario, disturbance);
    for (number, push) in (1..).zip(&pushes) {
        world.github.push(branch, &a_sha(number), a_commit(&scenario.plan()));
        scheduler.post(push);
        scheduler.run()?;
    }
    drop(scheduler);
    Ok(world)
}
