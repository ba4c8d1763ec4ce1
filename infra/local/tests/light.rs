//! The light cloud: a push of several services ends delivered without an engine, and every request is counted.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::run::{RunOutcome, RunState};
use local::light::Light;
use local::{Cloud, Options, Watch, Workbench};

const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_delivered_without_an_engine_and_its_requests_are_counted() -> anyhow::Result<()> {
    let mut options = Options::new(&local::workspace(), "test-light");
    options.light = Some(Light::default());
    let cloud = Cloud::up(options, &|_: &str| {}).await?;
    let played = play(&cloud).await;
    cloud.down().await?;
    played
}

async fn play(cloud: &Cloud) -> anyhow::Result<()> {
    let folder = local::workspace().join(".slipway/test-light/checkout");
    let bench =
        Workbench::of_services(2, &folder, cloud.record(), &"vive-sphere/bot-manager".parse()?).await?;
    cloud.reset_requests().await?;
    let run = bench.push("develop", "Deliver two services").await?;
    let (head, tasks) = Watch::of(cloud.record()).await?.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);

    let requests = cloud.requests().await?;
    let images = requests.aws.iter().filter(|entry| entry.caller == "build" && entry.service == "ecr");
    ensure!(images.map(|entry| entry.count).sum::<u64>() >= 2, "ECR is not asked by build");
    // A build that ends at once tells so before its start is written: it is started again under the same token, which
    // CodeBuild answers with the same build.
    let starts = requests.builds.get("StartBuild").copied().unwrap_or_default();
    ensure!((6..=12).contains(&starts), "{:?}", requests.builds);
    let checks = requests.github.get("POST /repos/{owner}/{repo}/check-runs").context("check runs")?;
    ensure!(*checks >= 6, "{:?}", requests.github);
    Ok(())
}
