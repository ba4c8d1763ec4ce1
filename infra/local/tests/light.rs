//! The light cloud: a push of several services ends delivered without an engine, and every request is counted.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use domain::task::{Output, State, Task, Verdict};
use local::light::Light;
use local::{Cloud, Options, Watch, Workbench};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

const POLL: Duration = Duration::from_millis(100);

/// The registry's repository of the first service.
const IMAGES: &str = "vive-sphere/service_001";

const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_delivered_without_an_engine_and_its_requests_are_counted() -> anyhow::Result<()> {
    let mut options = Options::new(&local::workspace(), "test-light");
    options.light = Some(Light::default());
    options.parameters = vec![("DockerHubSecret".to_owned(), "test-light/dockerhub".to_owned())];
    let cloud = Cloud::up(options, &|_: &str| {}).await?;
    let played = Box::pin(play(&cloud)).await;
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
    only_image_builds_read_docker_hubs_login(cloud).await?;
    a_scan_decides(cloud, &bench).await
}

/// Where the operator names a secret, the image project has it by reference, and its role may read it; no other has.
async fn only_image_builds_read_docker_hubs_login(cloud: &Cloud) -> anyhow::Result<()> {
    for (project, expected) in [
        ("image", vec!["test-light/dockerhub:username", "test-light/dockerhub:token"]),
        ("test", vec![]),
        ("untrusted", vec![]),
    ] {
        let asked = json!({ "names": [format!("test-light-{project}")] });
        let answer = cloud.aws().json("codebuild", "CodeBuild_20161006.BatchGetProjects", &asked).await?;
        let found = &answer["projects"][0];
        let variables = found["environment"]["environmentVariables"].as_array().cloned().unwrap_or_default();
        let secrets = variables.iter().filter(|variable| variable["type"] == "SECRETS_MANAGER");
        let secrets: Vec<_> = secrets.filter_map(|variable| variable["value"].as_str()).collect();
        ensure!(secrets == expected, "{project}: {variables:?}");
        let role =
            found["serviceRole"].as_str().and_then(|role| role.rsplit('/').next()).context("a role")?;
        let policy =
            [("Action", "GetRolePolicy"), ("RoleName", role), ("PolicyName", &format!("{project}-project"))]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let policy = cloud.aws().query("iam", &policy).await?;
        ensure!(policy.contains("logs"), "{project}: no policy was found: {policy}");
        ensure!(policy.contains("dockerhub") == (project == "image"), "{project}: {policy}");
    }
    Ok(())
}

/// The registry's scan of an image goes on until it is told to end, and its event lets the run go on; what it finds then
/// keeps the next image back.
async fn a_scan_decides(cloud: &Cloud, bench: &Workbench) -> anyhow::Result<()> {
    let watch = Watch::of(cloud.record()).await?;
    let task = async |run: &RunId| -> anyhow::Result<Option<Task>> {
        let (_, tasks) = watch.run(run).await?.unzip();
        let published = |task: &Task| task.id.to_string() == "publish/service_001";
        Ok(tasks.into_iter().flatten().find(published))
    };
    cloud.decide_scans(IMAGES, &json!({ "status": "IN_PROGRESS" })).await?;
    let run = bench.push("develop", "Scan slowly").await?;
    let (deadline, mut ticks) = (Instant::now() + LIMIT, interval(POLL));
    loop {
        match task(&run).await? {
            Some(Task { state: State::Running { .. }, timer, .. }) if timer.due.is_some() => break,
            task => ensure!(Instant::now() < deadline, "publish does not wait: {task:?}"),
        }
        ticks.tick().await;
    }
    let begun = Instant::now();
    cloud.decide_scans(IMAGES, &json!({ "status": "COMPLETE", "findings": [finding("MEDIUM")] })).await?;
    let (head, tasks) = watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    ensure!(begun.elapsed() < Duration::from_secs(50), "its timer woke it, not the event");
    let published = task(&run).await?.context("it is there")?;
    let Some(Verdict { summary, output: Output::Image { image, .. }, .. }) = published.verdict() else {
        bail!("{published:?}");
    };
    ensure!(summary.ends_with("; the scan found 1 medium"), "{summary}");
    let released = format!("released-{}", image.digest.as_str().trim_start_matches("sha256:"));
    tagged(cloud, &["env-development", &released, run.sha.as_str()], image.digest.as_str()).await?;

    cloud.decide_scans(IMAGES, &json!({ "status": "COMPLETE", "findings": [finding("CRITICAL")] })).await?;
    let bad = bench.push("develop", "Bring a weakness").await?;
    let (head, tasks) = watch.until_told(&bad, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}\n{tasks:#?}", head.state);
    let refused = task(&bad).await?.context("it is there")?;
    let summary = refused.verdict().map_or("", |verdict| verdict.summary.as_str());
    ensure!(summary.contains("the worst is CVE-2026-1 (critical) in openssl 3.0.1"), "{summary}");
    tagged(cloud, &["env-development"], image.digest.as_str()).await
}

/// Waits until all of the tags name the digest: what is verified is tagged a moment later.
async fn tagged(cloud: &Cloud, tags: &[&str], digest: &str) -> anyhow::Result<()> {
    let (deadline, mut ticks) = (Instant::now() + LIMIT, interval(POLL));
    loop {
        let asked = json!({ "repositoryName": IMAGES, "imageIds": [{ "imageDigest": digest }] });
        let target = "AmazonEC2ContainerRegistry_V20150921.DescribeImages";
        let answer = cloud.aws().json("ecr", target, &asked).await?;
        let found = answer["imageDetails"][0]["imageTags"].as_array().cloned().unwrap_or_default();
        if tags.iter().all(|tag| found.iter().any(|known| known == tag)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{digest} has {found:?} instead of {tags:?}");
        ticks.tick().await;
    }
}

/// A finding of the severity, in ECR's words.
fn finding(severity: &str) -> Value {
    let attributes = json!([{ "key": "package_name", "value": "openssl" }, { "key": "package_version", "value": "3.0.1" }]);
    json!({ "name": "CVE-2026-1", "severity": severity, "attributes": attributes })
}
