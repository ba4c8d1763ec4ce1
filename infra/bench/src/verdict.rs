//! From a webhook to the verdict on GitHub, without the builds: what Slipway itself adds to a developer's wait.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use jiff::Timestamp;
use local::{Aws, CheckMoments, Cloud, Record, Watch};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::pushes::{self, Sender};
use crate::report::Report;
use crate::statistics::median;
use crate::{output, scene};

/// A branch that is delivered nowhere: its runs test, and that is all.
const BRANCH: &str = "feature/bench";
/// The check run that branch protection requires.
const ROLL_UP: &str = "slipway";
/// Numbers of services, and measured runs of each.
const SIZES: [(usize, usize); 3] = [(1, 15), (10, 7), (100, 3)];
/// Runs before the measured ones of a size.
const WARM_UP: usize = 2;
/// When a run counts as hanging: a time for each, and one for each service.
const RUN_LIMIT_OF_ONE: Duration = Duration::from_mins(1);
const RUN_LIMIT_OF_MORE: Duration = Duration::from_secs(3);
/// The stand-in for GitHub is part of this process, so that looking disturbs nobody.
const POLL: Duration = Duration::from_millis(20);

/// Measures runs of each size, one after the other.
///
/// # Errors
/// When a run does not pass.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    output::progress("verdict: starting a cloud");
    scene::in_cloud(
        bench,
        |_| {},
        async |cloud| {
            let record = cloud.record();
            let watch = Watch::of(record).await?;
            let sender = Sender::instead_of_github(&bench.workspace, cloud)?;
            for (services, runs) in SIZES {
                let checkout =
                    pushes::checkout(services, &scene::checkout_of(&bench.workspace), record).await?;
                let limit = RUN_LIMIT_OF_ONE + RUN_LIMIT_OF_MORE * u32::try_from(services)?;
                let mut samples = Vec::new();
                for number in 1..=WARM_UP + runs {
                    let run = checkout.commit(&format!("Commit {number}")).await?;
                    // Forced: each number of services is a history of its own.
                    let branch = format!("HEAD:refs/heads/{BRANCH}");
                    checkout.git(&["push", "--quiet", "--force", "origin", &branch]).await?;
                    let sent = Timestamp::now();
                    sender.send_to(BRANCH, &run).await?;
                    let checks = until_concluded(cloud, &run, limit).await?;
                    let (head, _) = watch.until_told(&run, limit, |_, _| {}).await?;
                    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{run}: {:?}", head.state);
                    if number > WARM_UP {
                        let sample = Sample::of(record, &run, sent, &checks).await?;
                        output::progress(&format!(
                            "verdict of {services}: {} of {runs}: first check after {:.2} s",
                            number - WARM_UP,
                            sample.first_check,
                        ));
                        samples.push(sample);
                    }
                }
                tell(services, &samples, report)?;
            }
            Ok(())
        },
    )
    .await
}

/// The check runs as soon as the roll-up has its conclusion.
async fn until_concluded(cloud: &Cloud, run: &RunId, limit: Duration) -> anyhow::Result<Vec<CheckMoments>> {
    let deadline = Instant::now() + limit;
    loop {
        let checks = cloud.github().check_moments(&run.sha.to_string());
        if checks.iter().any(|check| check.name == ROLL_UP && check.concluded.is_some()) {
            return Ok(checks);
        }
        ensure!(Instant::now() < deadline, "run `{run}` has no verdict on GitHub within {limit:?}");
        sleep(POLL).await;
    }
}

/// One run, in seconds.
struct Sample {
    first_check: f64,
    last_build_started: f64,
    build_end_to_verdict: f64,
}

impl Sample {
    async fn of(
        record: &Record,
        run: &RunId,
        sent: Timestamp,
        checks: &[CheckMoments],
    ) -> anyhow::Result<Self> {
        let sent = seconds(sent);
        let first = checks.iter().map(|check| check.appeared).min().context("no check run")?;
        let roll_up = checks.iter().find(|check| check.name == ROLL_UP).and_then(|check| check.concluded);
        let verdict = seconds(roll_up.context("no roll-up")?);
        let (mut last_start, mut last_end) = (sent, sent);
        for build in builds_of(record, run).await? {
            let time = |name: &str| build[name].as_f64().with_context(|| format!("no `{name}`"));
            last_start = last_start.max(time("startTime")?);
            last_end = last_end.max(time("endTime")?);
        }
        Ok(Self {
            first_check: seconds(first) - sent,
            last_build_started: last_start - sent,
            build_end_to_verdict: verdict - last_end,
        })
    }
}

/// The builds of a run, as CodeBuild tells of them.
async fn builds_of(record: &Record, run: &RunId) -> anyhow::Result<Vec<Value>> {
    let aws = Aws::at(record.builds_url());
    let project = scene::output_of(record, "TestProjectName")?;
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut body = json!({ "projectName": project, "sortOrder": "DESCENDING" });
        if !token.is_null() {
            body["nextToken"] = token;
        }
        let list = aws.json("codebuild", "CodeBuild_20161006.ListBuildsForProject", &body).await?;
        let ids = json!({ "ids": list["ids"] });
        let answer = aws.json("codebuild", "CodeBuild_20161006.BatchGetBuilds", &ids).await?;
        let builds = answer["builds"].as_array().context("builds")?;
        let of_run = builds.iter().filter(|build| build.to_string().contains(&run.sha.to_string()));
        let before = found.len();
        found.extend(of_run.cloned());
        token = list["nextToken"].clone();
        // The newest come first; a page without any of this run's lies before it.
        if token.is_null() || found.len() == before {
            ensure!(!found.is_empty(), "run `{run}` has no build");
            return Ok(found);
        }
    }
}

fn tell(services: usize, samples: &[Sample], report: &mut Report) -> anyhow::Result<()> {
    for (what, value) in [
        ("webhook to first check", (|sample| sample.first_check) as fn(&Sample) -> f64),
        ("webhook to last build started", |sample| sample.last_build_started),
        ("last build's end to verdict", |sample| sample.build_end_to_verdict),
    ] {
        let values: Vec<f64> = samples.iter().map(value).collect();
        let middle = median(&values).context("no run was measured")?;
        report.add(format!("verdict of {services}, {what}"), middle, "s");
    }
    Ok(())
}

/// Seconds since 1970, in milliseconds' steps as CodeBuild tells them.
fn seconds(moment: Timestamp) -> f64 {
    moment.as_duration().as_secs_f64()
}
