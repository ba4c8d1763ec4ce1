//! What people do with a run: they run its tasks again, and revive those that are stuck.

use std::cell::Cell;
use std::time::Duration;

use domain::ids::{RunId, Stage, TaskId};
use domain::message::{Message, QueueName};
use domain::rerun::Rerun;
use domain::run::{RunOutcome, RunState};
use domain::task::{Outcome, State};
use proptest::prelude::*;
use testkit::builders::{a_push, a_sha, name};
use testkit::fakes::{FakeBuild, World};

use crate::fates::end_build;
use crate::functions::Functions;
use crate::scenario::{Scenario, disturbances, ending};
use crate::scheduler::{Disturbance, Fates, Scheduler};
use crate::tidy::{config, settled};

/// Builds of one task are red until somebody mends the cause.
struct RedUntilMended {
    task: TaskId,
    mended: Cell<bool>,
}

impl Fates for RedUntilMended {
    fn end(&self, world: &World, build: &FakeBuild) -> Option<FakeBuild> {
        end_build(world, build, |task| *task == self.task && !self.mended.get())
    }
}

fn run() -> RunId {
    name(&format!("vive-sphere.bot-manager.{}", a_sha(1)))
}

fn again(world: &World, task: &TaskId, request: &str, cascade: bool) {
    let rerun =
        Rerun { run: run(), task: task.clone(), request: Some(name(request)), cascade, dry_run: false };
    let body = serde_json::to_string(&Message::Rerun(rerun)).expect("plain data");
    world.queue.put(QueueName::Stage(task.stage), &body, Duration::ZERO);
}

/// Commit 1 comes to its end, and what people ask then comes to its own on a disturbed day.
fn play(fates: &dyn Fates, disturbance: &Disturbance, ask: impl Fn(&World)) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let push = a_push("develop", None, &a_sha(1));
    Scenario::good(2).prepare(&world, 1);
    let mut first = Scheduler::new(&world, &functions, fates, &Disturbance::default());
    first.post(&push);
    first.run()?;
    drop(first);
    ask(&world);
    let begun = world.wire.calls().len();
    let troubles =
        disturbance.troubles.iter().map(|(number, trouble)| (begun + number / 4, *trouble)).collect();
    let disturbance = Disturbance { troubles, losses: 0, ..disturbance.clone() };
    let mut second = Scheduler::new(&world, &functions, fates, &disturbance);
    second.run()?;
    drop(second);
    Ok(world)
}

fn attempts(world: &World, task: &TaskId) -> u32 {
    let tasks = world.store.tasks_of(&run());
    tasks.into_iter().find(|known| known.id == *task).map_or(0, |task| task.attempt)
}

fn tasks() -> impl Strategy<Value = TaskId> {
    let ids = [
        "test/service-1",
        "test/+checks",
        "build/service-2",
        "publish/service-1",
        "deploy/service-1@development",
        "verify/service-2@development",
    ];
    prop::sample::select(ids.to_vec()).prop_map(name)
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_task_that_had_not_passed_continues_its_run(
        red in prop::sample::select(vec!["test/service-1", "test/+integration", "build/service-2"]),
        disturbance in disturbances(),
    ) {
        let fates = RedUntilMended { task: name(red), mended: Cell::new(false) };
        let world = play(&fates, &disturbance, |world| {
            assert_eq!(ending(world, 1).state, RunState::Finished(RunOutcome::Failed));
            fates.mended.set(true);
            // The operator is impatient: the same request twice, and a plain wake.
            again(world, &fates.task, "request-1", false);
            again(world, &fates.task, "request-1", false);
            let wake = serde_json::to_string(&Message::wake(&run(), &fates.task)).expect("plain data");
            world.queue.put(QueueName::Stage(fates.task.stage), &wake, Duration::ZERO);
        })
        .map_err(TestCaseError::fail)?;
        settled(&world)?;
        let end = ending(&world, 1);
        prop_assert_eq!(&end.state, &RunState::Finished(RunOutcome::Passed));
        prop_assert!(end.tasks.values().all(|task| *task == Ok(Outcome::Passed)), "{:?}", end.tasks);
        prop_assert_eq!(attempts(&world, &fates.task), 2);
        prop_assert_eq!(world.queue.dead(), vec![]);
    }

    #[test]
    fn a_task_that_had_passed_runs_alone_or_with_what_follows(
        task in tasks(),
        cascade in any::<bool>(),
        disturbance in disturbances(),
    ) {
        let nothing = RedUntilMended { task: name("test/nobody"), mended: Cell::new(true) };
        let world = play(&nothing, &disturbance, |world| again(world, &task, "request-1", cascade))
            .map_err(TestCaseError::fail)?;
        settled(&world)?;
        let end = ending(&world, 1);
        prop_assert_eq!(&end.state, &RunState::Finished(RunOutcome::Passed));
        prop_assert!(world.store.heads().iter().all(|head| head.reruns.is_empty() && head.due.is_none()));
        for known in world.store.tasks_of(&run()) {
            let same = known.id.subject == task.subject;
            let follows = same && known.id.stage > task.stage && task.subject.service().is_some();
            // Who deploys also verifies.
            let verifies = same && task.stage == Stage::Deploy && known.id.stage == Stage::Verify;
            let again = known.id == task || verifies || (cascade && follows);
            prop_assert_eq!(known.attempt, if again { 2 } else { 1 }, "{}", known.id);
            prop_assert!(matches!(known.state, State::Done { .. }), "{} is {:?}", known.id, known.state);
        }
        prop_assert_eq!(world.queue.dead(), vec![]);
    }

    #[test]
    fn a_stuck_task_is_told_left_alone_and_revived(
        call in prop::sample::select(vec!["builds.start", "images.tag", "cluster.apply", "cluster.probe"]),
        disturbance in disturbances(),
    ) {
        let world = World::new();
        let functions = Functions::new(&world);
        let nothing = RedUntilMended { task: name("test/nobody"), mended: Cell::new(true) };
        let push = a_push("develop", None, &a_sha(1));
        Scenario::good(2).prepare(&world, 1);
        world.wire.down(call);
        let mut first = Scheduler::new(&world, &functions, &nothing, &Disturbance::default());
        first.post(&push);
        let rested = first.run();
        drop(first);
        prop_assert!(rested.is_ok(), "{:#?}\n{:?}", world.store.tasks_of(&run()).iter().map(|task| (task.id.to_string(), task.state.clone(), task.failures)).collect::<Vec<_>>(), world.queue.dead());
        let dead = world.queue.dead();
        prop_assert!(!dead.is_empty());
        prop_assert!(dead.iter().all(|letter| letter.reason.as_ref().is_some_and(|why| why.contains("is stuck"))));
        prop_assert!(world.store.heads().iter().all(|head| head.due.is_none()), "sweep leaves it alone");

        world.wire.up(call);
        for letter in dead {
            // Redriven twice, as a person with two terminals may do.
            world.queue.put(letter.queue, &letter.body, Duration::ZERO);
            world.queue.put(letter.queue, &letter.body, Duration::ZERO);
        }
        let begun = world.wire.calls().len();
        let troubles = disturbance.troubles.iter().map(|(at, trouble)| (begun + at / 4, *trouble)).collect();
        let disturbance = Disturbance { troubles, losses: 0, ..disturbance };
        let mut second = Scheduler::new(&world, &functions, &nothing, &disturbance);
        second.run().map_err(TestCaseError::fail)?;
        drop(second);
        settled(&world)?;
        prop_assert_eq!(&ending(&world, 1).state, &RunState::Finished(RunOutcome::Passed));
        prop_assert!(world.store.tasks_of(&run()).iter().all(|task| task.attempt == 1));
    }
}
