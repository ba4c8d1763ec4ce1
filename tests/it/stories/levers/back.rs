//! A release that does not serve goes back to the last verified one; when its cause is mended, its deploy is run again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ids::RunId;
use domain::ports::{Cluster as _, Environments as _, Release, Rollout};
use domain::run::RunOutcome;
use local::{Workbench, seen};
use store::Store;

use super::{Causes, ended, refused, told, until_told, written};
use crate::world::World;

const MANIFEST: &str = "infrastructure/kubernetes/service_001-deployment.yaml";
const DEPLOY: &str = "deploy/service_001@development";

pub(super) async fn play(
    world: &World<'_>,
    bench: &Workbench,
    causes: &Causes,
    first: &RunId,
) -> anyhow::Result<()> {
    causes.no_database.store(true, Ordering::SeqCst);
    bench.edit(MANIFEST, "annotations: {}", "annotations: {fate: crashes}")?;
    let second = bench.push("develop", "Ask a database that is not there").await?;
    let (head, tasks) = until_told(world, &second, 0).await?;
    ended(&head, &tasks, RunOutcome::Failed)?;
    runs(world, first).await.context("after the way back")?;
    people_are_told(world, &second).await?;

    let error = refused(world, &["rerun", &written(&second), "verify/service_001@development"]).await?;
    ensure!(error.contains(&format!("went back to its last verified release; re-run `{DEPLOY}`")), "{error}");

    causes.no_database.store(false, Ordering::SeqCst);
    let said = told(world, &["rerun", &written(&second), DEPLOY, "--request", "database-is-back"]).await?;
    ensure!(said.contains("the request `database-is-back` is on the `deploy` queue"), "{said}");
    let (head, tasks) = until_told(world, &second, 1).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    runs(world, &second).await.context("after the re-run")?;
    let check = world.check(&second, "slipway / deliver development").await?;
    ensure!(check.conclusion.as_deref() == Some("success"), "{check:?}");
    let timeline = told(world, &["timeline", &written(&second)]).await?;
    ensure!(timeline.contains("goes back to its last verified release"), "{timeline}");
    ensure!(timeline.contains(&format!("attempt 2 of `{DEPLOY}` continues the run")), "{timeline}");
    Ok(())
}

/// The table says so, and the cluster has rolled it out: pods of the other release would crash.
async fn runs(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let store = Store::new(&local::sdk_config(world.record).await, world.output("TableName")?);
    let (environment, service) = ("development".parse()?, "service_001".parse()?);
    let releases = store.releases(&run.repository, &environment, &service).await;
    let (current, verified) = releases.map_err(|fault| anyhow::anyhow!("{}", fault.chain()))?;
    let of = |release: &Option<Release>| release.as_ref().map(|release| release.run.clone());
    ensure!(of(&current).as_ref() == Some(run), "current: {current:?}");
    ensure!(of(&verified).as_ref() == Some(run), "verified: {verified:?}");
    let kubeconfig = world.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let objects = current.map(|release| release.objects).unwrap_or_default();
    let workload = objects.iter().find(|object| object.kind == "Deployment").context("a Deployment")?;
    let rollout = cluster.rollout(workload, Duration::from_secs(20)).await;
    let rollout = rollout.map_err(|fault| anyhow::anyhow!("{}", fault.chain()))?;
    ensure!(matches!(rollout, Rollout::Complete), "{rollout:?}");
    Ok(())
}

async fn people_are_told(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    const SENTENCE: &str = "Its last verified release is back and serves: `service_001`.";
    let roll_up = world.check(run, "slipway").await?;
    ensure!(roll_up.conclusion.as_deref() == Some("failure"), "{roll_up:?}");
    let summary = roll_up.output.summary.unwrap_or_default();
    ensure!(summary.contains(SENTENCE) && summary.contains("exit"), "{summary}");
    let delivery = world.check(run, "slipway / deliver development").await?;
    ensure!(delivery.conclusion.as_deref() == Some("failure"), "{delivery:?}");
    let messages = seen::slack_messages(world.record).await?;
    let text = |message: &serde_json::Value| message["text"].as_str().unwrap_or_default().to_owned();
    let about: Vec<String> =
        messages.iter().map(text).filter(|text| text.contains(run.sha.short())).collect();
    ensure!(about.iter().any(|text| text.contains(SENTENCE)), "{about:#?}");
    Ok(())
}
