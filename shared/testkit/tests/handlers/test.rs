//! test.

use std::time::Duration;

use domain::ids::{AttemptId, Trust};
use domain::ports::{BuildRequest, BuildState, Builds};
use domain::run::PhaseKind;
use domain::run::Run;
use domain::task::{State, Task};
use lambda::{Case, StageWork as _};
use slipway_test::Tests;
use testkit::builders::{a_service, a_task, green_result, red_result};
use testkit::fakes::{FakeBuild, MemoryArtifacts, MemoryBuilds, MemoryStore, World};

use crate::{a_run_at, stored, tests_of, verdict, wake};

fn begin() -> (World, Task, Tests<MemoryStore, MemoryBuilds, MemoryArtifacts>) {
    let (world, _, task, work) = begin_of(Trust::Trusted);
    (world, task, work)
}

fn begin_of(trust: Trust) -> (World, Run, Task, Tests<MemoryStore, MemoryBuilds, MemoryArtifacts>) {
    let world = World::new();
    let mut head = a_run_at(PhaseKind::Test);
    head.id.trust = trust;
    let task = a_task(&head, "test/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let work = tests_of(&world);
    (world, head, task, work)
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
    insta::assert_snapshot!(ended(BuildState::TimedOut, None, None).await, @"Failed: the build took longer than its `timeout` allows");
    insta::assert_snapshot!(ended(BuildState::Stopped, None, None).await, @"Failed: the build was stopped");
}

#[tokio::test]
async fn a_build_that_the_machinery_broke_is_begun_anew_once() {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    let end = || {
        let build = world.tests.running().remove(0);
        world.tests.end(&build.id, BuildState::Fault, Some("PROVISIONING: no capacity"));
        build.request.attempts[0].attempt
    };
    assert_eq!(end(), 1);
    wake(&world, &task, &work).await;
    assert!(stored(&world, &task).mended, "{}", verdict(&world, &task));
    assert_eq!(end(), 2, "another attempt, so that it is not taken for the broken one");
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: CodeBuild itself failed: PROVISIONING: no capacity");
    assert_eq!(world.tests.all().len(), 2);
}

#[tokio::test]
async fn what_the_pipeline_file_asks_for_in_vain_is_the_verdict() {
    let reason =
        "the image `nothing:1` cannot be pulled; check `image` in the pipeline file: no such manifest";
    insta::assert_snapshot!(ended(BuildState::Refused, Some(reason), None).await, @"Failed: the image `nothing:1` cannot be pulled; check `image` in the pipeline file: no such manifest");
}

#[tokio::test]
async fn a_result_that_codebuild_did_not_upload_proves_nothing() {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    let build = world.tests.running().remove(0);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), green_result());
    world.tests.end_leaving(&build.id, BuildState::Succeeded, &red_result());
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: the build left no `junit.xml`");
}

#[tokio::test]
async fn a_result_that_codebuild_uploaded_counts() {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    let build = world.tests.running().remove(0);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), green_result());
    world.tests.end_leaving(&build.id, BuildState::Succeeded, &green_result());
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: 3 tests passed, coverage 90.0 %");
}

#[tokio::test]
async fn a_strangers_build_runs_in_a_project_of_its_own_and_apart() {
    let (world, _, task, work) = begin_of(Trust::Untrusted);
    wake(&world, &task, &work).await;
    assert_eq!((world.tests.all().len(), world.untrusted.running().len()), (0, 1));
    let build = world.untrusted.running().remove(0);
    assert!(build.request.source.starts_with("bucket/untrusted/sources/"), "{}", build.request.source);
    assert!(build.request.result.starts_with("untrusted/results/"), "{}", build.request.result);
    // What a trusted run of the same commit left is not its result.
    let trusted = build.request.result.replace("untrusted/", "").replace(".untrusted", "");
    world.artifacts.store(&format!("{trusted}/result.zip"), green_result());
    world.artifacts.store(&format!("{}/result.zip", build.request.result), red_result());
    world.untrusted.end(&build.id, BuildState::Succeeded, None);
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: 1 of 2 tests failed");
}

/// The states of all builds, in the order of their starts.
fn states(builds: &[FakeBuild]) -> Vec<BuildState> {
    builds.iter().map(|build| build.status.state).collect()
}

#[tokio::test]
async fn stopping_ends_every_build_of_the_attempt_and_twice_is_harmless() {
    use BuildState::{InProgress, Stopped, Succeeded};

    for trust in [Trust::Trusted, Trust::Untrusted] {
        let (world, head, task, work) = begin_of(trust);
        let project = if trust == Trust::Trusted { &world.tests } else { &world.untrusted };
        let stop = async |task: &Task, handle: Option<&str>| {
            let case = Case { head: &head, task, previous: None, now: world.clock.now() };
            work.stop(&case, handle).await
        };
        stop(&task, None).await.expect("nothing was begun, and that is no fault");
        wake(&world, &task, &work).await;
        let request = project.all()[0].request.clone();
        // Starts whose answers were lost, and one of another attempt.
        for _ in 0..2 {
            world.clock.advance(Duration::from_mins(6));
            project.start(&request).await.expect("started");
        }
        let attempts = vec![AttemptId { attempt: 7, ..request.attempts[0].clone() }];
        let other = BuildRequest { attempts, ..request };
        project.start(&other).await.expect("started");

        let first = project.all()[0].id.clone();
        stop(&task, Some(&first)).await.expect("stopped");
        assert_eq!(states(&project.all()), [Stopped, Stopped, Stopped, InProgress], "{trust:?}");
        stop(&task, Some(&first)).await.expect("again");
        stop(&task, None).await.expect("and without its handle");
        stop(&task, Some("nobody:1")).await.expect("one that nobody knows");

        let again = Task { attempt: 7, ..task.clone() };
        let last = project.all()[3].id.clone();
        project.end(&last, Succeeded, None);
        stop(&again, Some(&last)).await.expect("one that has ended is no fault");
        assert_eq!(states(&project.all()), [Stopped, Stopped, Stopped, Succeeded], "it stays as it ended");
    }
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
