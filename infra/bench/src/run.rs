//! The time of one run of six stages with builds that do nothing: from the webhook to the last notification.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use jiff::Timestamp;
use local::{Cloud, Record, Watch, seen};
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::process::{processor_time, running_from};
use crate::pushes::{self, BRANCH, Sender};
use crate::report::Report;
use crate::statistics::{count, median, percentile};
use crate::{logs, output, scene};

/// Runs before the measured ones: each function must be warm.
const WARM_UP: usize = 3;
/// Measured runs.
const RUNS: usize = 15;
/// What a run is promised to take at most, in seconds.
const MOST_SECONDS: f64 = 0.55;
const RUN_LIMIT: Duration = Duration::from_mins(1);
/// Slack is asked as often as this: it is part of this process, and the local AWS is left alone meanwhile.
const POLL: Duration = Duration::from_millis(3);

/// Measures some runs, one after the other.
///
/// # Errors
/// When a run does not pass.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    output::progress("run: starting a cloud");
    scene::in_cloud(
        bench,
        |_| {},
        async |cloud| {
            let record = cloud.record();
            let watch = Watch::of(record).await?;
            let sender = Sender::instead_of_github(&bench.workspace, cloud)?;
            let checkout = pushes::six_stages(&scene::checkout_of(&bench.workspace), record).await?;
            let functions = scene::functions_of(&bench.workspace);
            let mut samples = Vec::new();
            for number in 1..=WARM_UP + RUNS {
                let run = checkout.push(BRANCH, &format!("Commit {number}")).await?;
                let before = Used::now(&functions);
                let logged_since = Timestamp::now().as_millisecond();
                cloud.reset_requests().await?;
                let begun = Instant::now();
                sender.send(&run).await?;
                until_told(record, &watch, &run).await?;
                let took = begun.elapsed();
                if number > WARM_UP {
                    let sample = Sample::of(bench, cloud, took, &before, &functions, logged_since).await?;
                    output::progress(&format!("run: {} of {RUNS}: {took:.0?}", number - WARM_UP));
                    samples.push(sample);
                }
            }
            tell(&samples, report)
        },
    )
    .await
}

/// Waits for the answer in Slack's thread, then for the head whose end has been told to everybody.
async fn until_told(record: &Record, watch: &Watch, run: &RunId) -> anyhow::Result<()> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        ensure!(Instant::now() < deadline, "run `{run}` was not told within {RUN_LIMIT:?}");
        sleep(POLL).await;
        let messages = seen::slack_messages(record).await?;
        let in_thread = messages.iter().filter(|message| !message["thread_ts"].is_null());
        let is_told = |text: Option<&str>| text.is_some_and(|text| text.contains(run.sha.short()));
        let heads = messages.iter().filter(|message| is_told(message["text"].as_str()));
        let threads: Vec<_> = heads.map(|message| &message["ts"]).collect();
        if in_thread
            .into_iter()
            .any(|message| threads.contains(&&message["thread_ts"]) || is_told(message["text"].as_str()))
        {
            break;
        }
    }
    let (head, _) = loop {
        ensure!(Instant::now() < deadline, "run `{run}` did not end within {RUN_LIMIT:?}");
        match watch.run(run).await? {
            Some((head, tasks)) if head.is_finished() && head.due.is_none() => break (head, tasks),
            _ => sleep(POLL).await,
        }
    };
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "run `{run}` ended as {:?}", head.state);
    Ok(())
}

/// Processor time used up to a moment, in milliseconds.
struct Used {
    functions: BTreeMap<u32, Duration>,
    own: Duration,
}

impl Used {
    fn now(functions: &Path) -> Self {
        let used = running_from(functions).into_iter().filter_map(|id| Some((id, processor_time(id).ok()?)));
        Self { functions: used.collect(), own: processor_time(std::process::id()).unwrap_or_default() }
    }

    /// What was used since: by functions, by this process.
    fn since(&self, before: &Self) -> (f64, f64) {
        let of = |(id, used): (&u32, &Duration)| {
            used.saturating_sub(before.functions.get(id).copied().unwrap_or_default())
        };
        let functions: Duration = self.functions.iter().map(of).sum();
        (milliseconds(functions), milliseconds(self.own.saturating_sub(before.own)))
    }
}

/// One run.
struct Sample {
    seconds: f64,
    /// Processor time in milliseconds: functions, the local AWS, this process with its stand-ins.
    functions: f64,
    aws: f64,
    stand_ins: f64,
    /// Milliseconds in which the local AWS had a request of a function's in hand, all added up.
    waited: f64,
    invocations: f64,
    /// Milliseconds of all invocations added up.
    invoked: f64,
}

impl Sample {
    async fn of(
        bench: &Bench,
        cloud: &Cloud,
        took: Duration,
        before: &Used,
        functions: &Path,
        since: i64,
    ) -> anyhow::Result<Self> {
        let requests = cloud.requests().await?;
        let (functions, stand_ins) = Used::now(functions).since(before);
        let mut durations = Vec::new();
        for name in bench.template.functions.keys().filter(|name| *name != "sweep") {
            durations.extend(logs::of(&cloud.aws(), cloud.record(), name, since).await?.durations);
        }
        let of_functions = requests.aws.iter().filter(|entry| !entry.caller.is_empty());
        Ok(Self {
            seconds: took.as_secs_f64(),
            functions,
            aws: requests.aws_cpu_seconds * 1000.0,
            stand_ins,
            waited: of_functions.map(|entry| entry.seconds).sum::<f64>() * 1000.0,
            invocations: count(durations.len()),
            invoked: durations.iter().sum(),
        })
    }
}

fn tell(samples: &[Sample], report: &mut Report) -> anyhow::Result<()> {
    let all = |value: fn(&Sample) -> f64| samples.iter().map(value).collect::<Vec<_>>();
    let middle = |value| median(&all(value)).context("no run was measured");
    report.promise("run seconds", middle(|sample| sample.seconds)?, "s", MOST_SECONDS);
    let slowest = percentile(&all(|sample| sample.seconds), 1.0).context("no run was measured")?;
    report.add("run seconds, slowest", slowest, "s");
    report.add("run, our functions' CPU", middle(|sample| sample.functions)?, "ms");
    report.add("run, the local AWS's CPU", middle(|sample| sample.aws)?, "ms");
    report.add("run, the stand-ins' CPU", middle(|sample| sample.stand_ins)?, "ms");
    report.add("run, in requests to the local AWS", middle(|sample| sample.waited)?, "ms");
    report.add("run, in invocations", middle(|sample| sample.invoked)?, "ms");
    report.add("run, invocations", middle(|sample| sample.invocations)?, "");
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
