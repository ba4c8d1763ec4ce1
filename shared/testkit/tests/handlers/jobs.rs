//! deploy and verify: the Jobs of a rollout, and what becomes of a release where one fails.

use std::time::Duration;

use domain::ids::RunId;
use domain::keys;
use domain::ports::{Environments as _, Release, Written};
use domain::run::PhaseKind;
use domain::spec::{OnFailure, Plan, RolloutSpec, ServiceSpec};
use domain::task::{Output, PinnedImage, State, Task, Verdict};
use slipway_deploy::Deployment;
use slipway_verify::Verification;
use testkit::builders::{a_commit, a_digest, a_plan, a_service, a_sha, a_task, name};
use testkit::fakes::{Fate, MemoryArtifacts, MemoryCluster, MemoryStore, World};

use crate::{a_run_at, passed, stored, verdict, wake};

/// Both Jobs take half a minute.
const TAKES: Duration = Duration::from_secs(30);

struct Stage {
    world: World,
    deploy: Task,
    verify: Task,
    deploying: Deployment<MemoryStore, MemoryArtifacts, MemoryCluster>,
    verifying: Verification<MemoryStore, MemoryCluster>,
}

impl Stage {
    /// `service-1`, whose commit has a Job before and one after its pods, about to be deployed.
    fn set(on_failure: OnFailure) -> Self {
        let world = World::new();
        let rollout = RolloutSpec {
            pre_deploy: vec![name("infrastructure/kubernetes/migrate.yaml")],
            post_deploy: vec![name("infrastructure/kubernetes/warm.yaml")],
            on_failure,
        };
        let service = ServiceSpec {
            rollout,
            manifests: ["service-1-deployment", "settings"]
                .map(|file| name(&format!("infrastructure/kubernetes/{file}.yaml")))
                .to_vec(),
            ..a_service("service-1")
        };
        let head = a_run_at(PhaseKind::Rollout);
        let image = PinnedImage {
            repository: "registry.example/vive-sphere/service-1".to_owned(),
            digest: a_digest(7),
        };
        let published =
            passed(a_task(&head, "publish/service-1", &service), Output::Image { image, log: None });
        let deploy = a_task(&head, "deploy/service-1@development", &service);
        let verify = a_task(&head, "verify/service-1@development", &service);
        world.store.put(&head, &[published, deploy.clone(), verify.clone()]);
        let commit = a_commit(&Plan { services: vec![service], ..a_plan(0) });
        world.artifacts.store(&keys::source(&head.id), commit);
        for job in ["migrate", "warm"] {
            world.cluster.decide(&called(job, &head.id), Fate::Healthy { after: TAKES });
        }
        let (store, artifacts, cluster) =
            (world.store.clone(), world.artifacts.clone(), world.cluster.clone());
        let verifying = Verification { store: store.clone(), cluster: cluster.clone() };
        Self { world, deploy, verify, deploying: Deployment { store, artifacts, cluster }, verifying }
    }

    /// Something was verified before.
    async fn after_a_good_one(&self) -> Release {
        let before = Release {
            service: name("service-1"),
            run: RunId { sha: a_sha(9), ..self.deploy.run.clone() },
            fence: 0,
            turn: 0,
            image: None,
            manifests: "0".repeat(64),
            objects: Vec::new(),
            leftovers: Vec::new(),
            at: self.world.clock.now(),
        };
        let environment = name("development");
        let written = self.world.store.set_current(&environment, &before).await.expect("memory answers");
        assert_eq!(written, Written::Yes);
        self.world.store.set_verified(&environment, &before).await.expect("memory answers");
        before
    }

    /// What is applied so far, in its order.
    fn applied(&self) -> Vec<String> {
        let applies = self.world.cluster.applies();
        applies.into_iter().map(|applied| format!("{}/{}", applied.name.kind, applied.name.name)).collect()
    }

    async fn verified(&self) -> Option<Release> {
        let (repository, service) = (&self.deploy.run.repository, name("service-1"));
        let releases = self.world.store.releases(repository, &name("development"), &service).await;
        releases.expect("memory answers").1
    }
}

fn called(job: &str, run: &RunId) -> String {
    format!("{job}-{}-1", run.sha.short())
}

fn back(task: &Task) -> Option<&Release> {
    task.verdict().and_then(|verdict| verdict.roll_back.as_deref())
}

#[tokio::test]
async fn a_job_before_the_pods_has_to_end_first_and_one_after_them_before_the_release_counts() {
    let stage = Stage::set(OnFailure::RollBack);
    let (migrate, warm) = (called("migrate", &stage.deploy.run), called("warm", &stage.deploy.run));
    for _ in 0..3 {
        wake(&stage.world, &stage.deploy, &stage.deploying).await;
    }
    let applied = stage.applied();
    assert_eq!(applied, ["ConfigMap/settings".to_owned(), format!("Job/{migrate}")], "it waits for the Job");
    assert!(stage.world.cluster.applies()[1].object.to_string().contains(&a_digest(7).to_string()));

    stage.world.clock.advance(TAKES);
    wake(&stage.world, &stage.deploy, &stage.deploying).await;
    assert_eq!(stage.applied()[2..], ["Service/service-1", "Deployment/service-1"]);
    let deployed = verdict(&stage.world, &stage.deploy);
    let shown = deployed.replace(&migrate, "migrate-…");
    insta::assert_snapshot!(shown, @"Passed: 4 objects applied in `development`; Job `development/migrate-…` ended well");

    wake(&stage.world, &stage.verify, &stage.verifying).await;
    assert_eq!(stage.applied()[4..], [format!("Job/{warm}")], "it serves");
    assert_eq!(stage.verified().await, None, "the Job has not ended");
    stage.world.clock.advance(TAKES);
    wake(&stage.world, &stage.verify, &stage.verifying).await;
    let shown = verdict(&stage.world, &stage.verify).replace(&warm, "warm-…");
    insta::assert_snapshot!(shown, @"Passed: Job `development/warm-…` ended well");
    assert_eq!(stage.verified().await.map(|release| release.run), Some(stage.deploy.run.clone()));
}

#[tokio::test]
async fn where_a_job_fails_no_pod_is_touched_and_the_service_goes_back_or_is_held() {
    for (on_failure, ending) in [(OnFailure::RollBack, ""), (OnFailure::Hold, "; held as it is")] {
        let stage = Stage::set(on_failure);
        let before = stage.after_a_good_one().await;
        let migrate = called("migrate", &stage.deploy.run);
        let evidence = vec!["1 pod failed".to_owned(), "log: no such table".to_owned()];
        stage.world.cluster.decide(&migrate, Fate::Hopeless { evidence: evidence.clone() });
        wake(&stage.world, &stage.deploy, &stage.deploying).await;
        let told = verdict(&stage.world, &stage.deploy);
        assert_eq!(told, format!("Failed: Job `development/{migrate}`: 1 pod failed{ending}"));
        assert!(!stage.applied().iter().any(|object| object.starts_with("Deployment")));
        let deploy = stored(&stage.world, &stage.deploy);
        let output = deploy.verdict().map(|verdict| verdict.output.clone());
        assert_eq!(output, Some(Output::Evidence(evidence)));
        assert_eq!(back(&deploy), Some(&before).filter(|_| on_failure == OnFailure::RollBack));
    }
}

#[tokio::test]
async fn a_job_that_fails_after_the_pods_makes_the_release_bad() {
    for on_failure in [OnFailure::RollBack, OnFailure::Hold] {
        let stage = Stage::set(on_failure);
        let before = stage.after_a_good_one().await;
        let evidence = vec!["1 pod failed".to_owned()];
        stage.world.cluster.decide(&called("warm", &stage.deploy.run), Fate::Hopeless { evidence });
        wake(&stage.world, &stage.deploy, &stage.deploying).await;
        stage.world.clock.advance(TAKES);
        wake(&stage.world, &stage.deploy, &stage.deploying).await;
        wake(&stage.world, &stage.verify, &stage.verifying).await;
        assert_eq!(stage.verified().await, Some(before.clone()));
        let verify = stored(&stage.world, &stage.verify);
        assert!(verdict(&stage.world, &stage.verify).starts_with("Failed: Job "));
        assert_eq!(back(&verify), Some(&before).filter(|_| on_failure == OnFailure::RollBack));
    }
}

/// Going back restores configuration and pods; what a Job has done is done.
#[tokio::test]
async fn a_way_back_runs_no_job() {
    let stage = Stage::set(OnFailure::RollBack);
    wake(&stage.world, &stage.deploy, &stage.deploying).await;
    stage.world.clock.advance(TAKES);
    wake(&stage.world, &stage.deploy, &stage.deploying).await;
    let (repository, service) = (&stage.deploy.run.repository, name("service-1"));
    let releases = stage.world.store.releases(repository, &name("development"), &service).await;
    let good = releases.expect("memory answers").0.expect("it is deployed");
    let verdict = Verdict::failed("it did not serve", Output::None).rolling_back(Some(good));
    let failed = Task { state: State::Done { verdict }, ..stage.verify.clone() };
    let spec = stage.deploy.spec.clone();
    let back = Task::new(stage.deploy.run.clone(), name("deploy/service-1+rollback@development"), spec);
    let head = stage.world.store.heads().remove(0);
    stage.world.store.put(&head, &[failed, back.clone()]);
    let before = stage.applied().len();
    wake(&stage.world, &back, &stage.deploying).await;
    assert_eq!(
        stage.applied()[before..],
        ["ConfigMap/settings", "Service/service-1", "Deployment/service-1"],
    );
    let task = stored(&stage.world, &back);
    let Some(Output::Release(applied)) = task.verdict().map(|verdict| &verdict.output) else {
        panic!("{task:?}");
    };
    assert!(applied.after.is_empty() && applied.objects.iter().all(|object| object.kind != "Job"));
}
