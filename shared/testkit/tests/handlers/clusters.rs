//! deploy and verify in the cluster that the run's delivery names.

use domain::ids::ClusterAccess;
use domain::run::{Delivery, PhaseKind, Run};
use domain::task::{Output, PinnedImage, State, Task};
use lambda::Delivered;
use serde_json::json;
use slipway_deploy::Deployment;
use slipway_verify::Verification;
use testkit::builders::{a_commit, a_digest, a_plan, a_service, a_task, name};
use testkit::fakes::{Fate, World};

use crate::{a_run_at, passed, verdict, wake};

fn blue() -> ClusterAccess {
    ClusterAccess::NamedKubeconfig(name("blue"))
}

/// A run whose environment lies in the cluster `blue`, with its deploy and verify.
fn begin(world: &World) -> (Task, Task) {
    let head = a_run_at(PhaseKind::Rollout);
    let delivery = head.delivery.clone().map(|delivery| Delivery { cluster: blue(), ..delivery });
    let (head, service) = (Run { delivery, ..head }, a_service("service-1"));
    let image = PinnedImage { repository: "vive-sphere/service-1".to_owned(), digest: a_digest(1) };
    let published = passed(a_task(&head, "publish/service-1", &service), Output::Image { image, log: None });
    let deploy = a_task(&head, "deploy/service-1@development", &service);
    let verify = a_task(&head, "verify/service-1@development", &service);
    let waiting = Task { state: State::Pending, ..verify.clone() };
    world.store.put(&head, &[published, deploy.clone(), waiting]);
    world.artifacts.store(&domain::keys::source(&head.id), a_commit(&a_plan(1)));
    (deploy, verify)
}

#[tokio::test]
async fn a_delivery_goes_to_the_cluster_that_it_names() {
    let world = World::new();
    let (deploy, verify) = begin(&world);
    // Whoever looked there would see it fail.
    world.cluster.decide("service-1", Fate::Hopeless { evidence: vec!["the wrong cluster".to_owned()] });
    let deploying = Delivered::new(world.cluster.clone(), |cluster| Deployment {
        store: world.store.clone(),
        artifacts: world.artifacts.clone(),
        cluster,
    });
    wake(&world, &deploy, &deploying).await;
    assert_eq!(verdict(&world, &deploy), "Passed: 2 objects applied in `development`");
    assert!(world.cluster.objects().is_empty(), "the stack's own cluster");
    assert_eq!(world.cluster.at(&blue()).objects().len(), 2);

    let verifying =
        Delivered::new(world.cluster.clone(), |cluster| Verification { store: world.store.clone(), cluster });
    wake(&world, &verify, &verifying).await;
    assert!(verdict(&world, &verify).starts_with("Passed: "), "{}", verdict(&world, &verify));
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_tried_again() {
    let world = World::new();
    let (deploy, _) = begin(&world);
    let work = Delivered::new(world.cluster.clone(), |cluster| Deployment {
        store: world.store.clone(),
        artifacts: world.artifacts.clone(),
        cluster,
    });
    world.wire.down("cluster.reach");
    wake(&world, &deploy, &work).await;
    assert!(verdict(&world, &deploy).starts_with("Starting"), "{}", verdict(&world, &deploy));
    world.wire.up("cluster.reach");
    wake(&world, &deploy, &work).await;
    assert_eq!(verdict(&world, &deploy), "Passed: 2 objects applied in `development`");
}

#[test]
fn a_delivery_of_old_is_the_stacks_own_clusters() {
    let old = json!({ "environment": "development", "namespace": "development", "fence": 7 });
    let delivery: Delivery = serde_json::from_value(old.clone()).expect("a record");
    assert_eq!(delivery.cluster, ClusterAccess::Kubeconfig);
    assert_eq!(serde_json::to_value(&delivery).expect("JSON"), old, "older functions read it");
}
