//! What merging a pull request would change in the cluster.

use domain::ids::{Stage, Trust};
use domain::message::{Ask, Base, Message, PlanRequest, QueueName};
use domain::ports::{Environments as _, Release, Written};
use domain::run::{Preview, Run};
use domain::spec::{Plan, ServiceSpec};
use lambda::Disposition;
use slipway_deploy::Deployment;
use testkit::builders::{a_commit, a_plan, a_request, a_sha, a_strangers_pull, a_zip, name};
use testkit::fakes::{Fate, World};

use crate::ask;
use crate::plan::plan;

const MANIFEST: &str = "infrastructure/kubernetes/service-1-deployment.yaml";

/// A branch `proposal` with commit 2, planned, whose pull request changes these paths.
async fn proposed(paths: &[&str]) -> World {
    let world = World::new();
    begin(&world, paths);
    plan(&world, &push()).await;
    world
}

fn begin(world: &World, paths: &[&str]) {
    let commit = a_commit(&Plan { checks: None, integration: None, ..a_plan(2) });
    world.github.push("develop", &a_sha(1), commit.clone());
    world.github.move_branch("proposal", &a_sha(1));
    world.github.push("proposal", &a_sha(2), commit);
    world.github.changes_paths(&a_sha(2), paths);
}

/// The same of one component, whose manifests Kustomize renders for these environments alone.
async fn proposed_of(environments: &[&str], path: &str) -> World {
    let world = World::new();
    let file = "version: 1\nservices: {bots: {image: none, kustomize: 'k8s/{environment}'}}\n";
    let mut files = vec![("repository-abc/infrastructure/ci_cd/pipeline.yaml".to_owned(), file.to_owned())];
    for environment in environments {
        let file = format!("repository-abc/k8s/{environment}/kustomization.yaml");
        files.push((file, "resources: [../base]\n".to_owned()));
    }
    files.push(("repository-abc/docs/conf.py".to_owned(), String::new()));
    files.push(("repository-abc/k8s/base/kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned()));
    let commit = a_zip(&files);
    world.github.push("develop", &a_sha(1), commit.clone());
    world.github.move_branch("proposal", &a_sha(1));
    world.github.push("proposal", &a_sha(2), commit);
    world.github.changes_paths(&a_sha(2), &[path]);
    plan(&world, &push()).await;
    plan(&world, &offer("opened", "develop")).await;
    world
}

#[tokio::test]
async fn what_a_build_would_render_is_named_and_not_told() {
    // The base is read too, since the overlay names it.
    for path in ["k8s/development/kustomization.yaml", "k8s/base/a.yaml"] {
        let world = proposed_of(&["development", "production"], path).await;
        assert_eq!(asked(&world), 1, "{path}");
        preview(&world).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&world), @"Once merged, `bots`: Kustomize renders its manifests in a build, and only what is delivered is built; what would change is not known before.");
        }
    }
    for path in ["k8s/production/kustomization.yaml", "README.md"] {
        let world = proposed_of(&["development", "production"], path).await;
        assert_eq!(asked(&world), 0, "{path} is nothing to `development`");
    }
}

#[tokio::test]
async fn what_the_bases_environment_lacks_is_told_once() {
    let world = proposed_of(&["production"], "k8s/base/a.yaml").await;
    plan(&world, &offer("again", "develop")).await;
    insta::assert_snapshot!(told(&world), @"Once merged, it could not be delivered to `development`: service `bots`: `k8s/development` is not in the commit; add it, or name another with `services.bots.kustomize` in `infrastructure/ci_cd/pipeline.yaml`.");
    assert_eq!(asked(&world), 0);
    assert!(!head(&world).phases.is_empty(), "the commit itself is judged");
}

fn push() -> PlanRequest {
    PlanRequest { branch: "proposal".to_owned(), before: Some(a_sha(1)), ..a_request(2) }
}

/// The pull request's event.
fn offer(id: &str, base: &str) -> PlanRequest {
    let base = Base { branch: name(base), sha: a_sha(1) };
    PlanRequest { delivery: name(id), pull_request: Some(7), base: Some(base), before: None, ..push() }
}

fn head(world: &World) -> Run {
    world.store.heads().into_iter().find(|head| head.id.sha == a_sha(2)).expect("a run")
}

/// The messages that ask for a preview.
fn asked(world: &World) -> usize {
    let bodies = world.queue.waiting(QueueName::Stage(Stage::Deploy));
    bodies.iter().filter(|body| body.contains("\"preview\"")).count()
}

async fn preview(world: &World) -> Disposition {
    let (store, artifacts, cluster) = (world.store.clone(), world.artifacts.clone(), world.cluster.clone());
    ask(world, Ask::Preview(head(world).id), &Deployment { store, artifacts, cluster }).await
}

/// What is told of the cluster, a line each.
fn told(world: &World) -> String {
    let notes = head(world).notes;
    notes.into_iter().filter(|note| note.contains("nce merged")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn it_is_asked_for_where_manifests_differ_and_the_base_is_delivered() {
    let world = proposed(&["backend/service-1/app.py", MANIFEST]).await;
    assert_eq!((head(&world).preview, asked(&world)), (None, 0), "no pull request offers it yet");
    plan(&world, &offer("opened", "develop")).await;
    let awaited = Preview {
        environment: name("development"),
        cluster: domain::ids::ClusterAccess::default(),
        namespace: "development".to_owned(),
        policy: domain::policy::Policy::default(),
        told: false,
    };
    assert_eq!((head(&world).preview, asked(&world)), (Some(awaited), 1));
    let record = world.artifacts.object(&domain::keys::preview(&head(&world).id)).expect("a record");
    let services: Vec<ServiceSpec> = serde_json::from_slice(&record).expect("services");
    assert_eq!(services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["service-1"]);

    // Whoever died before he sent is repeated, until it is told.
    plan(&world, &offer("again", "develop")).await;
    assert_eq!(asked(&world), 2);
    preview(&world).await;
    plan(&world, &offer("once-more", "develop")).await;
    assert_eq!(asked(&world), 2);

    for (paths, base) in [(["backend/service-1/app.py"], "develop"), ([MANIFEST], "main")] {
        let world = proposed(&paths).await;
        plan(&world, &offer("opened", base)).await;
        assert_eq!((head(&world).preview, asked(&world)), (None, 0), "{paths:?} into {base}");
    }
}

#[tokio::test]
async fn it_is_asked_for_also_where_the_pull_request_comes_before_its_push() {
    let world = World::new();
    begin(&world, &[MANIFEST]);
    for request in [offer("opened", "develop"), push()] {
        plan(&world, &request).await;
    }
    assert!(head(&world).preview.is_some_and(|preview| !preview.told));
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_strangers_manifests_reach_no_cluster() {
    let world = proposed(&["backend/service-1/app.py", MANIFEST]).await;
    let fork = a_strangers_pull().head_repository;
    let request = PlanRequest { fork, admitted: Some("ada".to_owned()), ..offer("fork", "develop") };
    // A second pull request of the same commit is compared as well.
    let second = PlanRequest { delivery: name("second"), pull_request: Some(8), ..request.clone() };
    for request in [request, second] {
        plan(&world, &request).await;
    }
    let heads = world.store.heads();
    let strangers = heads.iter().find(|head| head.id.trust == Trust::Untrusted).expect("it is admitted");
    assert!(!strangers.phases.is_empty(), "it is tested");
    assert!(heads.iter().all(|head| head.preview.is_none()));
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn it_is_told_once_as_the_environment_is_now() {
    let world = proposed(&[MANIFEST]).await;
    plan(&world, &offer("opened", "develop")).await;
    for _ in 0..2 {
        assert_eq!(preview(&world).await, Disposition::Acknowledge);
    }
    insta::assert_snapshot!(told(&world), @"Once merged, `service-1`: in `development` it would make Service `development/service-1`; make Deployment `development/service-1`");
    assert!(world.cluster.applies().is_empty() && world.store.lock_holders().is_empty());
    let tells = serde_json::to_string(&Message::Notify { run: head(&world).id }).expect("plain data");
    let told = world.queue.waiting(QueueName::Notify).iter().filter(|body| **body == tells).count();
    assert!(told >= 2, "whoever died before telling is repeated");
}

#[tokio::test]
async fn what_would_be_refused_and_what_would_not_differ_is_told_too() {
    let world = proposed(&[MANIFEST]).await;
    plan(&world, &offer("opened", "develop")).await;
    world
        .cluster
        .decide("service-1", Fate::Refused { because: "spec.replicas: must be a number".to_owned() });
    preview(&world).await;
    insta::assert_snapshot!(told(&world), @"Once merged, `service-1`: in `development` it would fail: Service `development/service-1`: spec.replicas: must be a number; fail: Deployment `development/service-1`: spec.replicas: must be a number");

    // What runs is rendered from the same manifests.
    let world = proposed(&[MANIFEST]).await;
    plan(&world, &offer("opened", "develop")).await;
    let current = Release {
        service: name("service-1"),
        run: head(&world).id,
        fence: 1,
        turn: 4,
        image: Some(domain::task::PinnedImage {
            repository: "registry.example/vive-sphere/service-1".to_owned(),
            digest: testkit::builders::a_digest(1),
        }),
        manifests: rendered_hash(&world),
        objects: Vec::new(),
        leftovers: Vec::new(),
        at: world.clock.now(),
    };
    let written = world.store.set_current(&name("development"), &current).await.expect("memory answers");
    assert_eq!(written, Written::Yes);
    preview(&world).await;
    insta::assert_snapshot!(told(&world), @"The manifests differ, but once merged nothing would change in `development`.");
}

/// The hash of what the commit's manifests come to with the image that runs.
fn rendered_hash(world: &World) -> String {
    let zip = a_commit(&Plan { checks: None, integration: None, ..a_plan(2) });
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).expect("a zip");
    let mut text = String::new();
    let mut entry = archive.by_name(&format!("repository-abc/{MANIFEST}")).expect("a manifest");
    std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
    let files = [slipway_deploy::ManifestFile { path: MANIFEST.to_owned(), text }];
    let image = domain::task::PinnedImage {
        repository: "registry.example/vive-sphere/service-1".to_owned(),
        digest: testkit::builders::a_digest(1),
    };
    let service = a_plan(1).services.remove(0);
    let pin = Some(("vive-sphere/service-1", &image));
    let owner = format!("{}/service-1", head(world).id.repository);
    let (environment, sha) = (name("development"), head(world).id.sha);
    let target = slipway_deploy::Target {
        environment: &environment,
        namespace: "development",
        sha: &sha,
        cluster_wide: false,
    };
    slipway_deploy::render(&files, &target, pin, &service, &owner).expect("good manifests").hash
}
