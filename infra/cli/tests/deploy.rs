//! `slipway deploy`: what it refuses, what it says beforehand, and how it ends, good and bad, with the real functions.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ids::RunId;
use domain::ports::{Cluster as _, Leftover};
use domain::run::{RunOutcome, RunState};
use domain::task::ObjectName;
use local::light::{Light, PodFate, PodPretence};
use local::{Cloud, Options, Watch, Workbench};
use serde_json::Value;
use tokio::process::Command;

const NAME: &str = "test-deploy";
const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_deployed_once_more_service_by_service() -> anyhow::Result<()> {
    let crashes = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&crashes);
    let pods = PodPretence::new(move |_| {
        if seen.load(Ordering::SeqCst) {
            PodFate::Crashes { code: 3, lines: vec!["no database".to_owned()] }
        } else {
            PodFate::Ready(Duration::ZERO)
        }
    });
    let mut options = Options::new(&local::workspace(), NAME);
    options.light = Some(Light { pods, ..Light::default() });
    let cloud = Cloud::up(options, &|_: &str| {}).await?;
    let played = Box::pin(play(&cloud, &crashes)).await;
    cloud.down().await?;
    played
}

async fn play(cloud: &Cloud, crashes: &AtomicBool) -> anyhow::Result<()> {
    let folder = local::workspace().join(format!(".slipway/{NAME}/checkout"));
    let bench =
        Workbench::of_services(2, &folder, cloud.record(), &"vive-sphere/bot-manager".parse()?).await?;
    let first = delivered(cloud, &bench, "Deliver two services").await?;
    what_cannot_be_is_refused(&first).await?;
    a_dry_run_changes_nothing(cloud, &first).await?;
    all_services_are_verified_anew(cloud, &first).await?;
    pods_that_crash_end_it(cloud, &first, crashes).await?;

    bench.write("README.md", "Something else\n")?;
    delivered(cloud, &bench, "Say something else").await?;
    let Said { good, out, error } = slipway(&["development", "--run", &written(&first)]).await?;
    ensure!(!good, "an older run went out: {out}{error}");
    ensure!(
        out.contains("deploy/service_001@development was superseded: number 2 has been deployed"),
        "{out}"
    );
    ensure!(out.contains("left alone because of that: `service_002`"), "{out}");
    Ok(())
}

async fn delivered(cloud: &Cloud, bench: &Workbench, message: &str) -> anyhow::Result<RunId> {
    let run = bench.push("develop", message).await?;
    let (head, tasks) = Watch::of(cloud.record()).await?.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    Ok(run)
}

async fn what_cannot_be_is_refused(run: &RunId) -> anyhow::Result<()> {
    let (written, id) = (written(run), run.to_string());
    let unknown = written.replace(run.sha.as_str(), &"0".repeat(40));
    for (arguments, expected) in [
        (vec!["production", "--run", &written], "is delivered to `development`, not to `production`"),
        (
            vec!["development", "--run", &id, "--service", "servce_001"],
            "does not deliver `servce_001`; did you mean `service_001`? it delivers `service_001`, `service_002`",
        ),
        (vec!["development", "--run", &unknown], "there is no run"),
        (
            vec!["development", "--run", &written, "--no-wait"],
            "one service at a time: name one with `--service`",
        ),
        (vec!["development", "--run", "bot-manager"], "names no run"),
    ] {
        let Said { good, out, error } = slipway(&arguments).await?;
        ensure!(!good && error.contains(expected), "{arguments:?}: {out}{error}");
    }
    Ok(())
}

async fn a_dry_run_changes_nothing(cloud: &Cloud, run: &RunId) -> anyhow::Result<()> {
    let watch = Watch::of(cloud.record()).await?;
    let before = watch.run(run).await?;
    let Said { good, out, error } = slipway(&["development", "--run", &written(run), "--dry-run"]).await?;
    ensure!(good, "{out}{error}");
    for service in ["service_001", "service_002"] {
        ensure!(out.contains(&format!("attempt 2 of `deploy/{service}@development`")), "{out}");
    }
    ensure!(out.matches("in `development` nothing would change").count() == 2, "{out}");
    ensure!(out.ends_with("nothing has changed: this was a dry run\n"), "{out}");
    ensure!(watch.run(run).await? == before, "something has moved");
    Ok(())
}

async fn all_services_are_verified_anew(cloud: &Cloud, run: &RunId) -> anyhow::Result<()> {
    let Said { good, out, error } = slipway(&["development", "--run", &written(run), "--json"]).await?;
    ensure!(good, "{out}{error}");
    let told: Value = serde_json::from_str(&out)?;
    ensure!(told["result"] == "good", "{told:#}");
    let services = told["services"].as_array().context("services")?;
    let verified =
        services.iter().filter(|one| one["outcome"] == "passed" && one["verify"]["outcome"] == "passed");
    ensure!(verified.count() == 2, "{told:#}");
    ensure!(error.contains("verify/service_002@development passed"), "no progress: {error}");
    let (_, tasks) = Watch::of(cloud.record()).await?.run(run).await?.context("the run is gone")?;
    let again = tasks.iter().filter(|task| task.attempt == 2).map(|task| task.id.stage.to_string());
    let again: Vec<String> = again.collect();
    ensure!(again == ["deploy", "deploy", "verify", "verify"], "{again:?}");
    Ok(())
}

/// Somebody has deleted a Deployment; what is made anew does not come up.
async fn pods_that_crash_end_it(cloud: &Cloud, run: &RunId, crashes: &AtomicBool) -> anyhow::Result<()> {
    let kubeconfig = cloud.record().kubeconfig.clone().context("a cluster")?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let deployment = ObjectName {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "development".to_owned(),
        name: "service-001".to_owned(),
    };
    let pruned = cluster.prune("vive-sphere/bot-manager/service_001", &[deployment], &()).await?;
    ensure!(pruned == Some(vec![Leftover::Pruned]), "{pruned:?}");
    crashes.store(true, Ordering::SeqCst);
    let deploy = ["development", "--run", &written(run), "--service", "service_001"];
    let Said { good, out, error } = slipway(&deploy).await?;
    ensure!(!good, "{out}{error}");
    ensure!(out.contains("deploy/service_001@development passed: "), "{out}");
    ensure!(
        out.contains("verify/service_001@development failed: Deployment `service-001` will not get healthy"),
        "{out}"
    );
    crashes.store(false, Ordering::SeqCst);
    Ok(())
}

struct Said {
    good: bool,
    out: String,
    error: String,
}

async fn slipway(arguments: &[&str]) -> anyhow::Result<Said> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    command.arg("deploy").args(arguments).args(["--name", NAME]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.context("it does not end")??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { good: output.status.success(), out: text(output.stdout), error: text(output.stderr) })
}

/// The run as people write it.
fn written(run: &RunId) -> String {
    format!("{}@{}", run.repository, run.sha)
}
