//! Three environments in three clusters, through the real functions: the stack's own kubeconfig, a named one, and EKS
//! by name, where the roles of the template are what lets deploy and verify in.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::policy::Conflicts;
use domain::ports::{Application, Cluster as _, Rollout};
use domain::run::{RunOutcome, RunState};
use domain::task::ObjectName;
use hyper::Method;
use local::light::{Light, PodPretence};
use local::{Cloud, Options, Watch, Workbench};
use local_cluster::eks::{Eks, Reviewer};
use local_cluster::{Certificate, Token};
use local_engine::Engine;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const NAME: &str = "test-clusters";
const REGION: &str = "us-east-1";
const GROUP: &str = "slipway-deployer";
const LIMIT: Duration = Duration::from_mins(2);

const OPERATOR: &str = "version: 1
repositories:
  - {name: vive-sphere/bot-manager, installation: 1, environments: [development, staging, production]}
environments:
  development: {branches: [develop], cluster: {kubeconfig: true}, namespace: development}
  staging: {branches: [staging], cluster: {kubeconfig: blue}, namespace: shop}
  production: {branches: [main], cluster: {eks: production}, namespace: shop}
";

#[tokio::test(flavor = "multi_thread")]
async fn each_branch_lands_in_the_cluster_of_its_environment() -> anyhow::Result<()> {
    let operator_file = local::workspace().join(format!(".slipway/{NAME}.yaml"));
    std::fs::write(&operator_file, OPERATOR)?;
    let mut options = Options::new(&local::workspace(), NAME);
    options.light = Some(Light::default());
    options.operator_file = operator_file;
    let arn = format!("arn:aws:eks:{REGION}:000000000000:cluster/production");
    options.parameters = [
        ("EksClusterArns", arn.as_str()),
        // Nothing here has a network of its own: that the template takes them is all that shows.
        ("VpcSubnetIds", "subnet-1,subnet-2"),
        ("VpcSecurityGroupIds", "sg-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let cloud = Cloud::up(options, &|_: &str| {}).await?;
    let shutdown = CancellationToken::new();
    let played = Box::pin(play(&cloud, &shutdown)).await;
    shutdown.cancel();
    cloud.down().await?;
    played
}

async fn play(cloud: &Cloud, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let own = cloud.record().kubeconfig.clone().context("the cloud's own cluster")?;
    let own = Cluster::from_kubeconfig(&std::fs::read_to_string(own)?).await?;
    let staging = staging(cloud, shutdown).await?;
    let (production, eks) = production(cloud, shutdown).await?;

    let folder = local::workspace().join(format!(".slipway/{NAME}/checkout"));
    let bench =
        Workbench::of_services(1, &folder, cloud.record(), &"vive-sphere/bot-manager".parse()?).await?;
    let clusters = [("development", &own), ("shop", &staging), ("shop", &production)];
    for (number, branch) in ["develop", "staging", "main"].into_iter().enumerate() {
        bench.write("README.md", &format!("Delivered from `{branch}`\n"))?;
        let run = bench.push(branch, &format!("Deliver from {branch}")).await?;
        let (head, tasks) = Watch::of(cloud.record()).await?.until_told(&run, LIMIT, |_, _| {}).await?;
        ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
        for (index, (namespace, cluster)) in clusters.iter().enumerate() {
            let is_there = runs(cluster, namespace).await?;
            ensure!(is_there == (index <= number), "after `{branch}`, cluster {index}: {is_there}");
        }
    }
    // One for each of the two functions' own role.
    ensure!(eks.tokens().len() >= 2, "{} tokens", eks.tokens().len());
    Ok(())
}

/// Whether the service runs there.
async fn runs(cluster: &Cluster, namespace: &str) -> anyhow::Result<bool> {
    let workload = ObjectName {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: namespace.to_owned(),
        name: "service-001".to_owned(),
    };
    match cluster.rollout(&workload, Duration::from_secs(1)).await? {
        Rollout::Complete => Ok(true),
        Rollout::Hopeless(evidence) if evidence.iter().any(|line| line.contains("does not exist")) => {
            Ok(false)
        }
        other => anyhow::bail!("{other:?}"),
    }
}

/// A small cluster behind a kubeconfig of its own, which lies among the stack's secrets.
async fn staging(cloud: &Cloud, shutdown: &CancellationToken) -> anyhow::Result<Cluster> {
    let certificate = Certificate::generate()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://127.0.0.1:{}", listener.local_addr()?.port());
    let kubeconfig = local_cluster::kubeconfig(&url, "staging-token", Some(&certificate));
    serve(listener, "staging-token", Some(certificate), shutdown);
    let secret = json!({ "Name": format!("{NAME}/clusters/blue"), "SecretString": kubeconfig });
    cloud.aws().json("secretsmanager", "secretsmanager.CreateSecret", &secret).await?;
    with_namespace(&kubeconfig).await
}

/// A small cluster that only EKS's tokens get into. The local AWS answers `DescribeCluster` to who may ask it, and
/// judges the tokens by the access entries.
async fn production(cloud: &Cloud, shutdown: &CancellationToken) -> anyhow::Result<(Cluster, Eks)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let behind = listener.local_addr()?;
    let kubeconfig = local_cluster::kubeconfig(&format!("http://{behind}"), "behind", None);
    serve(listener, "behind", None, shutdown);

    let eks = Eks::new("production", REGION, Vec::new(), behind)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tokio::spawn(eks.clone().serve_cluster(listener, shutdown.clone())?);
    let aws = cloud.aws();
    let roles = ["DeployRoleArn", "VerifyRoleArn"].map(|role| cloud.record().outputs.get(role));
    let [Some(deploy), Some(verify)] = roles else { anyhow::bail!("the stack tells no roles") };
    // As on AWS the cluster has a role of its own; any will do.
    let cluster = json!({ "name": "production", "roleArn": deploy, "resourcesVpcConfig": {} });
    aws.rest(Method::POST, "eks", "/clusters", cluster.to_string()).await?;
    let stand_in = json!({ "endpoint": eks.endpoint(), "authority": eks.authority() });
    let told =
        aws.rest(Method::PUT, "slipway", "/_slipway/clusters/production", stand_in.to_string()).await?;
    let told: Value = serde_json::from_slice(&told)?;
    let review = told["review"].as_str().context("the path of the reviews")?;
    let url = format!("{}{review}", cloud.record().aws_url());
    eks.set_reviewer(Reviewer { url, group: GROUP.to_owned(), entry: "behind".to_owned() });
    for arn in [deploy, verify] {
        let entry = json!({ "principalArn": arn, "kubernetesGroups": [GROUP] });
        aws.rest(Method::POST, "eks", "/clusters/production/access-entries", entry.to_string()).await?;
    }
    Ok((with_namespace(&kubeconfig).await?, eks))
}

fn serve(listener: TcpListener, token: &str, certificate: Option<Certificate>, shutdown: &CancellationToken) {
    let options = local_cluster::Options {
        cloud: NAME.to_owned(),
        engine: Engine::at(Some("unix:///nonexistent/docker.sock".to_owned())),
        certificate,
        tokens: vec![Token::administrator(token)],
        image_rewrites: Vec::new(),
        helper_image: String::new(),
        folder: PathBuf::from(format!(".slipway/{NAME}/{token}")),
        back_off: Duration::from_secs(1),
        pretence: Some(PodPretence::ready()),
    };
    tokio::spawn(local_cluster::serve(listener, options, shutdown.clone()));
}

async fn with_namespace(kubeconfig: &str) -> anyhow::Result<Cluster> {
    let cluster = Cluster::from_kubeconfig(kubeconfig).await?;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    let applied = cluster.apply(&[namespace], Conflicts::Refuse, &()).await?;
    ensure!(matches!(applied, Application::Done { .. }), "{applied:?}");
    Ok(cluster)
}
