//! A cloud that is killed while a build runs in it, and the next one, in which a push goes to its end.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::run::{RunOutcome, RunState};
use local::{Record, Watch, Workbench};
use local_engine::Engine;
use tokio::time::{interval, timeout};

use crate::support::{self, Held, nothing_runs, slipway, state_dir};

const LIMIT: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(100);

/// One service that is tested only; `COMMAND` decides how.
const PIPELINE: &str = "version: 1
services:
  tiny:
    test: {command: 'COMMAND', coverage: none}
checks: {flake8: [], bandit: []}
";

async fn bench(record: &Record, command: &str) -> anyhow::Result<Workbench> {
    let files = support::Folder::empty()?;
    let folder = std::env::temp_dir().join(support::unique("slipway-checkout"));
    let repository = "vive-sphere/bot-manager".parse()?;
    let bench = Workbench::of_example(files.path(), &folder, record, &repository).await?;
    bench.write("backend/tiny/Dockerfile", "FROM scratch\n")?;
    bench.write("backend/tiny/tests/test_tiny.py", "def test_nothing():\n    pass\n")?;
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\n";
    bench.write("infrastructure/kubernetes/tiny-deployment.yaml", manifest)?;
    bench.write("infrastructure/ci_cd/pipeline.yaml", &PIPELINE.replace("COMMAND", command))?;
    Ok(bench)
}

async fn builds(engine: &Engine, name: &str) -> anyhow::Result<Vec<String>> {
    let label = format!("label=slipway.cloud={name}");
    let list = ["ps", "--quiet", "--filter", &label, "--filter", "label=slipway.build"];
    Ok(engine.output(&list).await?.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn a_cloud_killed_in_mid_run_is_cleared_away_and_the_next_one_works() -> anyhow::Result<()> {
    let name = support::unique("mid-run");
    let cloud = Held::again(&name, &["--port", "0"]).await?;
    let (record, traces) = (cloud.record()?, cloud.traces_now()?);
    let engine = Engine::at(record.engine_host.clone());
    let bench_of_first = bench(&record, "sleep 600").await?;
    bench_of_first.push("main", "Sleep in a test").await?;
    let mut ticks = interval(POLL);
    let begun = async {
        while builds(&engine, &name).await?.is_empty() {
            ticks.tick().await;
        }
        anyhow::Ok(())
    };
    timeout(LIMIT, begun).await.context("no build begins")??;

    cloud.kill().await?;
    let down = slipway(&["local", "down", "--name", &name]).await?;
    ensure!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    traces.assert_gone().await?;
    nothing_runs(&name)?;
    std::fs::remove_dir_all(bench_of_first.folder())?;

    let cloud = Held::again(&name, &["--port", "0"]).await?;
    let (record, traces) = (cloud.record()?, cloud.traces_now()?);
    let bench = bench(&record, "pytest backend/tiny").await?;
    let run = bench.push("main", "Test at once").await?;
    let (head, tasks) = Watch::of(&record).await?.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}, {tasks:?}", head.state);
    std::fs::remove_dir_all(bench.folder())?;
    cloud.end_in_order().await?;
    traces.assert_gone().await?;
    ensure!(!state_dir(&name).exists());
    Ok(())
}
