//! A migration that fails touches no pod; one that ends well is waited for, also by whoever comes after a killed deploy.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use domain::ids::Stage;
use domain::task::State;
use local::Workbench;

use super::live::Live;
use super::{CHECK, DEPLOY, failed, passed};
use crate::chaos;
use crate::world::{World, eventually};

const PIPELINE: &str = "infrastructure/ci_cd/pipeline.yaml";
const JOB: &str = "infrastructure/kubernetes/migrate.yaml";

pub(super) async fn play(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    bench.edit(PIPELINE, "  service_001: {}", &format!("  service_001: {{pre_deploy: [{JOB}]}}"))?;
    one_that_fails_touches_no_pod(world, bench).await.context("the Job that fails")?;
    the_deploy_is_killed_beside_it(world, bench).await.context("the killed deploy")
}

fn job(fate: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  backoffLimit: 0
  template:
    metadata: {{annotations: {{fate: {fate}}}}}
    spec:
      restartPolicy: Never
      containers: [{{name: migrate, image: vive-sphere/service_001, args: [migrate]}}]
"
    )
}

async fn one_that_fails_touches_no_pod(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let live = Live::of(world).await?;
    let before = live.deployment().await?;
    bench.write(JOB, &job("crashes"))?;
    let run = bench.push("develop", "Migrate what is not there").await?;
    let told = failed(world, &run).await?;
    let name = format!("migrate-{}-1", run.sha.short());
    ensure!(told.starts_with(&format!("Job `development/{name}`: the Job has failed")), "{told}");
    let check = world.check(&run, CHECK).await?;
    let said = format!("{:?}", check.output);
    ensure!(said.contains("no such table: users"), "its log is not told: {said}");
    ensure!(said.contains("(way back)"), "the service goes back: {said}");
    let after = live.deployment().await?;
    ensure!(after["spec"] == before["spec"], "{before} has become {after}");
    Ok(())
}

async fn the_deploy_is_killed_beside_it(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let live = Live::of(world).await?;
    bench.write(JOB, &job("slow"))?;
    let run = bench.push("develop", "Migrate slowly").await?;
    let name = format!("migrate-{}-1", run.sha.short());
    eventually("the Job runs", async || Ok(live.jobs().await?.contains(&name).then_some(()))).await?;
    let killed = kill(&world.record.name, Stage::Deploy)?;
    ensure!(killed > 0, "nobody deploys");
    let (_, tasks) = world.watch.run(&run).await?.context("the run is gone")?;
    let deploy = tasks.iter().find(|task| task.id.to_string() == DEPLOY).context("a deploy")?;
    ensure!(matches!(deploy.state, State::Starting { .. } | State::Running { .. }), "{deploy:?}");

    // Who comes next while the dead one has the lock waits for it.
    let next = bench.push("develop", "Come after a dead one").await?;
    eventually("the next one waits for the dead one", async || {
        let (_, tasks) = world.watch.run(&next).await?.unzip();
        let waits = tasks.iter().flatten().find_map(|task| task.waits.clone());
        Ok(waits.is_some_and(|why| why.contains(run.sha.short())).then_some(()))
    })
    .await?;
    chaos::wake_as_sweep_would(world, &run).await?;
    passed(world, &run).await?;
    passed(world, &next).await?;
    let jobs = live.jobs().await?;
    ensure!(
        jobs == [format!("migrate-{}-1", next.sha.short())],
        "each ran once, and the older one is pruned: {jobs:?}"
    );
    let deployment = live.deployment().await?;
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    let (_, tasks) = world.watch.run(&next).await?.context("the run is gone")?;
    let said = tasks
        .iter()
        .any(|task| format!("{:?}", task.verdict()).contains(image.rsplit('@').next().unwrap_or("-")));
    ensure!(said, "the cluster runs `{image}`, of which the run knows nothing");
    Ok(())
}

/// `kill -9` for every process of a function of this cloud; says how many there were.
fn kill(cloud: &str, stage: Stage) -> anyhow::Result<usize> {
    let program = format!("/.slipway/{cloud}/functions/{stage}-");
    let mut killed = 0;
    for process in fs::read_dir("/proc")?.flatten() {
        let Ok(executable) = fs::read_link(process.path().join("exe")) else { continue };
        if executable.to_string_lossy().contains(&program) {
            let id = process.file_name();
            killed += usize::from(Command::new("kill").arg("-9").arg(&id).status()?.success());
        }
    }
    Ok(killed)
}
