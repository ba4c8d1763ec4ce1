//! build and publish.

use std::time::Duration;

use domain::ids::Digest;
use domain::message::{Ask, Scanned, Verified};
use domain::ports::{BuildState, Environments as _, Release};
use domain::run::PhaseKind;
use domain::scan::{Block, Finding, FindingSeverity, Findings, Scan, ScanPolicy, Unsupported};
use domain::task::{Output, PinnedImage, State, Task};
use lambda::Disposition;
use slipway_build::ImageBuilds;
use slipway_publish::Publishing;
use testkit::builders::{a_digest, a_service, a_sha, a_task, name};
use testkit::fakes::{MemoryArtifacts, MemoryBuilds, MemoryImages, MemoryStore, World};

use crate::{a_run_at, ask, passed, stored, verdict, wake};

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
        secrets_prefix: "slipway/build/".to_owned(),
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

/// The stage's work.
fn publishing(world: &World) -> Publishing<MemoryStore, MemoryImages> {
    Publishing { store: world.store.clone(), images: world.images.clone() }
}

/// An image that is built, in a run whose environment has this policy, and its task.
fn built(world: &World, scan: ScanPolicy) -> Task {
    let (mut head, service) = (a_run_at(PhaseKind::Image), a_service("authentication"));
    if let Some(delivery) = &mut head.delivery {
        delivery.policy.scan = scan;
    }
    let image = PinnedImage { repository: format!("registry.example/{AUTHENTICATION}"), digest: a_digest(7) };
    let built = passed(a_task(&head, "build/authentication", &service), Output::Image { image, log: None });
    let task = a_task(&head, "publish/authentication", &service);
    world.store.put(&head, &[built, task.clone()]);
    world.images.push(AUTHENTICATION, head.id.sha.as_str(), &a_digest(7));
    task
}

/// The tags beside the commit's.
fn tags(world: &World) -> Vec<(String, Digest)> {
    let tags = world.images.tags(AUTHENTICATION).into_iter();
    tags.filter(|(tag, _)| *tag != a_sha(1).as_str()).collect()
}

#[tokio::test]
async fn what_the_scan_finds_too_bad_is_not_published() {
    let world = World::new();
    let task = built(&world, ScanPolicy::default());
    let found = Findings::new(
        [(FindingSeverity::Critical, 1), (FindingSeverity::High, 2)],
        vec![
            Finding::new("CVE-2026-2", FindingSeverity::High, Some("zlib 1.2"), None),
            Finding::new("CVE-2026-1", FindingSeverity::Critical, Some("openssl 3.0.1"), Some("3.0.2")),
        ],
    );
    world.images.scans(AUTHENTICATION, Scan::Complete(found));
    wake(&world, &task, &publishing(&world)).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: not published: the scan found 1 critical, 2 high, and critical findings are not let through; the worst is CVE-2026-1 (critical) in openssl 3.0.1, fixed in 3.0.2. Update the package or the base image; only the operator's file can let it pass, by `policy: {scan: {block: …}}`");
    let stored = stored(&world, &task);
    let Some(Output::Evidence(seen)) = stored.verdict().map(|verdict| &verdict.output) else {
        panic!("it has evidence");
    };
    assert_eq!(seen[2], "CVE-2026-2 (high) in zlib 1.2");
    assert_eq!(tags(&world), []);

    // A person may let it pass: the task is run again under another policy.
    let world = World::new();
    let task = built(&world, ScanPolicy { block: Block::None, ..ScanPolicy::default() });
    wake(&world, &task, &publishing(&world)).await;
    assert_eq!(verdict(&world, &task), "Passed: published as `develop-20261123-0a00001`");
    assert_eq!(world.wire.count("images.scan"), 0, "nobody asks");
}

#[tokio::test]
async fn a_scan_that_goes_on_is_waited_for_by_its_event() {
    let world = World::new();
    let task = built(&world, ScanPolicy::default());
    let work = publishing(&world);
    world.images.scans(AUTHENTICATION, Scan::InProgress);
    wake(&world, &task, &work).await;
    assert!(matches!(stored(&world, &task).state, State::Running { .. }), "it waits");
    assert_eq!(tags(&world), []);

    world
        .images
        .scans(AUTHENTICATION, Scan::Complete(Findings::new([(FindingSeverity::High, 1)], Vec::new())));
    let told = |digest| Ask::Scanned(Scanned { repository: AUTHENTICATION.to_owned(), digest });
    assert_eq!(ask(&world, told(a_digest(8)), &work).await, Disposition::Acknowledge);
    assert!(
        matches!(stored(&world, &task).state, State::Running { .. }),
        "the event of another image says nothing"
    );
    assert_eq!(ask(&world, told(a_digest(7)), &work).await, Disposition::Acknowledge);
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: published as `develop-20261123-0a00001`; the scan found 1 high");
    assert_eq!(tags(&world), [("develop-20261123-0a00001".to_owned(), a_digest(7))]);
}

#[tokio::test]
async fn a_scan_that_never_ends_is_not_waited_for_without_end() {
    let world = World::new();
    let task = built(&world, ScanPolicy { wait: 3, ..ScanPolicy::default() });
    let work = publishing(&world);
    world.images.scans(AUTHENTICATION, Scan::InProgress);
    for _ in 0..3 {
        wake(&world, &task, &work).await;
        assert!(matches!(stored(&world, &task).state, State::Running { .. }));
        let timer = stored(&world, &task).timer.due.expect("a timer runs");
        assert!(timer <= world.clock.now().after(Duration::from_mins(1)), "no event is relied on");
        world.clock.advance(Duration::from_mins(1));
    }
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: not published: the registry's scan has not ended after 3 minutes. Run this task again; only the operator's file can go without, by `policy: {scan: {block: none}}`");
    assert_eq!(tags(&world), []);
}

#[tokio::test]
async fn what_cannot_be_scanned_is_the_operators_to_decide() {
    for (unsupported, expected) in [
        (
            Unsupported::Pass,
            "Passed: published as `develop-20261123-0a00001`; not judged: the registry has no findings",
        ),
        (
            Unsupported::Refuse,
            "Failed: not published: the registry has no findings of the image (UNSUPPORTED_IMAGE)",
        ),
    ] {
        let world = World::new();
        let task = built(&world, ScanPolicy { unsupported, ..ScanPolicy::default() });
        world.images.scans(AUTHENTICATION, Scan::Unusable("UNSUPPORTED_IMAGE".to_owned()));
        wake(&world, &task, &publishing(&world)).await;
        let told = verdict(&world, &task);
        assert!(told.starts_with(expected), "{told}");
    }
}

/// A release of the service under a number, whose image is that one.
fn release(world: &World, fence: u64, turn: u32, digest: Digest) -> Release {
    world.images.push(AUTHENTICATION, &format!("image-{fence}"), &digest);
    Release {
        service: name("authentication"),
        run: a_run_at(PhaseKind::Rollout).id,
        fence,
        turn,
        image: Some(PinnedImage { repository: format!("registry.example/{AUTHENTICATION}"), digest }),
        manifests: "0".repeat(64),
        objects: Vec::new(),
        leftovers: Vec::new(),
        at: world.clock.now(),
    }
}

#[tokio::test]
async fn the_tags_follow_what_is_verified() {
    let (world, environment) = (World::new(), name("development"));
    let work = publishing(&world);
    let told =
        |task: &str| Ask::Verified(Verified { run: a_run_at(PhaseKind::Rollout).id, task: name(task) });
    let verified = told("verify/authentication@development");
    assert_eq!(ask(&world, verified.clone(), &work).await, Disposition::Acknowledge, "nothing is verified");

    let (one, two) = (a_digest(1), a_digest(2));
    let named = |tag: &str| world.images.tags(AUTHENTICATION).get(tag).cloned();
    for (number, digest) in [(1, &one), (2, &two)] {
        let release = release(&world, number, 4, digest.clone());
        world.store.set_verified(&environment, &release).await.expect("memory answers");
        assert_eq!(ask(&world, verified.clone(), &work).await, Disposition::Acknowledge);
        assert_eq!(named("env-development").as_ref(), Some(digest));
    }
    // The second one went bad in its next round: its way back is verified with the first one's image.
    let back = release(&world, 2, 6, one.clone());
    world.store.set_verified(&environment, &back).await.expect("memory answers");
    for _ in 0..2 {
        assert_eq!(ask(&world, verified.clone(), &work).await, Disposition::Acknowledge);
        assert_eq!(named("env-development").as_ref(), Some(&one));
    }
    let tag = |digest: &Digest| format!("released-{}", &digest.as_str()["sha256:".len()..]);
    assert_eq!((named(&tag(&one)), named(&tag(&two))), (Some(one), Some(two)));

    let Disposition::Refuse { reason } = ask(&world, told("publish/authentication"), &work).await else {
        panic!("it is no task of verify")
    };
    assert_eq!(reason, "field `task` must be a task of verify");
    world.images.delete_all(AUTHENTICATION);
    let Disposition::Refuse { reason } = ask(&world, verified, &work).await else {
        panic!("a person is to look")
    };
    assert!(reason.contains("the registry does not hold"), "{reason}");
}

/// A release that a newer one has followed already was verified all the same; one that was not gets no tag, whoever says
/// that it was.
#[tokio::test]
async fn what_was_verified_is_released_however_late_its_message_comes() {
    for (is_verified, expected) in [(true, vec![a_digest(2), a_digest(7)]), (false, vec![a_digest(2)])] {
        let world = World::new();
        let (work, environment) = (publishing(&world), name("development"));
        let task = built(&world, ScanPolicy::default());
        wake(&world, &task, &work).await;
        let (head, service) = (a_run_at(PhaseKind::Rollout), a_service("authentication"));
        let verify = a_task(&head, "verify/authentication@development", &service);
        let verify = if is_verified { passed(verify, Output::None) } else { verify };
        world.store.put(&head, std::slice::from_ref(&verify));
        let newer = release(&world, 2, 4, a_digest(2));
        world.store.set_verified(&environment, &newer).await.expect("memory answers");

        let told = Ask::Verified(Verified { run: head.id.clone(), task: verify.id.clone() });
        assert_eq!(ask(&world, told, &work).await, Disposition::Acknowledge);
        let released = tags(&world).into_iter().filter(|(tag, _)| tag.starts_with("released-"));
        assert_eq!(released.map(|(_, digest)| digest).collect::<Vec<_>>(), expected);
        assert_eq!(world.images.tags(AUTHENTICATION).get("env-development"), Some(&a_digest(2)));
    }
}

#[tokio::test]
async fn an_image_that_is_gone_is_not_published() {
    let world = World::new();
    let task = built(&world, ScanPolicy::default());
    world.images.delete_all(AUTHENTICATION);
    wake(&world, &task, &publishing(&world)).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: the registry does not hold `registry.example/vive-sphere/authentication@sha256:0000000000000000000000000000000000000000000000000000000000000007`; somebody deleted it after its build");
}
