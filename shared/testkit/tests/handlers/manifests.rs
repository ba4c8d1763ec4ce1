//! build, where it renders manifests, and deploy, which applies what it has rendered.

use domain::keys;
use domain::ports::BuildState;
use domain::run::PhaseKind;
use domain::spec::{ManifestsSpec, RenderedService, Rendering, ServiceSpec};
use domain::task::{Output, PinnedImage, Task, TaskSpec, Verdict};
use slipway_build::ManifestBuilds;
use slipway_deploy::Deployment;
use testkit::builders::{a_digest, a_manifest, a_service, a_sha, a_task, a_zip, name};
use testkit::fakes::{MemoryArtifacts, MemoryBuilds, World};

use crate::{a_run_at, passed, stored, verdict, wake};

const SERVICE: &str = "authentication";

fn manifest_builds(world: &World) -> ManifestBuilds<MemoryBuilds, MemoryArtifacts> {
    ManifestBuilds { builds: world.renders.clone(), artifacts: world.artifacts.clone() }
}

fn service() -> ServiceSpec {
    let folder = name("infrastructure/kubernetes/overlays/development");
    let rendering = Some(Rendering::Kustomize { folder });
    ServiceSpec { manifests: Vec::new(), rendering, ..a_service(SERVICE) }
}

/// The task of commit `number`, whose inputs are what the key stands for.
fn task(world: &World, number: u64, key: &str) -> Task {
    let mut head = a_run_at(PhaseKind::Image);
    head.id.sha = a_sha(number);
    let rendered =
        RenderedService { name: name(SERVICE), rendering: service().rendering.expect("it is rendered") };
    let spec = ManifestsSpec { environment: name("development"), services: vec![rendered] };
    let mut task = Task::new(head.id.clone(), name("build/+manifests"), TaskSpec::Manifests(spec));
    task.key = Some(key.to_owned());
    world.store.put(&head, std::slice::from_ref(&task));
    task
}

/// Ends the build under way, which leaves these files.
fn end(world: &World, state: BuildState, files: &[(&str, &str)]) {
    let build = world.renders.running().remove(0);
    let result = a_zip(files);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), result.clone());
    world.renders.end_leaving(&build.id, state, &result);
}

/// What becomes of a build that ends so.
async fn ended(state: BuildState, files: &[(&str, &str)]) -> (World, String) {
    let world = World::new();
    let task = task(&world, 1, "inputs");
    wake(&world, &task, &manifest_builds(&world)).await;
    end(&world, state, files);
    wake(&world, &task, &manifest_builds(&world)).await;
    let told = verdict(&world, &task);
    (world, told)
}

#[tokio::test]
async fn the_same_inputs_are_rendered_once() {
    let world = World::new();
    let work = manifest_builds(&world);
    let first = task(&world, 1, "inputs");
    wake(&world, &first, &work).await;
    wake(&world, &first, &work).await;
    assert_eq!(world.renders.all().len(), 1);
    let manifest = a_manifest(&a_service(SERVICE));
    let files = [("authentication/manifests.yaml", manifest.as_str()), ("log.txt", "$ kubectl kustomize\n")];
    end(&world, BuildState::Succeeded, &files);
    wake(&world, &first, &work).await;
    insta::assert_snapshot!(verdict(&world, &first), @"Passed: manifests of 1 service: rendered");
    let hash = match stored(&world, &first).verdict().map(|verdict| verdict.output.clone()) {
        Some(Output::Manifests { rendered, .. }) => rendered[&name(SERVICE)].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(world.artifacts.object(&keys::rendered(&hash)), Some(manifest.clone().into_bytes()));

    let second = task(&world, 2, "inputs");
    wake(&world, &second, &work).await;
    insta::assert_snapshot!(verdict(&world, &second), @"Passed: manifests of 1 service: the same inputs were rendered before");
    assert_eq!(world.renders.all().len(), 1, "nothing was built");

    let third = task(&world, 3, "other inputs");
    wake(&world, &third, &work).await;
    assert_eq!(world.renders.running().len(), 1, "they are others");
    end(&world, BuildState::Succeeded, &files);
    wake(&world, &third, &work).await;
    let outputs = [&first, &third].map(|task| match stored(&world, task).verdict() {
        Some(Verdict { output: Output::Manifests { rendered, .. }, .. }) => rendered.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(outputs[0], outputs[1], "the same was rendered");
}

#[tokio::test]
async fn what_is_not_rendered_is_told_in_the_tools_own_words() {
    let error = ("error.txt", "authentication: error: no matches for OriginalId");
    let (_, told) = ended(BuildState::Failed, &[error, ("log.txt", "a\nb\n")]).await;
    insta::assert_snapshot!(told, @"Failed: the manifests are not rendered: authentication: error: no matches for OriginalId");
    let (_, told) = ended(BuildState::Failed, &[("log.txt", "the tools could not be installed\n")]).await;
    insta::assert_snapshot!(told, @"Failed: the manifests are not rendered: the tools could not be installed");
    let (_, told) = ended(BuildState::Succeeded, &[("log.txt", "")]).await;
    insta::assert_snapshot!(told, @"Failed: the build left no manifests of `authentication`, or more than the 8388608 bytes that are taken");
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}\n";
    let (world, told) = ended(BuildState::Succeeded, &[("authentication/manifests.yaml", hook)]).await;
    assert!(told.starts_with("Failed: `authentication`: Job `migrate` is a hook of Helm"), "{told}");
    assert!(!world.artifacts.keys().iter().any(|key| key.starts_with("rendered/")), "nothing is kept of it");
}

#[tokio::test]
async fn a_result_that_codebuild_did_not_upload_renders_nothing() {
    let world = World::new();
    let task = task(&world, 1, "inputs");
    wake(&world, &task, &manifest_builds(&world)).await;
    let build = world.renders.running().remove(0);
    let forged = a_zip(&[("authentication/manifests.yaml", a_manifest(&a_service(SERVICE)))]);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), forged);
    // CodeBuild tells nothing of what it uploaded.
    world.renders.end(&build.id, BuildState::Succeeded, None);
    wake(&world, &task, &manifest_builds(&world)).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: the manifests are not rendered; the log says why");
}

/// Deploys the service in a run whose manifests' task is this one.
async fn deployed(world: &World, manifests: Task) -> String {
    let head = a_run_at(PhaseKind::Rollout);
    let image =
        PinnedImage { repository: format!("registry.example/vive-sphere/{SERVICE}"), digest: a_digest(7) };
    let published = a_task(&head, "publish/authentication", &service());
    let published = passed(published, Output::Image { image, log: None });
    let deploy = a_task(&head, "deploy/authentication@development", &service());
    let manifests = Task { run: head.id.clone(), ..manifests };
    world.store.put(&head, &[published, manifests, deploy.clone()]);
    let (store, artifacts, cluster) = (world.store.clone(), world.artifacts.clone(), world.cluster.clone());
    wake(world, &deploy, &Deployment { store, artifacts, cluster }).await;
    verdict(world, &deploy)
}

#[tokio::test]
async fn what_was_rendered_is_what_is_applied() {
    let world = World::new();
    let text = a_manifest(&a_service(SERVICE))
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: scene}\n"
        + "data: {place: '${slipway.environment}/${slipway.short_sha}'}\n";
    let hash = "5".repeat(64);
    world.artifacts.store(&keys::rendered(&hash), text);
    let rendered = Output::Manifests { rendered: [(name(SERVICE), hash)].into(), log: None };
    let told = deployed(&world, passed(task(&world, 1, "inputs"), rendered)).await;
    insta::assert_snapshot!(told, @"Passed: 3 objects applied in `development`");
    let objects = world.cluster.objects();
    let (_, scene) = objects.iter().find(|(known, _)| known.name == "scene").expect("it is applied");
    let short = a_run_at(PhaseKind::Rollout).id.sha.short().to_owned();
    assert_eq!(scene["data"]["place"], format!("development/{short}"));
}

#[tokio::test]
async fn without_anything_rendered_nothing_is_applied() {
    let world = World::new();
    let task = task(&world, 1, "inputs");
    let told = deployed(&world, passed(task, Output::None)).await;
    insta::assert_snapshot!(told, @"Failed: `build/+manifests` has rendered no manifests of `authentication` the last time it ran; re-run it first, then this");
    assert!(world.cluster.objects().is_empty());
}
