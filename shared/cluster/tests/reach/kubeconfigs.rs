//! Kubeconfigs in secrets: each environment its own, seen anew once they are refused.

use cluster::Clusters;
use domain::ids::ClusterAccess;
use domain::ports::Clusters as _;
use testkit::fakes::{MemorySecrets, Wire};

use crate::places::{Small, apply, told};

fn clusters(secrets: &MemorySecrets) -> Clusters<MemorySecrets> {
    Clusters::new(&testkit::aws::config("http://127.0.0.1:9"), secrets.clone(), "own", "stack/clusters/")
}

fn named(name: &str) -> ClusterAccess {
    ClusterAccess::NamedKubeconfig(name.parse().expect("a name"))
}

#[tokio::test]
async fn each_environment_has_its_own_cluster() -> anyhow::Result<()> {
    let (ours, other) = (Small::taking("ours").await?, Small::taking("other").await?);
    let secrets = MemorySecrets::new(&Wire::default());
    secrets.keep("own", &ours.kubeconfig("ours"));
    secrets.keep("stack/clusters/other", &other.kubeconfig("other"));
    // The other one's server with our token: it takes none of it.
    secrets.keep("stack/clusters/mixed", &other.kubeconfig("ours"));
    let clusters = clusters(&secrets);

    assert_eq!(told(apply(&clusters.reach(&ClusterAccess::Kubeconfig).await?).await), "applied");
    assert_eq!(told(apply(&clusters.reach(&named("other")).await?).await), "applied");
    let refused = told(apply(&clusters.reach(&named("mixed")).await?).await);
    assert!(refused.contains("does not accept the credentials; renew the kubeconfig's secret"), "{refused}");
    let missing = clusters.reach(&named("gone")).await.err().map(|fault| fault.chain());
    assert_eq!(missing.as_deref(), Some("there is no secret `stack/clusters/gone`"));
    Ok(())
}

#[tokio::test]
async fn a_rotated_kubeconfig_is_seen_once_it_is_refused() -> anyhow::Result<()> {
    let small = Small::taking("new").await?;
    let (wire, access) = (Wire::default(), ClusterAccess::Kubeconfig);
    let secrets = MemorySecrets::new(&wire);
    secrets.keep("own", &small.kubeconfig("old"));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&access).await?;

    secrets.keep("own", &small.kubeconfig("new"));
    assert_eq!(told(apply(&cluster).await), "applied");
    assert_eq!(told(apply(&clusters.reach(&access).await?).await), "applied");
    assert_eq!((asked(&wire, "secrets.secret"), asked(&wire, "secrets.fresh")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_has_moved_is_found_again() -> anyhow::Result<()> {
    let small = Small::taking("token").await?;
    let secrets = MemorySecrets::new(&Wire::default());
    secrets.keep("own", &local_cluster::kubeconfig("http://127.0.0.1:9", "token", None));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&ClusterAccess::Kubeconfig).await?;

    secrets.keep("own", &small.kubeconfig("token"));
    assert_eq!(told(apply(&cluster).await), "applied");
    Ok(())
}

#[tokio::test]
async fn what_is_refused_for_good_is_asked_for_once() -> anyhow::Result<()> {
    let small = Small::taking("another").await?;
    let wire = Wire::default();
    let secrets = MemorySecrets::new(&wire);
    secrets.keep("own", &small.kubeconfig("old"));
    let clusters = clusters(&secrets);
    let cluster = clusters.reach(&ClusterAccess::Kubeconfig).await?;

    for _ in 0..3 {
        let refused = told(apply(&cluster).await);
        assert!(refused.contains("renew the kubeconfig's secret"), "{refused}");
    }
    assert_eq!(asked(&wire, "secrets.fresh"), 1);
    Ok(())
}

fn asked(wire: &Wire, call: &str) -> usize {
    wire.count(call)
}
