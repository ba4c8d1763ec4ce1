//! build and publish.

use domain::ports::BuildState;
use domain::run::PhaseKind;
use domain::task::{Output, PinnedImage, Task};
use slipway_build::ImageBuilds;
use slipway_publish::Publishing;
use testkit::builders::{a_digest, a_service, a_sha, a_task};
use testkit::fakes::{MemoryArtifacts, MemoryBuilds, MemoryImages, World};

use crate::{a_run_at, passed, verdict, wake};

/// The stage's work in a stack with this base image.
fn image_builds(
    world: &World,
    base_image: Option<&str>,
) -> ImageBuilds<MemoryBuilds, MemoryArtifacts, MemoryImages> {
    ImageBuilds {
        builds: world.image_builds.clone(),
        artifacts: world.artifacts.clone(),
        images: world.images.clone(),
        base_image: base_image.map(str::to_owned),
    }
}

#[tokio::test]
async fn an_image_that_is_there_is_not_built_again() {
    let world = World::new();
    let (head, service) = (a_run_at(PhaseKind::Image), a_service("authentication"));
    let task = a_task(&head, "build/authentication", &service);
    world.store.put(&head, std::slice::from_ref(&task));
    world.images.push("vive-sphere/authentication", head.id.sha.as_str(), &a_digest(7));
    wake(&world, &task, &image_builds(&world, None)).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: the registry held it already: `sha256:0000000000000000000000000000000000000000000000000000000000000007`");
    assert!(world.image_builds.all().is_empty());
}

/// The second commit's image is the first one's, which gets the commit's tag; under another base image it is built.
#[tokio::test]
async fn the_same_content_is_built_once() {
    let world = World::new();
    let first = keyed(&world, 1);
    let work = image_builds(&world, Some("python:3.11"));
    wake(&world, &first, &work).await;
    let build = world.image_builds.running()[0].id.clone();
    world.images.push(AUTHENTICATION, first.run.sha.as_str(), &a_digest(7));
    world.image_builds.end(&build, BuildState::Succeeded, None);
    wake(&world, &first, &work).await;
    assert!(verdict(&world, &first).starts_with("Passed: built and pushed"));

    let second = keyed(&world, 2);
    wake(&world, &second, &work).await;
    insta::assert_snapshot!(verdict(&world, &second), @"Passed: the same content was built before: `sha256:0000000000000000000000000000000000000000000000000000000000000007`");
    assert_eq!(world.images.tags(AUTHENTICATION).get(second.run.sha.as_str()), Some(&a_digest(7)));
    assert_eq!(world.image_builds.all().len(), 1);

    let third = keyed(&world, 3);
    wake(&world, &third, &image_builds(&world, Some("python:3.12"))).await;
    assert_eq!(world.image_builds.running().len(), 1, "the base is another one");
}

const AUTHENTICATION: &str = "vive-sphere/authentication";

/// The image's task of commit `number`, whose content is the same in each.
fn keyed(world: &World, number: u64) -> Task {
    let mut head = a_run_at(PhaseKind::Image);
    head.id.sha = a_sha(number);
    let mut task = a_task(&head, "build/authentication", &a_service("authentication"));
    task.key = Some("the content".to_owned());
    world.store.put(&head, std::slice::from_ref(&task));
    task
}

#[tokio::test]
async fn a_red_image_build_says_why() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Image);
    let task = a_task(&head, "build/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let work = image_builds(&world, None);
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
