//! EKS by a cluster's name: what is signed, for how long it is good, and what people are told where it goes wrong.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use cluster::Clusters;
use domain::ids::{ClusterAccess, EksCluster};
use domain::ports::{Advice, Clusters as _, Fault};
use local_cluster::eks::{Condition, Eks, Principal};
use testkit::fakes::{MemorySecrets, Wire};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::places::{Small, apply, told};

const REGION: &str = "eu-west-1";

/// EKS with one cluster, `prod`, and the functions' way to it.
struct Scene {
    eks: Eks,
    clusters: Clusters<MemorySecrets>,
    /// How far the functions' clock is ahead.
    ahead: Arc<Mutex<Duration>>,
    _small: Small,
    _shutdown: DropGuard,
}

fn deployer() -> Principal {
    Principal {
        access_key: "ASIADEPLOY".to_owned(),
        secret_key: "secret/of+deploy".to_owned(),
        session_token: Some("session/token+with=signs".to_owned()),
        may_describe: true,
        entry: Some("behind".to_owned()),
    }
}

impl Scene {
    async fn of(principal: Principal) -> anyhow::Result<Self> {
        let small = Small::taking("behind").await?;
        let (api, cluster) =
            (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let endpoint = format!("http://{}", api.local_addr()?);
        let credentials = Credentials::new(
            &principal.access_key,
            &principal.secret_key,
            principal.session_token.clone(),
            None,
            "test",
        );
        let eks = Eks::new("prod", REGION, vec![principal], small.address)?;
        let shutdown = CancellationToken::new();
        tokio::spawn(eks.clone().serve_api(api, shutdown.clone()));
        tokio::spawn(eks.clone().serve_cluster(cluster, shutdown.clone())?);
        let config = testkit::aws::config(&endpoint)
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let ahead = Arc::new(Mutex::new(Duration::ZERO));
        let clock = {
            let ahead = Arc::clone(&ahead);
            Arc::new(move || SystemTime::now() + *ahead.lock().expect("unpoisoned"))
        };
        let secrets = MemorySecrets::new(&Wire::default());
        let clusters = Clusters::new(&config, secrets, "own", "stack/clusters/").with_clock(clock);
        Ok(Self { eks, clusters, ahead, _small: small, _shutdown: shutdown.drop_guard() })
    }

    async fn apply(&self) -> String {
        match self.reach("prod").await {
            Ok(cluster) => told(apply(&cluster).await),
            Err(fault) => fault.chain(),
        }
    }

    async fn reach(&self, name: &str) -> Result<cluster::Cluster, Fault> {
        let region = Some(REGION.parse().expect("a region"));
        let cluster = EksCluster { name: name.parse().expect("a name"), region };
        self.clusters.reach(&ClusterAccess::Eks(cluster)).await
    }

    /// Time goes by for everybody.
    fn wait(&self, time: Duration) {
        *self.ahead.lock().expect("unpoisoned") += time;
        self.eks.set_ahead(*self.ahead.lock().expect("unpoisoned"));
    }
}

#[tokio::test]
async fn a_cluster_is_described_once_and_takes_what_is_signed() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    for _ in 0..3 {
        assert_eq!(scene.apply().await, "applied");
    }
    assert_eq!((scene.eks.described(), scene.eks.tokens().len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    assert_eq!(scene.apply().await, "applied");
    scene.wait(Duration::from_mins(9));
    assert_eq!((scene.apply().await.as_str(), scene.eks.tokens().len()), ("applied", 1));
    scene.wait(Duration::from_mins(2));
    assert_eq!((scene.apply().await.as_str(), scene.eks.tokens().len()), ("applied", 2));
    // As after a night in which nobody called.
    scene.wait(Duration::from_hours(8));
    assert_eq!((scene.apply().await.as_str(), scene.eks.tokens().len()), ("applied", 3));
    assert_eq!(scene.eks.described(), 1, "the cluster is where it was");
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_refused_is_made_anew_once() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    // The authenticator's clock alone: what we sign is old for it, however often.
    scene.eks.set_ahead(Duration::from_mins(20));
    for _ in 0..2 {
        let refused = scene.apply().await;
        assert!(refused.contains("an access entry in EKS"), "{refused}");
    }
    assert_eq!(scene.eks.described(), 2, "asked again because of the refusal, once");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_is_made_anew_is_found_again() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    let endpoint = scene.eks.endpoint();
    scene.eks.set_endpoint("https://127.0.0.1:9");
    let cluster = scene.reach("prod").await?;
    scene.eks.set_endpoint(&endpoint);
    assert_eq!(told(apply(&cluster).await), "applied");
    Ok(())
}

#[tokio::test]
async fn who_has_no_access_entry_is_told_so() -> anyhow::Result<()> {
    let scene = Scene::of(Principal { entry: None, ..deployer() }).await?;
    let refused = scene.apply().await;
    assert!(refused.contains("give the function's role an access entry in EKS"), "{refused}");
    assert!(!refused.contains("k8s-aws-v1"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn what_eks_refuses_is_told_with_the_next_step() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    let gone = scene.reach("staging").await.err().expect("a refusal");
    assert_eq!(
        (gone.advice, gone.chain().as_str()),
        (
            Advice::Reject,
            "EKS cluster `staging` in `eu-west-1` cannot be described: there is no such cluster; the operator's file \
             names it (`cluster: {eks: …, region: …}`)"
        )
    );
    let scene = Scene::of(Principal { may_describe: false, ..deployer() }).await?;
    let denied = scene.reach("prod").await.err().expect("a refusal");
    assert_eq!(
        (denied.advice, denied.chain().as_str()),
        (
            Advice::Reject,
            "EKS cluster `prod` in `eu-west-1` cannot be described: User: ASIADEPLOY is not authorized to perform: \
             eks:DescribeCluster on resource: arn:aws:eks:eu-west-1:000000000000:cluster/prod; add the cluster's ARN to \
             the stack's parameter `EksClusterArns`"
        )
    );
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_is_not_ready_is_waited_for_and_one_that_goes_is_not() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    for (status, advice, expected) in [
        ("CREATING", Advice::Retry(None), "it is still being made"),
        ("DELETING", Advice::Reject, "its status is DELETING"),
        ("FAILED", Advice::Reject, "its status is FAILED"),
    ] {
        scene.eks.set_condition(Condition { status, public: true });
        let fault = scene.reach("prod").await.err().expect("a fault");
        assert_eq!(fault.advice, advice, "{status}");
        assert!(fault.chain().ends_with(expected), "{}", fault.chain());
    }
    for status in ["ACTIVE", "UPDATING"] {
        scene.eks.set_condition(Condition { status, public: true });
        assert_eq!(scene.apply().await, "applied", "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_private_endpoint_that_nobody_reaches_names_the_parameters() -> anyhow::Result<()> {
    let scene = Scene::of(deployer()).await?;
    scene.eks.set_condition(Condition { status: "ACTIVE", public: false });
    scene.eks.set_endpoint("https://127.0.0.1:9");
    let cluster = scene.reach("prod").await?;
    let fault = apply(&cluster).await.expect_err("a fault");
    assert_eq!(fault.advice, Advice::Retry(None));
    let expected =
        "its endpoint is private: set the stack's parameters `VpcSubnetIds` and `VpcSecurityGroupIds`";
    assert!(fault.chain().contains(expected), "{}", fault.chain());
    Ok(())
}
