//! What a run and a pull request ask of AWS and GitHub, for some numbers of services, and what ten thousand such runs
//! cost.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;
use local::light::Requests;
use local::{Cloud, Watch, Workbench};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::client::Client;
use crate::meter::{Meter, Units};
use crate::prices::Usage;
use crate::pushes::{self, BRANCH};
use crate::relay::FED;
use crate::report::Report;
use crate::statistics::{count, line};
use crate::{logs, output, scene};

/// What the price is told for.
const RUNS: f64 = 10_000.0;
/// What ten thousand runs of one service are promised to cost at most, in US dollars.
const MOST_DOLLARS: f64 = 3.0;
/// Where pull requests want to go: nothing of it is delivered.
const BASE: &str = "main";
/// Where they are opened.
const PULLS: &str = "/repos/vive-sphere/bot-manager/pulls";
/// GitHub compares 300 files at most; a larger pull request is one of everything.
const LARGEST_PULL_REQUEST: usize = 100;
/// When a run counts as hanging: a time for each, and one for each service.
const RUN_LIMIT_OF_ONE: Duration = Duration::from_mins(1);
const RUN_LIMIT_OF_MORE: Duration = Duration::from_secs(3);
/// For so long nothing must be asked any more before a run counts as over.
const QUIET: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(200);

/// Everything one run asked for.
struct Counted {
    requests: Requests,
    units: Units,
    logs: BTreeMap<String, logs::Log>,
}

/// Counts the requests of runs of `services` services each.
///
/// # Errors
/// When a run does not pass.
pub(crate) async fn measure(bench: &Bench, services: &[usize], report: &mut Report) -> anyhow::Result<()> {
    let meter = Meter::start().await?;
    let url = meter.url().to_owned();
    output::progress("requests: starting a cloud");
    let prepare = |options: &mut local::Options| {
        options.variables.push(("AWS_ENDPOINT_URL_DYNAMODB".into(), url.into()));
    };
    scene::in_cloud(bench, prepare, async |cloud| {
        meter.stands_before(cloud.record().aws_url());
        let counter = Counter { bench, cloud, meter: &meter, watch: Watch::of(cloud.record()).await? };
        output::progress("requests: the first run, every function cold");
        let cold = counter.run(1).await?;
        counter.price("cold", &cold, None, report)?;
        let mut totals = Vec::new();
        for number in services {
            output::progress(&format!("requests: a run of {number} services"));
            let this = counter.run(*number).await?;
            totals.push((count(*number), sums("requests", *number, &this, report)));
            keep(bench, &format!("requests-{number}"), &this)?;
            if *number == 1 {
                counter.price("warm", &this, Some(MOST_DOLLARS), report)?;
                details(&this.requests, report);
            }
        }
        fit("requests fit", &totals, report);
        let mut totals = Vec::new();
        for number in services.iter().filter(|number| **number <= LARGEST_PULL_REQUEST) {
            output::progress(&format!("requests: a pull request of {number} services"));
            let this = counter.pull_request(*number).await?;
            totals.push((count(*number), sums("pull request", *number, &this, report)));
            keep(bench, &format!("pull-request-{number}"), &this)?;
        }
        fit("pull request fit", &totals, report);
        Ok(())
    })
    .await
}

/// Keeps who asked for what, for whoever wants to know where the sums come from.
fn keep(bench: &Bench, name: &str, counted: &Counted) -> anyhow::Result<()> {
    let path = bench.workspace.join(format!(".slipway/bench/{name}.json"));
    Ok(std::fs::write(&path, serde_json::to_vec_pretty(&counted.requests)?)?)
}

struct Counter<'a> {
    bench: &'a Bench,
    cloud: &'a Cloud,
    meter: &'a Meter,
    watch: Watch,
}

impl Counter<'_> {
    /// Pushes a commit of so many services and counts until nothing is asked any more.
    async fn run(&self, services: usize) -> anyhow::Result<Counted> {
        let checkout = self.checkout(services).await?;
        let run = checkout.commit(&format!("Deliver {services} services")).await?;
        let since = self.begin().await?;
        force(&checkout, BRANCH).await?;
        self.until_told(&run, services).await?;
        self.counted(since).await
    }

    /// Opens a pull request that changes so many services, pushed a moment before, and counts.
    async fn pull_request(&self, services: usize) -> anyhow::Result<Counted> {
        let checkout = self.checkout(services).await?;
        let base = checkout.commit(&format!("Begin with {services} services")).await?;
        force(&checkout, BASE).await?;
        self.until_told(&base, services).await?;
        let run = checkout.commit(&format!("Change {services} services")).await?;
        self.when_quiet().await?;
        let since = self.begin().await?;
        let branch = format!("feature/{services}");
        force(&checkout, &branch).await?;
        let wanted = json!({ "title": "Change services", "head": branch, "base": BASE }).to_string();
        let token = &self.cloud.record().credentials.github_token;
        let request = Request::post(format!("{}{PULLS}", self.cloud.record().github_url()))
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(wanted.into()))?;
        let answer = Client::new().send(request).await?;
        ensure!(answer.status == 201, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        self.until_told(&run, services).await?;
        let mut counted = self.counted(since).await?;
        counted.requests.github.remove("POST /repos/{owner}/{repo}/pulls");
        Ok(counted)
    }

    async fn checkout(&self, services: usize) -> anyhow::Result<Workbench> {
        let folder = scene::checkout_of(&self.bench.workspace);
        pushes::checkout(services, &folder, self.cloud.record()).await
    }

    /// Counts from now on; gives back since when.
    async fn begin(&self) -> anyhow::Result<i64> {
        let since = Timestamp::now().as_millisecond();
        self.cloud.reset_requests().await?;
        self.meter.take();
        Ok(since)
    }

    async fn until_told(&self, run: &RunId, services: usize) -> anyhow::Result<()> {
        let limit = RUN_LIMIT_OF_ONE + RUN_LIMIT_OF_MORE * u32::try_from(services)?;
        let (head, tasks) = self.watch.until_told(run, limit, |_, _| {}).await?;
        ensure!(
            head.state == RunState::Finished(RunOutcome::Passed),
            "the run of {services} services ended as {:?}: {:?}",
            head.state,
            tasks.iter().find(|task| task.verdict().is_some())
        );
        Ok(())
    }

    async fn counted(&self, since: i64) -> anyhow::Result<Counted> {
        let requests = self.when_quiet().await?;
        let mut logs = BTreeMap::new();
        for name in self.bench.template.functions.keys() {
            logs.insert(name.clone(), logs::of(&self.cloud.aws(), self.cloud.record(), name, since).await?);
        }
        Ok(Counted { requests, units: self.meter.take(), logs })
    }

    async fn when_quiet(&self) -> anyhow::Result<Requests> {
        let (mut last, mut since) = (self.cloud.requests().await?, Instant::now());
        while since.elapsed() < QUIET {
            sleep(POLL).await;
            let now = self.cloud.requests().await?;
            if of_functions(&now) != of_functions(&last) {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(last)
    }

    /// Adds what ten thousand such runs cost.
    fn price(
        &self,
        kind: &str,
        counted: &Counted,
        most: Option<f64>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let usage = self.usage(counted)?;
        let bill = self.bench.prices.bill(&usage, RUNS)?;
        for (service, dollars) in &bill.services {
            report.add(format!("price 10000 {kind} runs, {service}"), *dollars, "$");
        }
        let name = format!("price 10000 {kind} runs");
        match most {
            Some(most) => report.promise(name, bill.total(), "$", most),
            None => report.add(name, bill.total(), "$"),
        }
        Ok(())
    }

    fn usage(&self, counted: &Counted) -> anyhow::Result<Usage> {
        let (mut invocations, mut gigabyte_seconds, mut log_bytes, mut fed) = (0, 0.0, 0, 0);
        for (name, log) in counted.logs.iter().filter(|(name, _)| *name != "sweep") {
            let memory = self.bench.template.functions.get(name).context("a function's memory")?;
            invocations += log.durations.len();
            gigabyte_seconds += log.durations.iter().sum::<f64>() / 1000.0 * f64::from(*memory) / 1024.0;
            log_bytes += log.bytes;
            fed += if FED.contains(&name.as_str()) { log.durations.len() } else { 0 };
        }
        let asked = of_functions(&counted.requests);
        let number = |service: &str, operations: &[&str]| -> f64 {
            let fits = |(asked, operation): (&str, &str)| {
                asked == service && (operations.is_empty() || operations.contains(&operation))
            };
            let numbers = asked.iter().filter(|(key, _)| fits((key.0.as_str(), key.1.as_str())));
            numbers.map(|(_, number)| count(usize::try_from(*number).unwrap_or(usize::MAX))).sum()
        };
        let events = build_events(&counted.requests);
        let reads = number("s3", &["GetObject", "HeadObject"]);
        Ok([
            ("lambda request", count(invocations)),
            ("lambda gigabyte-second", gigabyte_seconds),
            ("dynamodb read unit", counted.units.read),
            ("dynamodb write unit", counted.units.write),
            // Each invocation is one receive and one delete of its mapping; EventBridge sends for each build event.
            ("sqs request", number("sqs", &[]) + 2.0 * count(fed) + events),
            ("s3 read", reads),
            ("s3 write", number("s3", &[]) - reads),
            ("secrets manager request", number("secretsmanager", &[])),
            ("api gateway request", 1.0),
            ("eventbridge service event", events),
            ("log gigabyte", count(log_bytes) / 1e9),
        ]
        .map(|(name, amount)| (name.to_owned(), amount))
        .into())
    }
}

/// Requests of functions by service and operation, CodeBuild's among them.
fn of_functions(requests: &Requests) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    // sweep comes every minute, whatever runs.
    for entry in requests.aws.iter().filter(|entry| !entry.caller.is_empty() && entry.caller != "sweep") {
        *sums.entry((entry.service.clone(), entry.operation.clone())).or_default() += entry.count;
    }
    for (operation, number) in &requests.builds {
        *sums.entry(("codebuild".to_owned(), operation.clone())).or_default() += number;
    }
    sums
}

/// The state changes of builds: one when a build begins and one when it has ended.
fn build_events(requests: &Requests) -> f64 {
    let started = requests.builds.get("StartBuild").copied().unwrap_or_default();
    2.0 * count(usize::try_from(started).unwrap_or(usize::MAX))
}

/// Pushes what is committed to a branch, whatever is there: each number of services is a history of its own.
async fn force(checkout: &Workbench, branch: &str) -> anyhow::Result<()> {
    let branch = format!("HEAD:refs/heads/{branch}");
    checkout.git(&["push", "--quiet", "--force", "origin", &branch]).await.map(drop)
}

/// Adds the sums of one run by service; gives back that of AWS.
fn sums(kind: &str, services: usize, counted: &Counted, report: &mut Report) -> f64 {
    let mut by_service: BTreeMap<String, u64> = BTreeMap::new();
    for ((service, _), number) in of_functions(&counted.requests) {
        *by_service.entry(service).or_default() += number;
    }
    let float = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX));
    for (service, number) in &by_service {
        report.add(format!("{kind} of {services}, {service}"), float(*number), "");
    }
    let total = float(by_service.values().sum());
    report.add(format!("{kind} of {services}, AWS"), total, "");
    report.add(format!("{kind} of {services}, AWS per service"), total / count(services), "");
    let github = float(counted.requests.github.values().sum());
    report.add(format!("{kind} of {services}, GitHub"), github, "");
    let invocations: usize =
        counted.logs.iter().filter(|(name, _)| *name != "sweep").map(|(_, log)| log.durations.len()).sum();
    report.add(format!("{kind} of {services}, invocations"), count(invocations), "");
    report.add(format!("{kind} of {services}, DynamoDB read units"), counted.units.read, "");
    report.add(format!("{kind} of {services}, DynamoDB write units"), counted.units.write, "");
    total
}

/// Adds each operation of a one-service run.
fn details(requests: &Requests, report: &mut Report) {
    for ((service, operation), number) in of_functions(requests) {
        let number = count(usize::try_from(number).unwrap_or(usize::MAX));
        report.add(format!("requests of 1, {service} {operation}"), number, "");
    }
    let mut by_caller: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in requests.aws.iter().filter(|entry| !entry.caller.is_empty() && entry.caller != "sweep") {
        *by_caller.entry(&entry.caller).or_default() += entry.count;
    }
    for (caller, number) in by_caller {
        let number = count(usize::try_from(number).unwrap_or(usize::MAX));
        report.add(format!("requests of 1, by {caller}"), number, "");
    }
    for (route, number) in &requests.github {
        let number = count(usize::try_from(*number).unwrap_or(usize::MAX));
        report.add(format!("requests of 1, GitHub {route}"), number, "");
    }
}

/// Adds the straight line through the sums.
fn fit(kind: &str, totals: &[(f64, f64)], report: &mut Report) {
    if let Some(line) = line(totals) {
        report.add(format!("{kind}, each service"), line.slope, "");
        report.add(format!("{kind}, each run"), line.base, "");
        report.add(format!("{kind}, worst distance"), line.worst * 100.0, "%");
    }
}
