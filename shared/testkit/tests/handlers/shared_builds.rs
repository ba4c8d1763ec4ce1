//! Tests that share a build.

use std::time::Duration;

use domain::ids::{ServiceName, Stage, TaskId};
use domain::message::{Ask, PlanRequest, Wake};
use domain::ports::{BuildState, Green, Greens as _};
use domain::report::TestReport;
use domain::run::PhaseKind;
use domain::spec::Plan;
use domain::task::Task;
use lambda::{Case, Disposition, StageWork as _};
use slipway_test::Tests;
use testkit::builders::{a_commit, a_plan, a_request, a_service, a_task, name, shared_result};
use testkit::fakes::{FakeBuild, MemoryArtifacts, MemoryBuilds, MemoryStore, World};

use crate::plan::plan;
use crate::{a_run_at, ask, stored, tests_of, verdict, wake};

struct Shared {
    world: World,
    tasks: [Task; 2],
    work: Tests<MemoryStore, MemoryBuilds, MemoryArtifacts>,
}

/// A run whose two services share a build.
fn begin() -> Shared {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let names = ["authentication", "fleet"];
    let tasks = names.map(|service| {
        let task = a_task(&head, &format!("test/{service}"), &a_service(service));
        Task { shares: names.map(name).to_vec(), ..task }
    });
    world.store.put(&head, &tasks);
    let work = tests_of(&world);
    Shared { world, tasks, work }
}

impl Shared {
    async fn wake_both(&self) {
        for task in &self.tasks {
            assert_eq!(wake(&self.world, task, &self.work).await, Disposition::Acknowledge);
        }
    }

    /// Ends the build, as its one event tells both.
    async fn end(&self, build: &FakeBuild, ended: BuildState, red: &[&str]) {
        let is_red = |task: &TaskId| red.contains(&task.to_string().as_str());
        let tasks = build.request.attempts.iter().map(|attempt| (&attempt.task, is_red(&attempt.task)));
        self.world.artifacts.store(&format!("{}/result.zip", build.request.result), shared_result(tasks));
        self.world.tests.end(&build.id, ended, Some("PROVISIONING: no capacity"));
        let wake_of = |task: &Task| Wake { run: task.run.clone(), task: task.id.clone(), timer: None };
        let told = Ask::Built(self.tasks.iter().map(wake_of).collect());
        assert_eq!(ask(&self.world, told, &self.work).await, Disposition::Acknowledge);
    }

    fn verdicts(&self) -> String {
        let told = self.tasks.iter().map(|task| format!("{} {}", task.id, verdict(&self.world, task)));
        told.collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn one_build_brings_each_its_own_verdict() {
    let shared = begin();
    shared.wake_both().await;
    let builds = shared.world.tests.all();
    assert_eq!(builds.len(), 1, "the second one gets the build of the first");
    shared.end(&builds[0], BuildState::Succeeded, &["test/fleet"]).await;
    insta::assert_snapshot!(shared.verdicts(), @r"
    test/authentication Passed: 3 tests passed, coverage 90.0 %
    test/fleet Failed: 1 of 2 tests failed
    ");
}

#[tokio::test]
async fn one_that_comes_late_gets_the_build_that_has_ended() {
    let shared = begin();
    let [first, second] = &shared.tasks;
    wake(&shared.world, first, &shared.work).await;
    let build = shared.world.tests.running().remove(0);
    shared.end(&build, BuildState::Succeeded, &[]).await;
    shared.world.clock.advance(Duration::from_mins(20));
    wake(&shared.world, second, &shared.work).await;
    assert_eq!(shared.world.tests.all().len(), 1);
    insta::assert_snapshot!(shared.verdicts(), @r"
    test/authentication Passed: 3 tests passed, coverage 90.0 %
    test/fleet Passed: 3 tests passed, coverage 90.0 %
    ");
}

#[tokio::test]
async fn a_shared_build_that_the_machinery_broke_is_begun_anew_by_each_alone() {
    let shared = begin();
    shared.wake_both().await;
    let build = shared.world.tests.running().remove(0);
    shared.end(&build, BuildState::Fault, &[]).await;
    let tasks = || {
        let running = shared.world.tests.running();
        let mut tasks: Vec<String> = running.iter().map(|build| build.request.task()).collect();
        tasks.sort();
        tasks.join("\n").replace(shared.tasks[0].run.to_string().as_str(), "RUN")
    };
    insta::assert_snapshot!(tasks(), @r"
    RUN/test/authentication/2
    RUN/test/fleet/2
    ");
}

#[tokio::test]
async fn a_cancelled_run_stops_the_build_that_all_share() {
    let shared = begin();
    shared.wake_both().await;
    let (head, task) = (a_run_at(PhaseKind::Test), stored(&shared.world, &shared.tasks[1]));
    let case = Case { head: &head, task: &task, previous: None, now: shared.world.clock.now() };
    shared.work.stop(&case, None).await.expect("found by the attempt of either");
    assert!(shared.world.tests.running().is_empty());
}

#[tokio::test]
async fn a_task_whose_record_names_others_is_not_taken_along() {
    // Two plans of one commit between which a result became known: each task is written by the first of them.
    let shared = begin();
    let [first, second] = &shared.tasks;
    let alone = Task { shares: Vec::new(), ..second.clone() };
    shared.world.store.put(&a_run_at(PhaseKind::Test), &[first.clone(), alone]);
    shared.wake_both().await;
    let builds = shared.world.tests.running();
    let attempts: Vec<usize> = builds.iter().map(|build| build.request.attempts.len()).collect();
    assert_eq!(attempts, [1, 1]);
    shared.end(&builds[0], BuildState::Succeeded, &[]).await;
    assert_eq!(verdict(&shared.world, first), "Passed: 3 tests passed, coverage 90.0 %");
}

#[tokio::test]
async fn those_share_that_have_to_be_tested_at_all() {
    let world = World::new();
    let groups = [vec!["service-1", "service-2", "service-3"], vec!["service-4", "service-5"]];
    let shared_builds = groups.map(|group| group.into_iter().map(name).collect()).to_vec();
    let request = a_request(1);
    let commit = a_commit(&Plan { shared_builds, ..a_plan(6) });
    world.github.push("develop", &request.sha, commit.clone());
    // A first plan tells the keys; of the same content two services have passed in an earlier run.
    plan(&world, &request).await;
    let head = world.store.heads().remove(0);
    for task in world.store.tasks_of(&head.id) {
        let has_passed = ["test/service-2", "test/service-5"].contains(&task.id.to_string().as_str());
        if let Some(key) = task.key.as_ref().filter(|_| has_passed) {
            let green = Green {
                run: head.id.clone(),
                summary: String::new(),
                report: TestReport::default(),
                at: world.clock.now(),
            };
            let repository = &head.id.repository;
            world
                .store
                .record_green(repository, &task.id.subject, key, &green)
                .await
                .expect("memory answers");
        }
    }
    let later = PlanRequest { before: Some(request.sha.clone()), ..a_request(2) };
    world.github.push("develop", &later.sha, commit);
    plan(&world, &later).await;
    let tell = |task: &Task| {
        let shares: Vec<&str> = task.shares.iter().map(ServiceName::as_str).collect();
        format!("{} at place {} [{}] {}", task.id, task.place, shares.join(" "), task.why)
    };
    let head = world.store.heads().into_iter().find(|head| head.id.sha == later.sha).expect("planned");
    let tests = world.store.tasks_of(&head.id);
    let tests = tests.iter().filter(|task| task.id.stage == Stage::Test).map(tell);
    insta::assert_snapshot!(tests.collect::<Vec<_>>().join("\n"), @r"
    test/service-1 at place 2 [service-1 service-3] no earlier run has passed with the same content; in one build: `service-1`, `service-3`
    test/service-2 at place 0 [] the same content passed in the run of `0a00001`
    test/service-3 at place 2 [service-1 service-3] no earlier run has passed with the same content; in one build: `service-1`, `service-3`
    test/service-4 at place 4 [] no earlier run has passed with the same content
    test/service-5 at place 0 [] the same content passed in the run of `0a00001`
    test/service-6 at place 5 [] no earlier run has passed with the same content
    test/+checks at place 6 [] no earlier run has passed with the same content
    test/+integration at place 7 [] no earlier run has passed with the same content
    ");
}
