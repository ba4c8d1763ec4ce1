//! verify.

use std::time::Duration;

use domain::policy::Conflicts;
use domain::ports::{Cluster as _, Environments as _, Release, Written};
use domain::run::PhaseKind;
use domain::task::{Applied, ObjectName, Output, Task};
use slipway_verify::Verification;
use testkit::builders::{a_service, a_task, name};
use testkit::fakes::{Fate, MemoryCluster, MemoryStore, World};

use crate::{a_run_at, passed, verdict, wake};

async fn begin(fate: Fate) -> (World, Task, Verification<MemoryStore, MemoryCluster>) {
    let world = World::new();
    world.cluster.decide("authentication", fate);
    let (head, service) = (a_run_at(PhaseKind::Rollout), a_service("authentication"));
    let workload = ObjectName {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "development".to_owned(),
        name: "authentication".to_owned(),
    };
    let applied = Applied { manifests: "0".repeat(64), objects: vec![workload], after: Vec::new() };
    let release = Release {
        service: service.name.clone(),
        run: head.id.clone(),
        fence: 1,
        turn: 2,
        image: None,
        manifests: applied.manifests.clone(),
        objects: applied.objects.clone(),
        leftovers: Vec::new(),
        at: world.clock.now(),
    };
    let (Written::Yes | Written::Conflict) =
        world.store.set_current(&name("development"), &release).await.expect("memory answers");
    let deployed = a_task(&head, "deploy/authentication@development", &service);
    let task = a_task(&head, "verify/authentication@development", &service);
    world.store.put(&head, &[passed(deployed, Output::Release(applied)), task.clone()]);
    let work = Verification { store: world.store.clone(), cluster: world.cluster.clone() };
    (world, task, work)
}

#[tokio::test]
async fn what_will_not_heal_fails_at_once_with_its_evidence() {
    let evidence = vec!["container `app` is in CrashLoopBackOff".to_owned()];
    let (world, task, work) = begin(Fate::Hopeless { evidence }).await;
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: Deployment `authentication` will not get healthy: container `app` is in CrashLoopBackOff");
}

#[tokio::test]
async fn bad_health_is_borne_for_a_minute_only() {
    let (world, task, work) = begin(Fate::Unhealthy).await;
    wake(&world, &task, &work).await;
    assert!(verdict(&world, &task).starts_with("Running"), "{}", verdict(&world, &task));
    world.clock.advance(Duration::from_secs(61));
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: `authentication` is rolled out but not healthy: GET /api/v1/authentication/health on service authentication:8000 answered 503");
    let verified =
        world.store.releases(&task.run.repository, &name("development"), &name("authentication")).await;
    assert_eq!(verified.expect("memory answers").1, None);
}

#[tokio::test]
async fn a_rollout_without_an_end_fails_after_ten_minutes() {
    let (world, task, work) = begin(Fate::Slow).await;
    wake(&world, &task, &work).await;
    world.clock.advance(Duration::from_secs(601));
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: Deployment `authentication` was not rolled out after 10 minutes: 0 of 1 pods ready");
}

/// A verify that is run again takes no lock: a newer run may have deployed since.
#[tokio::test]
async fn a_release_that_was_overtaken_is_neither_verified_nor_blamed() {
    for fate in
        [Fate::Healthy { after: Duration::ZERO }, Fate::Hopeless { evidence: vec!["it is gone".to_owned()] }]
    {
        let (world, task, work) = begin(fate).await;
        let deployment = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "authentication", "namespace": "development" },
        });
        world.cluster.apply(&[deployment], Conflicts::Refuse, &()).await.expect("memory answers");
        let (environment, service) = (name("development"), name("authentication"));
        let releases = world.store.releases(&task.run.repository, &environment, &service);
        let (current, _) = releases.await.expect("memory answers");
        let newer = Release { fence: 2, manifests: "1".repeat(64), ..current.expect("it is deployed") };
        let (Written::Yes | Written::Conflict) =
            world.store.set_current(&environment, &newer).await.expect("memory answers");
        wake(&world, &task, &work).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(verdict(&world, &task), @"Superseded: number 2 has been deployed to `development` since; this run is number 1");
        }
        let releases = world.store.releases(&task.run.repository, &environment, &service);
        assert_eq!(releases.await.expect("memory answers"), (Some(newer), None));
    }
}
