//! build and publish.

use domain::ports::BuildState;
use domain::run::PhaseKind;
use domain::task::{Output, PinnedImage};
use slipway_build::ImageBuilds;
use slipway_publish::Publishing;
use testkit::builders::{a_digest, a_service, a_task};
use testkit::fakes::World;

use crate::{a_run_at, passed, verdict, wake};

#[tokio::test]
async fn an_image_that_is_there_is_not_built_again() {
    let world = World::new();
    let (head, service) = (a_run_at(PhaseKind::Image), a_service("authentication"));
    let task = a_task(&head, "build/authentication", &service);
    world.store.put(&head, std::slice::from_ref(&task));
    world.images.push("vive-sphere/authentication", head.id.sha.as_str(), &a_digest(7));
    let (builds, artifacts, images) =
        (world.image_builds.clone(), world.artifacts.clone(), world.images.clone());
    wake(&world, &task, &ImageBuilds { builds, artifacts, images }).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: the registry held it already: `sha256:0000000000000000000000000000000000000000000000000000000000000007`");
    assert!(world.image_builds.all().is_empty());
}

#[tokio::test]
async fn a_red_image_build_says_why() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Image);
    let task = a_task(&head, "build/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let (builds, artifacts, images) =
        (world.image_builds.clone(), world.artifacts.clone(), world.images.clone());
    let work = ImageBuilds { builds, artifacts, images };
    wake(&world, &task, &work).await;
    world.image_builds.end(
        &world.image_builds.running()[0].id,
        BuildState::Failed,
        Some("BUILD: exit status 1"),
    );
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: the image was not built: BUILD: exit status 1");
}

#[tokio::test]
async fn an_image_that_is_gone_is_not_published() {
    let world = World::new();
    let (head, service) = (a_run_at(PhaseKind::Image), a_service("authentication"));
    let image =
        PinnedImage { repository: "registry.example/vive-sphere/authentication".into(), digest: a_digest(7) };
    let built = passed(a_task(&head, "build/authentication", &service), Output::Image { image, log: None });
    let task = a_task(&head, "publish/authentication", &service);
    world.store.put(&head, &[built, task.clone()]);
    world.images.push("vive-sphere/authentication", head.id.sha.as_str(), &a_digest(7));
    world.images.delete_all("vive-sphere/authentication");
    wake(&world, &task, &Publishing { images: world.images.clone() }).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: the registry does not hold `registry.example/vive-sphere/authentication@sha256:0000000000000000000000000000000000000000000000000000000000000007`; somebody deleted it after its build");
}
