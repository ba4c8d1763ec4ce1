//! Commits that are at GitHub already, and webhooks about them that the bench sends itself: from then on time counts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use local::{Cloud, Record, Workbench};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::webhooks::Template;

/// The repository that the local operator's file serves.
pub(crate) const REPOSITORY: &str = "vive-sphere/bot-manager";
/// The installation of the local operator's files.
pub(crate) const INSTALLATION: u64 = 1;
/// The branch that is delivered.
pub(crate) const BRANCH: &str = "develop";

/// After how long a person presses Redeliver; twice as long each time it fails again.
const FIRST_REDELIVERY: Duration = Duration::from_secs(1);
/// When he stops, longer than any overload of a burst lasts.
const LAST_REDELIVERY: Duration = Duration::from_mins(10);

/// The bench in GitHub's place.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    template: Template,
    url: String,
    secret: String,
}

impl Sender {
    /// Sends to this cloud from now on; what its own GitHub sends goes nowhere.
    ///
    /// # Errors
    /// When the cloud is not up, or the repository's own event cannot be read.
    pub(crate) fn instead_of_github(workspace: &Path, cloud: &Cloud) -> anyhow::Result<Self> {
        let record = cloud.record();
        let secret = record.credentials.webhook_secret.clone();
        // Nobody listens on the port of `discard`.
        cloud.github().set_webhook("http://127.0.0.1:9/", &secret);
        Ok(Self {
            client: Client::new(),
            template: Template::read(workspace)?,
            url: record.webhook_url.clone().context("the cloud is not up yet")?,
            secret,
        })
    }

    /// Sends the push of a run's commit and waits until it is taken.
    ///
    /// # Errors
    /// When webhook does not take it.
    pub(crate) async fn send(&self, run: &RunId) -> anyhow::Result<()> {
        self.send_to(BRANCH, run).await
    }

    /// As [`Sender::send`], of a push to some branch.
    ///
    /// # Errors
    /// When webhook does not take it.
    pub(crate) async fn send_to(&self, branch: &str, run: &RunId) -> anyhow::Result<()> {
        let delivery = self.template.push(run, branch, INSTALLATION, &self.secret);
        let answer = self.client.send(delivery.request(&self.url)?).await?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 202, "webhook answered {}: {text}", answer.status);
        Ok(())
    }

    /// As [`Sender::send`], by somebody who presses Redeliver while the answer says that webhook failed. Gives back how
    /// often he did.
    ///
    /// # Errors
    /// When webhook refuses the delivery, or still fails after minutes.
    pub(crate) async fn send_until_taken(&self, run: &RunId) -> anyhow::Result<usize> {
        // GitHub redelivers under the same id.
        let delivery = self.template.push(run, BRANCH, INSTALLATION, &self.secret);
        let (begun, mut wait, mut redelivered) = (Instant::now(), FIRST_REDELIVERY, 0);
        loop {
            let answer = self.client.send(delivery.request(&self.url)?).await?;
            if answer.status == 202 {
                return Ok(redelivered);
            }
            let text = String::from_utf8_lossy(&answer.body);
            let may_recover = answer.status.is_server_error() && begun.elapsed() < LAST_REDELIVERY;
            ensure!(may_recover, "webhook answered {}: {text}", answer.status);
            sleep(wait).await;
            wait *= 2;
            redelivered += 1;
        }
    }

    /// The push as API Gateway hands it to webhook.
    pub(crate) fn event(&self, run: &RunId) -> serde_json::Value {
        self.template.push(run, BRANCH, INSTALLATION, &self.secret).event().clone()
    }
}

/// The pipeline file of one service and nothing else: each stage has one task.
const ONE_TASK_A_STAGE: &str = "version: 1
services:
  service_001: {}
notifications:
  slack: \"#vivesphere-deploys\"
  email: [team@vivesphere.example]
";

/// A checkout of a repository of one service without checks and integration tests, in the cloud's folder: a run of
/// six stages with one task in each.
///
/// # Errors
/// When git refuses.
pub(crate) async fn six_stages(folder: &Path, record: &Record) -> anyhow::Result<Workbench> {
    let checkout = checkout(1, folder, record).await?;
    checkout.write("infrastructure/ci_cd/pipeline.yaml", ONE_TASK_A_STAGE)?;
    Ok(checkout)
}

/// A checkout of a repository of so many services with checks and integration tests, in the cloud's folder.
///
/// # Errors
/// When git refuses.
pub(crate) async fn checkout(services: usize, folder: &Path, record: &Record) -> anyhow::Result<Workbench> {
    Workbench::of_services(services, folder, record, &REPOSITORY.parse()?).await
}
