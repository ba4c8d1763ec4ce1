//! test.

use domain::ports::BuildState;
use domain::run::PhaseKind;
use domain::task::{State, Task};
use slipway_test::Tests;
use testkit::builders::{a_service, a_task, green_result, red_result};
use testkit::fakes::{MemoryArtifacts, MemoryBuilds, World};

use crate::{a_run_at, stored, verdict, wake};

fn begin() -> (World, Task, Tests<MemoryBuilds, MemoryArtifacts>) {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let task = a_task(&head, "test/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let work = Tests { builds: world.tests.clone(), artifacts: world.artifacts.clone() };
    (world, task, work)
}

/// Starts the build, ends it, and wakes the task again.
async fn ended(state: BuildState, reason: Option<&str>, result: Option<Vec<u8>>) -> String {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    let build = world.tests.running().remove(0);
    if let Some(result) = result {
        world.artifacts.store(&format!("{}/result.zip", build.request.result), result);
    }
    world.tests.end(&build.id, state, reason);
    wake(&world, &task, &work).await;
    verdict(&world, &task)
}

#[tokio::test]
async fn reports_are_judged() {
    insta::assert_snapshot!(ended(BuildState::Succeeded, None, Some(green_result())).await, @"Passed: 3 tests passed, coverage 90.0 %");
    insta::assert_snapshot!(ended(BuildState::Succeeded, None, Some(red_result())).await, @"Failed: 1 of 2 tests failed");
}

#[tokio::test]
async fn what_proves_nothing_does_not_pass() {
    insta::assert_snapshot!(ended(BuildState::Succeeded, None, None).await, @"Failed: the build left no `junit.xml`");
    insta::assert_snapshot!(ended(BuildState::Succeeded, None, Some(b"no zip".to_vec())).await, @"Failed: the build left no `junit.xml`");
    insta::assert_snapshot!(ended(BuildState::Failed, Some("INSTALL: exit status 1"), Some(green_result())).await, @"Failed: the build failed although its reports are green: INSTALL: exit status 1");
}

#[tokio::test]
async fn a_failure_of_the_machinery_is_named_as_such() {
    insta::assert_snapshot!(ended(BuildState::TimedOut, None, None).await, @"Failed: the build took longer than its project allows");
    insta::assert_snapshot!(ended(BuildState::Fault, Some("PROVISIONING: no capacity"), None).await, @"Failed: CodeBuild itself failed: PROVISIONING: no capacity");
    insta::assert_snapshot!(ended(BuildState::Stopped, None, None).await, @"Failed: the build was stopped");
}

#[tokio::test]
async fn a_full_account_is_waiting_and_no_failure() {
    let (world, task, work) = begin();
    world.tests.limit(0);
    wake(&world, &task, &work).await;
    let waiting = stored(&world, &task);
    assert!(matches!(waiting.state, State::Starting { .. }), "{:?}", waiting.state);
    assert_eq!((waiting.failures, waiting.timer.number), (0, 1));
}
