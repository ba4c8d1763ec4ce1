//! Many webhooks at once: how long until every run has ended and everybody has been told, and how many are lost.
//!
//! The pushes go to a hundred repositories with an environment each, so that runs do not wait for each other's locks
//! and all of them pass through all six stages. More webhooks than that are several pushes to each repository; an
//! older commit may then end as superseded by a newer one, as it should.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::{RunId, Trust};
use domain::run::{Run, RunState};
use local::{Cloud, Watch};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::pushes::{self, BRANCH, INSTALLATION, Sender};
use crate::report::Report;
use crate::statistics::count;
use crate::{output, scene};

/// Repositories, each delivered to an environment of its own.
const REPOSITORIES: usize = 100;
/// Webhooks that are on their way at the same time.
const PARALLEL: usize = 32;
/// The burst with a promise, and that in seconds.
const PROMISED: (usize, f64) = (100, 20.0);
/// When a run that waits for nothing counts as lost: sweep looks once a minute, and what it leaves, a person must move.
const LEFT_ALONE: Duration = Duration::from_mins(3);
/// When any run that has not ended counts as lost.
const PATIENCE: Duration = Duration::from_mins(20);
const POLL: Duration = Duration::from_millis(250);
/// How often is asked while more runs than this are open: the local AWS has better things to do.
const SLOW_POLL: (usize, Duration) = (20, Duration::from_secs(1));
/// When a run of the burst must have been seen at the latest.
const NEVER_OPEN: Duration = Duration::from_secs(30);

/// Measures a burst of each size.
///
/// # Errors
/// When the cloud does not come up or webhook refuses a delivery.
pub(crate) async fn measure(bench: &Bench, sizes: &[usize], report: &mut Report) -> anyhow::Result<()> {
    for size in sizes {
        output::progress(&format!("burst of {size}: starting a cloud"));
        let operator = write_operator_file(bench)?;
        scene::in_cloud(
            bench,
            |options| options.operator_file = operator,
            async |cloud| burst(bench, cloud, *size, report).await,
        )
        .await?;
    }
    Ok(())
}

async fn burst(bench: &Bench, cloud: &Cloud, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let sender = Sender::instead_of_github(&bench.workspace, cloud)?;
    output::progress(&format!("burst of {size}: pushing commits"));
    let runs = push_all(bench, cloud, size).await?;
    let scene = Scene { cloud, watch: Watch::of(cloud.record()).await?, size };
    output::progress(&format!("burst of {size}: sending webhooks"));
    let begun = Instant::now();
    let redelivered = send_all(&sender, &runs).await?;
    let taken = begun.elapsed();
    output::progress(&format!("burst of {size}: all taken after {taken:.0?}, {redelivered} redeliveries"));
    let (ended, took) = scene.until_told(&runs, begun).await?;

    let name = |what: &str| format!("burst {size} {what}");
    if size == PROMISED.0 {
        report.promise(name("seconds"), took.as_secs_f64(), "s", PROMISED.1);
    } else {
        report.add(name("seconds"), took.as_secs_f64(), "s");
    }
    report.add(name("webhooks taken"), taken.as_secs_f64(), "s");
    report.add(name("redelivered"), count(redelivered), "");
    report.promise(name("lost"), count(runs.len() - ended.len()), "runs", 0.0);
    for (outcome, number) in outcomes(&ended) {
        report.add(name(&outcome), count(number), "runs");
    }
    Ok(())
}

/// Pushes the commits of the burst, so many to each repository; in the order in which webhooks are to tell of them.
async fn push_all(bench: &Bench, cloud: &Cloud, size: usize) -> anyhow::Result<Vec<RunId>> {
    let record = cloud.record();
    let checkout = pushes::six_stages(&scene::checkout_of(&bench.workspace), record).await?;
    let repositories = size.min(REPOSITORIES);
    let token = &record.credentials.github_token;
    let github = record.github_url().replace("http://", &format!("http://x:{token}@"));
    let start = checkout.commit("What the burst starts from").await?;
    let mut tips = vec![start.sha.to_string(); repositories];
    let mut runs = Vec::new();
    for number in 0..size {
        // Services of one name share an image repository, so that no two repositories may have a commit in common.
        let (round, repository) = (number / repositories + 1, number % repositories);
        let name = repository_name(repository + 1);
        let message = format!("Commit {round} of {name}");
        let commit =
            checkout.git(&["commit-tree", "HEAD^{tree}", "-p", &tips[repository], "-m", &message]).await?;
        commit.trim().clone_into(&mut tips[repository]);
        runs.push(RunId { repository: name.parse()?, sha: tips[repository].parse()?, trust: Trust::Trusted });
    }
    for (repository, tip) in tips.iter().enumerate() {
        let url = format!("{github}/{}.git", repository_name(repository + 1));
        checkout.git(&["push", "--quiet", &url, &format!("{tip}:refs/heads/{BRANCH}")]).await?;
    }
    Ok(runs)
}

/// Sends a webhook for each run and tells how many redeliveries it took until all were taken.
async fn send_all(sender: &Sender, runs: &[RunId]) -> anyhow::Result<usize> {
    let mut sending = JoinSet::new();
    let mut redelivered = 0;
    for run in runs {
        if sending.len() >= PARALLEL {
            redelivered += sending.join_next().await.context("a webhook")???;
        }
        let (sender, run) = (sender.clone(), run.clone());
        sending.spawn(async move { sender.send_until_taken(&run).await });
    }
    while let Some(sent) = sending.join_next().await {
        redelivered += sent??;
    }
    Ok(redelivered)
}

/// A cloud with a burst in it.
struct Scene<'a> {
    cloud: &'a Cloud,
    watch: Watch,
    size: usize,
}

impl Scene<'_> {
    /// Waits until every run has ended and its end has been told; gives back those that did, and how long it took.
    async fn until_told(&self, runs: &[RunId], begun: Instant) -> anyhow::Result<(Vec<Run>, Duration)> {
        let mut shown = Instant::now();
        let mut ended = BTreeMap::new();
        let mut seen_open = BTreeSet::new();
        let mut moved = Instant::now();
        loop {
            // Looking at each run asks much of the local AWS; the index lists those that wait for something.
            let open = self.open().await?;
            let seen = begun.elapsed();
            seen_open.extend(open.iter().cloned());
            ensure!(!seen_open.is_empty() || seen < NEVER_OPEN, "the index `due` lists no run of the burst");
            if open.is_empty() {
                for run in runs {
                    if !ended.contains_key(run)
                        && let Some((head, _)) = self.watch.run(run).await?
                        && head.is_finished()
                        && head.due.is_none()
                    {
                        ended.insert(run.clone(), head);
                    }
                }
            } else {
                moved = Instant::now();
            }
            if ended.len() == runs.len() || moved.elapsed() > LEFT_ALONE || seen > PATIENCE {
                return Ok((ended.into_values().collect(), seen));
            }
            if shown.elapsed() > Duration::from_secs(5) {
                shown = Instant::now();
                // A run that is open no more has ended, or only a person can move it: the last look tells.
                let told = if open.is_empty() { ended.len() } else { seen_open.len() - open.len() };
                output::progress(&format!(
                    "burst of {size}: {told} of {size} ended, {} at work, after {seen:.0?}",
                    open.len(),
                    size = self.size,
                ));
            }
            sleep(if open.len() > SLOW_POLL.0 { SLOW_POLL.1 } else { POLL }).await;
        }
    }

    /// The runs that wait for something, by their keys in the table.
    async fn open(&self) -> anyhow::Result<BTreeSet<String>> {
        let table = scene::output_of(self.cloud.record(), "TableName")?;
        let mut query = json!({
            "TableName": table, "IndexName": "due", "ProjectionExpression": "pk",
            "KeyConditionExpression": "due_pk = :due",
            "ExpressionAttributeValues": { ":due": { "S": "due" } },
        });
        let mut open = BTreeSet::new();
        loop {
            let answer = self.cloud.aws().json("dynamodb", "DynamoDB_20120810.Query", &query).await?;
            let items = answer["Items"].as_array().context("the index's items")?;
            let keys = items.iter().filter_map(|item| item["pk"]["S"].as_str());
            // The index also holds repositories, whose branches are looked at from time to time.
            open.extend(keys.filter(|key| key.starts_with("run#")).map(str::to_owned));
            if answer["LastEvaluatedKey"].is_null() {
                return Ok(open);
            }
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"].clone();
        }
    }
}

fn outcomes(ended: &[Run]) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for run in ended {
        if let RunState::Finished(outcome) = &run.state {
            let text = serde_json::to_value(outcome).unwrap_or_default();
            let word = text.as_str().map_or_else(|| "ended otherwise".to_owned(), str::to_owned);
            *outcomes.entry(word).or_default() += 1;
        }
    }
    outcomes
}

fn repository_name(number: usize) -> String {
    format!("vive-sphere/burst-{number:03}")
}

/// An operator's file that serves the repositories of a burst.
fn write_operator_file(bench: &Bench) -> anyhow::Result<PathBuf> {
    let (mut repositories, mut environments) = (String::new(), String::new());
    for number in 1..=REPOSITORIES {
        let name = repository_name(number);
        let _ = writeln!(
            repositories,
            "  - {{name: {name}, installation: {INSTALLATION}, environments: [burst-{number:03}]}}"
        );
        let _ = writeln!(
            environments,
            "  burst-{number:03}: {{branches: [{BRANCH}], cluster: {{kubeconfig: true}}, namespace: burst-{number:03}}}"
        );
    }
    let text = format!(
        "version: 1\nrepositories:\n{repositories}environments:\n{environments}notifications:\n  \
         mail_sender: slipway@vivesphere.example\n"
    );
    let parsed = domain::files::operator::parse(&text).context("the burst's operator's file")?;
    ensure!(parsed.repositories.len() == REPOSITORIES, "the burst's operator's file is incomplete");
    let path = bench.workspace.join(".slipway/bench-operator.yaml");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
