//! Whole pipelines while everything around them fails: functions are killed, AWS throttles, answers 5xx and times out,
//! build events are lost, doubled and late. Every run ends as it was destined to, and nothing is lost or done twice.
//!
//! `make test` plays a few runs, `make chaos` a hundred. `SLIPWAY_CHAOS_RUNS` and `SLIPWAY_CHAOS_SEED` choose: the seed
//! decides over commits, their destinies and every fault of the n-th request of its kind; which request comes n-th is
//! up to the machine, so that a seed repeats what is hit and how hard, not each interleaving.

mod destiny;
mod judge;
mod nudge;
mod pushes;
mod report;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use local::light::Light;
use local::{Disturbance, Options};

use crate::cloud::in_cloud_with;
use crate::world::World;
use destiny::Fates;
pub(crate) use nudge::wake_as_sweep_would;
use report::Report;

/// Of the calls of functions so many fail.
const REQUESTS_PERCENT: u8 = 5;
/// Of the build events so many are lost, doubled or late.
const EVENTS_PERCENT: u8 = 30;
/// Longer than the functions' clients wait for an answer.
const HOLD: Duration = Duration::from_secs(6);
/// Of the invocations so many are killed in their midst, beside those that are killed at a call.
const KILLS_PERCENT: u8 = 4;
/// On AWS a message comes again after its queue's visibility timeout.
const REDELIVERY: Duration = Duration::from_secs(5);
/// Runs of one repository share environments and race for them.
const RUNS_OF_A_REPOSITORY: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn every_run_ends_right_while_functions_die_and_aws_fails() -> anyhow::Result<()> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("`{name}` is no number: {text}")),
        Err(_) => Ok(default),
    };
    let (runs, seed) = (number("SLIPWAY_CHAOS_RUNS", 8)?, number("SLIPWAY_CHAOS_SEED", 1)?);
    let runs = usize::try_from(runs)?;
    let repositories = runs.div_ceil(RUNS_OF_A_REPOSITORY).max(2);

    let fates = Fates::default();
    let mut options = Options::new(&local::workspace(), "story-chaos");
    options.operator_file = operator_file(&options.state_dir, repositories)?;
    let builds = fates.of_builds();
    options.light = Some(Light { builds, pods: destiny::of_pods(), ..Light::default() });
    in_cloud_with(options, async |world| play(world, &fates, repositories, runs, seed).await).await
}

async fn play(
    world: &World<'_>,
    fates: &Fates,
    repositories: usize,
    runs: usize,
    seed: u64,
) -> anyhow::Result<()> {
    let mut report = Report::begin(seed);
    world.cloud.disturb(&disturbance(seed)).await?;
    let pushed = pushes::all(world, fates, repositories, runs, seed).await?;
    report.pushed(&pushed);
    let ended = nudge::until_told(world, &pushed, &mut report).await;
    world.cloud.calm().await?;
    report.faults(world.cloud.disturbances().await?);
    report.tell();
    ended?;
    report.check_disturbed()?;
    nudge::until_empty(world).await?;
    judge::all(world, &pushed, &mut report).await
}

fn disturbance(seed: u64) -> Disturbance {
    Disturbance {
        seed,
        requests_percent: REQUESTS_PERCENT,
        events_percent: EVENTS_PERCENT,
        hold: HOLD,
        kills_percent: KILLS_PERCENT,
        redelivery: REDELIVERY,
    }
}

/// An operator's file that serves these repositories, each with an environment of its own for branch `develop`.
fn operator_file(state_dir: &Path, repositories: usize) -> anyhow::Result<std::path::PathBuf> {
    let mut text = String::from("version: 1\nrepositories:\n");
    for name in (1..=repositories).map(pushes::repository) {
        let _ = writeln!(text, "  - {{name: vive-sphere/{name}, installation: 1, environments: [{name}]}}");
    }
    text.push_str("environments:\n");
    for name in (1..=repositories).map(pushes::repository) {
        let _ = writeln!(
            text,
            "  {name}: {{branches: [develop], cluster: {{kubeconfig: true}}, namespace: {name}}}"
        );
    }
    text.push_str("notifications:\n  mail_sender: slipway@vivesphere.example\n");
    std::fs::create_dir_all(state_dir)?;
    let path = state_dir.join("operator.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}
