//! Runs that nobody waits for any more, or that somebody cancels.

use std::time::Duration;

use domain::command::{About, Asked, Command};
use domain::ids::RunId;
use domain::message::{Message, QueueName};
use domain::ports::Permission;
use domain::run::{RunOutcome, RunState};
use domain::task::{Outcome, State};
use proptest::prelude::*;
use testkit::builders::{a_push, a_sha, name};
use testkit::fakes::World;

use crate::functions::Functions;
use crate::scenario::{Ending, Scenario, disturbances, ending, scenarios};
use crate::scheduler::{Disturbance, Scheduler};
use crate::tidy::{config, settled};

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn a_newer_commit_cancels_the_older_run_of_a_branch_that_is_delivered_nowhere(
        scenario in scenarios(),
        disturbance in disturbances(),
        between in 0_usize..300,
    ) {
        let scenario = Scenario { delivers: false, ..scenario };
        let good = scenario.play(&Disturbance::default()).map_err(TestCaseError::fail)?;
        let world = pushed_twice(&scenario, &disturbance, between).map_err(TestCaseError::fail)?;
        settled(&world)?;
        prop_assert_eq!(ending(&world, 2), ending(&good, 1), "the newer one ends as if it were alone");
        cancelled_or(&world, &ending(&good, 1))?;
    }

    #[test]
    fn a_cancelled_run_ends_whenever_the_wish_comes(
        scenario in scenarios(),
        disturbance in disturbances(),
        between in 0_usize..600,
    ) {
        let good = scenario.play(&Disturbance::default()).map_err(TestCaseError::fail)?;
        let world = cancelled(&scenario, &disturbance, between).map_err(TestCaseError::fail)?;
        settled(&world)?;
        cancelled_or(&world, &ending(&good, 1))?;
    }
}

fn pushed_twice(scenario: &Scenario, disturbance: &Disturbance, between: usize) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let branch = scenario.branch();
    let pushes = [a_push(branch, None, &a_sha(1)), a_push(branch, Some(&a_sha(1)), &a_sha(2))];
    let mut scheduler = Scheduler::new(&world, &functions, scenario, disturbance);
    scenario.prepare(&world, 1);
    scheduler.post(&pushes[0]);
    scheduler.go(between);
    scenario.prepare(&world, 2);
    scheduler.post(&pushes[1]);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}

fn cancelled(scenario: &Scenario, disturbance: &Disturbance, between: usize) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    world.github.allow("ada", Permission::Write);
    let push = a_push(scenario.branch(), None, &a_sha(1));
    let mut scheduler = Scheduler::new(&world, &functions, scenario, disturbance);
    scenario.prepare(&world, 1);
    scheduler.post(&push);
    scheduler.go(between);
    let asked = Asked {
        delivery: name("cancel-1"),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        by: "ada".to_owned(),
        about: About::Run(run()),
        comment: None,
        commands: vec![Command::Cancel],
        tries: 0,
    };
    testkit::builders::recorded(&world, &asked.delivery);
    let body = serde_json::to_string(&Message::Asked(asked)).expect("plain data");
    world.queue.put(QueueName::Plan, &body, Duration::ZERO);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}

fn run() -> RunId {
    name(&format!("vive-sphere.bot-manager.{}", a_sha(1)))
}

/// Commit 1 was cancelled and left nothing open, or had come too far for that and ended as on a good day.
fn cancelled_or(world: &World, good: &Ending) -> Result<(), TestCaseError> {
    let end = ending(world, 1);
    if !matches!(end.state, RunState::Finished(RunOutcome::Cancelled(_))) {
        prop_assert_eq!(&end, good);
        return Ok(());
    }
    for task in world.store.tasks_of(&run()) {
        let at_rest = matches!(task.state, State::Pending | State::Done { .. });
        prop_assert!(at_rest, "{} is {:?}", task.id, task.state);
        let rollout = task.id.stage.has_environment() && task.state != State::Pending;
        prop_assert!(!rollout, "{} was begun in a cancelled run", task.id);
        if task.outcome() == Some(Outcome::Cancelled) {
            let of_task = |build: &testkit::fakes::FakeBuild| build.request.attempts[0] == task.attempt_id();
            for project in [&world.tests, &world.image_builds, &world.renders] {
                let late = project
                    .all()
                    .into_iter()
                    .filter(of_task)
                    .find(|build| build.status.state == domain::ports::BuildState::InProgress);
                prop_assert!(late.is_none(), "{} still builds", task.id);
            }
        }
    }
    Ok(())
}
