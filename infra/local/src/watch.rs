//! Watching a run from outside: its head and tasks as the table holds them.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use domain::ids::RunId;
use domain::ports::Runs;
use domain::run::Run;
use domain::task::Task;
use store::Store;
use tokio::time::{Instant, sleep};

use crate::record::Record;

/// How often the table is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Reads a cloud's runs.
#[derive(Debug, Clone)]
pub struct Watch {
    store: Store,
}

impl Watch {
    /// The runs of the recorded cloud.
    ///
    /// # Errors
    /// When the cloud's stack is not deployed yet.
    pub async fn of(record: &Record) -> anyhow::Result<Self> {
        let table = record.outputs.get("TableName").context("the cloud is not up yet")?;
        Ok(Self { store: Store::new(&sdk_config(record).await, table) })
    }

    /// A run and its tasks; none before plan has made it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn run(&self, id: &RunId) -> anyhow::Result<Option<(Run, Vec<Task>)>> {
        let Some(head) = self.store.run(id).await? else { return Ok(None) };
        Ok(Some((head, self.store.tasks(id, None).await?)))
    }

    /// Follows a run until its end has been told to everybody, calling `look` with every picture.
    ///
    /// # Errors
    /// When it has not ended within `limit`; the error tells where it stands.
    pub async fn until_told(
        &self,
        id: &RunId,
        limit: Duration,
        mut look: impl FnMut(&Run, &[Task]),
    ) -> anyhow::Result<(Run, Vec<Task>)> {
        let deadline = Instant::now() + limit;
        loop {
            let picture = self.run(id).await?;
            if let Some((head, tasks)) = &picture {
                look(head, tasks);
            }
            match picture {
                Some((head, tasks)) if head.is_finished() && head.due.is_none() => return Ok((head, tasks)),
                picture if Instant::now() > deadline => {
                    bail!("run `{id}` did not end within {limit:?}: {}", standing(picture))
                }
                _ => sleep(POLL).await,
            }
        }
    }
}

fn standing(picture: Option<(Run, Vec<Task>)>) -> String {
    let Some((head, tasks)) = picture else { return "plan has not made it yet".to_owned() };
    let open: Vec<_> = tasks
        .iter()
        .filter(|task| task.is_open())
        .map(|task| format!("{} {:?}", task.id, task.state))
        .collect();
    format!("{:?}, open: {}", head.state, open.join("; "))
}

/// The SDK's configuration for the recorded cloud.
pub async fn sdk_config(record: &Record) -> SdkConfig {
    let keys = &record.credentials;
    let credentials =
        Credentials::new(&keys.aws_access_key_id, &keys.aws_secret_access_key, None, None, "cloud.json");
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(record.aws_url())
        .region(Region::new(keys.aws_region.clone()))
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}
