//! deploy: what is rendered, and who may apply it.

use std::future::Future as _;
use std::task::{Context, Waker};

use domain::message::Ask;
use domain::policy::{Conflicts, Waiting};
use domain::ports::{Cluster as _, Environments as _, Release, STANDING_HOLDS};
use domain::rerun::Rerun;
use domain::run::{PhaseKind, RunOutcome, RunState, Ticket};
use domain::task::{Output, PinnedImage, State, Task, Verdict};
use serde_json::json;
use slipway_deploy::{Deployment, ManifestFile, Rendered, Target, render};
use testkit::builders::{
    a_commit, a_component, a_digest, a_plan, a_service, a_sha, a_task, a_zip, delivered_to, name,
};
use testkit::fakes::{MemoryArtifacts, MemoryCluster, MemoryStore, World};

use crate::{a_run_at, ask, passed, stored, verdict, wake};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: authentication}
spec:
  template:
    spec:
      containers:
        - {name: app, image: 'registry.example/vive-sphere/authentication:latest'}
        - {name: sidecar, image: 'vive-sphere/authentication-helper:1'}
";

fn pinned() -> PinnedImage {
    PinnedImage { repository: "registry.example/vive-sphere/authentication".to_owned(), digest: a_digest(7) }
}

fn rendered(texts: &[&str]) -> Result<Rendered, String> {
    let file =
        |text: &&str| ManifestFile { path: "kubernetes/auth.yaml".to_owned(), text: (*text).to_owned() };
    let files: Vec<_> = texts.iter().map(file).collect();
    let image = pinned();
    let (pin, service) = (Some(("vive-sphere/authentication", &image)), a_service("authentication"));
    let (environment, sha) = (name("development"), a_sha(1));
    let target =
        Target { environment: &environment, namespace: "development", sha: &sha, cluster_wide: false };
    render(&files, &target, pin, &service, "vive-sphere/bot-manager/authentication")
}

#[test]
fn objects_get_namespace_label_and_digest_and_nothing_else() {
    let rendered = rendered(&[DEPLOYMENT]).expect("a good manifest");
    let object = serde_json::to_string_pretty(&rendered.objects[0]).expect("JSON");
    insta::assert_snapshot!(object, @r#"
    {
      "apiVersion": "apps/v1",
      "kind": "Deployment",
      "metadata": {
        "annotations": {
          "slipway.dev/owner": "vive-sphere/bot-manager/authentication"
        },
        "labels": {
          "app.kubernetes.io/managed-by": "slipway"
        },
        "name": "authentication",
        "namespace": "development"
      },
      "spec": {
        "template": {
          "metadata": {
            "annotations": {
              "slipway.dev/config-hash": "44136fa355b3678a"
            }
          },
          "spec": {
            "containers": [
              {
                "image": "registry.example/vive-sphere/authentication@sha256:0000000000000000000000000000000000000000000000000000000000000007",
                "name": "app"
              },
              {
                "image": "vive-sphere/authentication-helper:1",
                "name": "sidecar"
              }
            ]
          }
        }
      }
    }
    "#);
    assert_eq!(rendered.names[0].namespace, "development");
}

#[test]
fn a_changed_configuration_changes_the_pods() {
    let map = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{level: {value}}}\n")
    };
    let pods = |value| rendered(&[DEPLOYMENT, &map(value)]).expect("good manifests").objects[0].clone();
    assert_eq!(pods("info"), pods("info"));
    assert_ne!(pods("info"), pods("debug"));
}

#[test]
fn an_autoscaler_keeps_its_number_of_replicas() {
    let with_replicas = DEPLOYMENT.replace("spec:\n  template", "spec:\n  replicas: 3\n  template");
    let autoscaler = |name: &str| {
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\nspec: \
             {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}, maxReplicas: 9}}\n"
        )
    };
    let replicas =
        |texts: &[&str]| rendered(texts).expect("good manifests").objects[0]["spec"]["replicas"].clone();
    assert_eq!(replicas(&[&with_replicas, &autoscaler("another")]), 3);
    assert_eq!(replicas(&[&with_replicas, &autoscaler("authentication")]), serde_json::Value::Null);
}

#[test]
fn what_may_not_be_applied_is_refused_with_file_and_name() {
    let refused = |text: &str| rendered(&[text]).expect_err("it is refused");
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n"), @"`kubernetes/auth.yaml` holds the cluster-wide Namespace `mine`; leave it out, or let the operator's file say `policy: {cluster_wide: true}`");
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: production}\n"), @"ConfigMap `c` in `kubernetes/auth.yaml` names the namespace `production`, the environment's is `development`; leave `metadata.namespace` out");
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"), @"no container of `authentication` uses the image `vive-sphere/authentication`; name it in the manifest's `image`");
    insta::assert_snapshot!(refused("kind: ConfigMap\n"), @"an object in `kubernetes/auth.yaml` lacks `apiVersion`, `kind` or `metadata.name`");
    insta::assert_snapshot!(refused("---\n"), @"the manifests of `authentication` hold no object");
    assert!(refused("a: [").starts_with("`kubernetes/auth.yaml` is not valid YAML: "));
}

#[test]
fn what_lies_in_no_namespace_is_taken_where_the_operators_file_says_so() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: mine, namespace: development}\n".to_owned();
    let files = [ManifestFile { path: "kubernetes/mine.yaml".to_owned(), text }];
    let (environment, sha) = (name("development"), a_sha(1));
    let target =
        Target { environment: &environment, namespace: "development", sha: &sha, cluster_wide: true };
    let rendered = render(&files, &target, None, &a_component("mine"), "vive-sphere/bot-manager/mine");
    let rendered = rendered.expect("it is taken");
    assert_eq!(rendered.names[0].to_string(), "Namespace `mine`");
    assert_eq!(
        rendered.objects[0]["metadata"]["annotations"]["slipway.dev/owner"],
        "vive-sphere/bot-manager/mine"
    );
}

fn begin() -> (World, Task, Deployment<MemoryStore, MemoryArtifacts, MemoryCluster>) {
    let world = World::new();
    let (head, service) = (a_run_at(PhaseKind::Rollout), a_service("service-1"));
    let published =
        passed(a_task(&head, "publish/service-1", &service), Output::Image { image: pinned(), log: None });
    let task = a_task(&head, "deploy/service-1@development", &service);
    world.store.put(&head, &[published, task.clone()]);
    world.artifacts.store(&domain::keys::source(&head.id), a_commit(&a_plan(1)));
    let (store, artifacts, cluster) = (world.store.clone(), world.artifacts.clone(), world.cluster.clone());
    (world, task, Deployment { store, artifacts, cluster })
}

#[tokio::test]
async fn a_release_is_recorded_and_applied() {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: 2 objects applied in `development`");
    let objects: Vec<_> =
        world.cluster.objects().into_keys().map(|name| format!("{}/{}", name.kind, name.name)).collect();
    assert_eq!(objects, ["Deployment/service-1", "Service/service-1"]);
}

#[tokio::test]
async fn who_finds_the_lock_taken_waits_and_who_is_overtaken_ends() {
    let (world, task, work) = begin();
    let other = delivered_to(&domain::run::Run::new(&testkit::builders::a_request(2), world.clock.now()), 2);
    let (repository, environment) = (&other.id.repository, testkit::builders::name("development"));
    let first = domain::ids::RunId { sha: testkit::builders::a_sha(3), ..other.id.clone() };
    world
        .store
        .lock(repository, &environment, &first, Ticket { number: 0, round: 0 }, Waiting::Newest)
        .await
        .expect("memory answers");
    wake(&world, &task, &work).await;
    assert!(world.cluster.applies().is_empty(), "another run has the lock");

    world
        .store
        .unlock(repository, &environment, &first, Ticket { number: 0, round: 0 })
        .await
        .expect("memory answers");
    world
        .store
        .lock(repository, &environment, &other.id, Ticket { number: 2, round: 0 }, Waiting::Newest)
        .await
        .expect("memory answers");
    world
        .store
        .unlock(repository, &environment, &other.id, Ticket { number: 2, round: 0 })
        .await
        .expect("memory answers");
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Superseded: number 2 has been deployed to `development` since; this run is number 1");
    assert!(world.cluster.applies().is_empty(), "a newer release is there");
}

/// SQS may deliver a wake twice; one of the two invocations sleeps at any of its calls until the run has ended.
#[tokio::test]
async fn an_invocation_that_slept_through_the_end_of_its_run_takes_no_lock_and_applies_nothing() {
    for polls in 1.. {
        let (world, task, work) = begin();
        world.wire.interleave();
        let mut sleeper = Box::pin(wake(&world, &task, &work));
        let mut context = Context::from_waker(Waker::noop());
        if (0..polls).any(|_| sleeper.as_mut().poll(&mut context).is_ready()) {
            assert!(polls > 10, "it has slept at each of its calls");
            return;
        }
        let looks = world.wire.count("store.lock");
        wake(&world, &task, &work).await;
        let environment = testkit::builders::name("development");
        world
            .store
            .unlock(&task.run.repository, &environment, &task.run, Ticket { number: 9, round: 9 })
            .await
            .expect("memory answers");
        let applied = world.cluster.applies().len();

        sleeper.await;
        assert_eq!(world.store.lock_holders(), [], "asleep at call {polls}");
        // After its second look it is on its way to the API server.
        if looks < 2 {
            assert_eq!(world.cluster.applies().len(), applied, "asleep at call {polls}");
        }
    }
}

/// Whoever lies still for longer than a look at the lock holds changes nothing any more, wherever he fell asleep.
#[tokio::test]
async fn a_long_sleeper_applies_nothing_once_the_service_is_on_its_way_back() {
    for polls in 1.. {
        let (world, task, work) = begin();
        world.wire.interleave();
        let mut sleeper = Box::pin(wake(&world, &task, &work));
        let mut context = Context::from_waker(Waker::noop());
        if (0..polls).any(|_| sleeper.as_mut().poll(&mut context).is_ready()) {
            return;
        }
        wake(&world, &task, &work).await;
        let environment = testkit::builders::name("development");
        let service = testkit::builders::name("service-1");
        let (current, _) =
            world.store.releases(&task.run.repository, &environment, &service).await.expect("memory answers");
        let bad = current.expect("a release");
        let back = Release { turn: bad.turn + 2, manifests: "1".repeat(64), ..bad };
        let written = world.store.set_current(&environment, &back).await.expect("memory answers");
        assert_eq!(written, domain::ports::Written::Yes);
        let applied = world.cluster.applies().len();
        world.clock.advance(STANDING_HOLDS);

        sleeper.await;
        assert_eq!(world.cluster.applies().len(), applied, "asleep at call {polls}");
    }
}

/// The service's next release, whose manifests name one object less.
#[tokio::test]
async fn what_the_manifests_no_longer_name_is_pruned_as_far_as_it_is_the_services_own() {
    let (world, task, work) = begin();
    let more = |name: &str| domain::task::ObjectName {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: "development".to_owned(),
        name: name.to_owned(),
    };
    let object = |name: &str, owner: &str, prune: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "development",
            "annotations": { "slipway.dev/owner": owner, "slipway.dev/prune": prune } } })
    };
    let own = "vive-sphere/bot-manager/service-1";
    let objects = [
        object("old", own, ""),
        object("kept", own, "keep"),
        object("moved", "vive-sphere/bot-manager/service-2", ""),
    ];
    world.cluster.apply(&objects, Conflicts::Refuse, &()).await.expect("memory answers");
    let before = Release {
        service: "service-1".parse().expect("a name"),
        run: domain::ids::RunId { sha: testkit::builders::a_sha(9), ..task.run.clone() },
        fence: 0,
        turn: 0,
        image: None,
        manifests: "0".repeat(64),
        objects: ["old", "moved"].map(more).to_vec(),
        leftovers: vec![more("kept"), more("gone")],
        at: world.clock.now(),
    };
    let environment = testkit::builders::name("development");
    let written = world.store.set_current(&environment, &before).await.expect("memory answers");
    assert_eq!(written, domain::ports::Written::Yes);

    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Passed: 2 objects applied in `development`; pruned: ConfigMap `development/old`; kept: ConfigMap `development/kept`, since its annotation says so");
    let left: Vec<_> = world.cluster.objects().into_keys().map(|name| name.name).collect();
    assert_eq!(left, ["service-1", "kept", "moved", "service-1"]);
    let (current, _) = world
        .store
        .releases(&task.run.repository, &environment, &before.service)
        .await
        .expect("memory answers");
    assert_eq!(
        current.expect("a release").leftovers,
        [more("kept")],
        "what is kept is asked for again next time"
    );
}

/// Asks what another deploy would change; answers the timeline's newest line.
async fn rehearsed(
    world: &World,
    task: &Task,
    work: &Deployment<MemoryStore, MemoryArtifacts, MemoryCluster>,
) -> String {
    let before = (world.store.heads(), world.store.tasks_of(&task.run), world.cluster.objects());
    let request = format!("look-{}", world.wire.calls().len());
    let asked = Rerun {
        run: task.run.clone(),
        task: task.id.clone(),
        request: Some(testkit::builders::name(&request)),
        cascade: false,
        dry_run: true,
    };
    for _ in 0..2 {
        ask(world, Ask::Rerun(asked.clone()), work).await;
    }
    let after = (world.store.heads(), world.store.tasks_of(&task.run), world.cluster.objects());
    assert_eq!(before, after, "a dry run changes nothing");
    let mut told: Vec<String> = world.store.entries(&task.run).into_iter().map(|entry| entry.what).collect();
    told.retain(|what| what.starts_with("a dry run says"));
    told.pop().expect("it is told")
}

#[tokio::test]
async fn a_dry_run_tells_what_the_cluster_would_make_of_it() {
    let (world, task, work) = begin();
    wake(&world, &task, &work).await;
    let verdict = Verdict::failed("it did not serve", Output::None);
    let failed = Task { state: State::Done { verdict }, ..stored(&world, &task) };
    let mut head = world.store.heads().remove(0);
    head.phases[2].failed = 1;
    head.state = RunState::Finished(RunOutcome::Failed);
    world.store.put(&head, &[failed]);
    insta::assert_snapshot!(rehearsed(&world, &task, &work).await, @"a dry run says: attempt 2 of `deploy/service-1@development` continues the run when it passes; attempt 1 ended so: it did not serve; in `development` nothing would change");

    let path = "top/infrastructure/kubernetes/service-1-deployment.yaml";
    let manifest = DEPLOYMENT.replace("vive-sphere/authentication:latest", "vive-sphere/service-1:latest");
    world.artifacts.store(&domain::keys::source(&task.run), a_zip(&[(path, manifest.as_str())]));
    insta::assert_snapshot!(rehearsed(&world, &task, &work).await, @"a dry run says: attempt 2 of `deploy/service-1@development` continues the run when it passes; attempt 1 ended so: it did not serve; in `development` it would make Deployment `development/authentication`; prune Deployment `development/service-1`, where it is still its own; prune Service `development/service-1`, where it is still its own");

    world.artifacts.store(&domain::keys::source(&task.run), a_zip(&[(path, "kind: [")]));
    let told = rehearsed(&world, &task, &work).await;
    assert!(
        told.contains(
            "; it would fail: `infrastructure/kubernetes/service-1-deployment.yaml` is not valid YAML"
        ),
        "{told}"
    );
}

#[tokio::test]
async fn what_the_policy_forbids_reaches_nothing() {
    let (world, task, work) = begin();
    let manifest = DEPLOYMENT
        .replace("    spec:\n", "    spec:\n      hostNetwork: true\n")
        .replace("vive-sphere/authentication:latest", "vive-sphere/service-1:latest");
    let path = "top/infrastructure/kubernetes/service-1-deployment.yaml";
    world.artifacts.store(&domain::keys::source(&task.run), a_zip(&[(path, manifest.as_str())]));
    wake(&world, &task, &work).await;
    insta::assert_snapshot!(verdict(&world, &task), @"Failed: `development` does not let this be applied. Deployment `development/authentication`: `spec.template.spec.hostNetwork`: pods do not share the namespaces of their node; leave it out, or let the operator's file say `policy: {pods: privileged}`");
    assert!(world.cluster.applies().is_empty());
    let (current, _) = world
        .store
        .releases(
            &task.run.repository,
            &testkit::builders::name("development"),
            &"service-1".parse().expect("a name"),
        )
        .await
        .expect("memory answers");
    assert_eq!(current, None, "nothing of it is a release");
}
