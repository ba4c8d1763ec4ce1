//! Each function alone, under the Lambda runtime interface emulator: cold start, warm latency, own processor time,
//! peak memory.
//!
//! Real one-service runs pass through the emulators: the bench sends the signed push to webhook and then plays the
//! event source mappings, so that every measured invocation does a real wake's work against the local AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use domain::ids::RunId;
use local::{Cloud, Watch, Workbench};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::emulator::{self, Emulator};
use crate::process::{peak_memory, processor_time};
use crate::pushes::{self, BRANCH, Sender};
use crate::relay::{FED, Relay};
use crate::report::Report;
use crate::statistics::{count, mean, median, percentile};
use crate::{output, scene};

/// Runs whose every first invocation of a function is a cold start.
const COLD_RUNS: usize = 5;
/// Runs with warm functions.
const WARM_RUNS: usize = 40;
/// Deliveries that webhook takes after them: its own time is small beside the clock's steps of 10 ms.
const DELIVERIES: usize = 2000;
/// What webhook's own processor time per request is promised to be at most, in milliseconds.
const WEBHOOK_PROCESSOR: f64 = 0.8;
/// A run under the emulators takes about a second.
const RUN_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Measures every function.
///
/// # Errors
/// When the cloud, the emulator or a function fails.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let emulator = emulator::program(&bench.workspace)?;
    output::progress("functions: starting a cloud");
    scene::in_cloud(
        bench,
        |_| {},
        async |cloud| {
            let mut stand = Stand::set(bench, cloud, emulator).await?;
            output::progress(&format!("functions: {COLD_RUNS} runs with cold starts"));
            for _ in 0..COLD_RUNS {
                stand.renew().await?;
                stand.run().await?;
            }
            output::progress(&format!("functions: {WARM_RUNS} warm runs"));
            for _ in 0..WARM_RUNS {
                stand.run().await?;
            }
            output::progress(&format!("functions: {DELIVERIES} deliveries to webhook"));
            stand.deliveries().await?;
            stand.tell(report)?;
            stand.end().await
        },
    )
    .await
}

/// The emulators around one cloud.
struct Stand<'a> {
    bench: &'a Bench,
    emulator: PathBuf,
    relay: Relay,
    watch: Watch,
    checkout: Workbench,
    sender: Sender,
    common: Vec<(String, String)>,
    places: BTreeMap<String, Place>,
}

/// One function's place: its emulator and what was measured in it.
#[derive(Default)]
struct Place {
    emulator: Option<Emulator>,
    /// Milliseconds of first invocations.
    cold: Vec<f64>,
    /// Milliseconds of all others.
    warm: Vec<f64>,
    /// Processor time and invocations of this process before the first warm one.
    begun: Option<Duration>,
    warm_of_process: usize,
}

impl<'a> Stand<'a> {
    async fn set(bench: &'a Bench, cloud: &Cloud, emulator: PathBuf) -> anyhow::Result<Self> {
        let record = cloud.record();
        let folder = scene::checkout_of(&bench.workspace);
        let checkout = pushes::six_stages(&folder, record).await?;
        let keys = &record.credentials;
        let common = [
            ("AWS_ENDPOINT_URL", record.aws_url()),
            ("AWS_ENDPOINT_URL_CODEBUILD", record.builds_url()),
            ("AWS_REGION", keys.aws_region.clone()),
            ("AWS_ACCESS_KEY_ID", keys.aws_access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", keys.aws_secret_access_key.clone()),
            ("RUST_LOG", "info".to_owned()),
        ];
        Ok(Self {
            bench,
            emulator,
            relay: Relay::instead_of_mappings(cloud.aws(), record).await?,
            watch: Watch::of(record).await?,
            checkout,
            sender: Sender::instead_of_github(&bench.workspace, cloud)?,
            common: common.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            places: BTreeMap::new(),
        })
    }

    /// Ends every emulator and starts a new one: the next invocation of each function is a cold start.
    async fn renew(&mut self) -> anyhow::Result<()> {
        for name in self.bench.template.functions.keys() {
            let place = self.places.entry(name.clone()).or_default();
            if let Some(old) = place.emulator.take() {
                old.end().await?;
            }
            let mut variables = self.relay.variables(name).await?;
            variables.extend(self.common.clone());
            variables.push(("AWS_LAMBDA_FUNCTION_NAME".to_owned(), name.clone()));
            let memory = self.bench.template.functions[name].to_string();
            variables.push(("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), memory));
            let function = self.bench.functions.join(format!("slipway-{name}"));
            place.emulator = Some(Emulator::start(&self.emulator, &function, &variables).await?);
            (place.begun, place.warm_of_process) = (None, 0);
        }
        Ok(())
    }

    /// Brings one commit from its push to its last notification.
    async fn run(&mut self) -> anyhow::Result<()> {
        let run = self.checkout.push(BRANCH, "One more commit").await?;
        self.deliver(&run).await?;
        let deadline = Instant::now() + RUN_LIMIT;
        while !self.is_told(&run).await? {
            ensure!(Instant::now() < deadline, "run `{run}` did not end within {RUN_LIMIT:?}");
            if !self.relay_all().await? {
                sleep(POLL).await;
            }
        }
        // Wakes that came after the last word: the next run's invocations shall not find them.
        while self.relay_all().await? {}
        let schedule = self.bench.workspace.join("events/sweep.json");
        let event = serde_json::from_slice(&std::fs::read(&schedule)?).context("events/sweep.json")?;
        self.invoke("sweep", &event).await.map(drop)
    }

    /// Empties every queue once; says whether there was anything.
    async fn relay_all(&mut self) -> anyhow::Result<bool> {
        let mut any = false;
        for function in FED {
            if let Some(batch) = self.relay.receive(function).await? {
                any = true;
                let answer = self.invoke(batch.function, &batch.event).await?;
                self.relay.acknowledge(&batch, &answer).await?;
            }
        }
        Ok(any)
    }

    async fn is_told(&self, run: &RunId) -> anyhow::Result<bool> {
        let Some((head, tasks)) = self.watch.run(run).await? else { return Ok(false) };
        if head.is_finished()
            && head.state != domain::run::RunState::Finished(domain::run::RunOutcome::Passed)
        {
            bail!("run `{run}` ended as {:?}: {tasks:?}", head.state);
        }
        Ok(head.is_finished() && head.due.is_none())
    }

    async fn deliver(&mut self, run: &RunId) -> anyhow::Result<()> {
        let event = self.sender.event(run);
        let answer = self.invoke("webhook", &event).await?;
        ensure!(answer["statusCode"] == 202, "webhook answered {answer}");
        Ok(())
    }

    /// Many more deliveries of one commit, each with an id of its own.
    async fn deliveries(&mut self) -> anyhow::Result<()> {
        let run = self.checkout.push(BRANCH, "A commit for many deliveries").await?;
        for _ in 0..DELIVERIES {
            self.deliver(&run).await?;
        }
        Ok(())
    }

    async fn invoke(&mut self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let place = self.places.get_mut(function).with_context(|| format!("no function `{function}`"))?;
        let emulator = place.emulator.as_ref().context("an emulator")?;
        let (answer, took) =
            emulator.invoke(event).await.with_context(|| format!("the function `{function}`"))?;
        let took = took.as_secs_f64() * 1000.0;
        if place.begun.is_some() {
            place.warm.push(took);
            place.warm_of_process += 1;
        } else {
            place.cold.push(took);
            place.begun = Some(processor_time(emulator.function().context("the function's process")?)?);
        }
        Ok(answer)
    }

    fn tell(&self, report: &mut Report) -> anyhow::Result<()> {
        for (name, place) in &self.places {
            let process =
                place.emulator.as_ref().and_then(Emulator::function).context("the function's process")?;
            let used = processor_time(process)?.saturating_sub(place.begun.unwrap_or_default());
            let used = used.as_secs_f64() * 1000.0 / count(place.warm_of_process.max(1));
            let unmeasured = || format!("`{name}` was not measured");
            for (what, value) in [
                ("cold start", median(&place.cold)),
                ("warm p50", median(&place.warm)),
                ("warm p99", percentile(&place.warm, 0.99)),
                ("warm mean", mean(&place.warm)),
            ] {
                report.add(format!("function {name} {what}"), value.with_context(unmeasured)?, "ms");
            }
            report.add(format!("function {name} invocations per run"), per_run(name, place), "");
            if name == "webhook" {
                report.promise(format!("function {name} own CPU"), used, "ms", WEBHOOK_PROCESSOR);
            } else {
                report.add(format!("function {name} own CPU"), used, "ms");
            }
            let peak = peak_memory(process)?;
            report.add(format!("function {name} peak memory"), count(usize::try_from(peak)?) / 1e6, "MB");
        }
        Ok(())
    }

    async fn end(self) -> anyhow::Result<()> {
        for emulator in self.places.into_values().filter_map(|place| place.emulator) {
            emulator.end().await?;
        }
        Ok(())
    }
}

fn per_run(name: &str, place: &Place) -> f64 {
    let extra = if name == "webhook" { DELIVERIES } else { 0 };
    count(place.cold.len() + place.warm.len() - extra) / count(COLD_RUNS + WARM_RUNS)
}
