//! Somebody who uses the service all the time, and counts.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ports::Cluster as _;
use domain::run::Delivery;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::Stage;

/// How often the service is asked.
const EVERY: Duration = Duration::from_millis(250);

/// The service asked, and where.
const SERVICE: &str = "authentication";
const PORT: u16 = 8000;
const PATH: &str = "/api/v1/auth/health";

/// A visitor at work until he leaves.
pub(crate) struct Visitor {
    leave: oneshot::Sender<()>,
    visits: JoinHandle<anyhow::Result<u32>>,
}

impl Visitor {
    /// Asks again and again through the cluster's service proxy.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub(crate) async fn enter(stage: &Stage, delivery: &Delivery) -> anyhow::Result<Self> {
        let path = stage.cloud.record().kubeconfig.as_ref().context("the cloud has no cluster")?;
        let cluster = Cluster::from_kubeconfig(&fs::read_to_string(path)?).await?;
        let namespace = delivery.namespace.clone();
        let (leave, mut left) = oneshot::channel();
        let visits = tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            let mut visits = 0;
            loop {
                tokio::select! {
                    _ = &mut left => return Ok(visits),
                    _ = ticks.tick() => {}
                }
                let answer = cluster.probe(&namespace, SERVICE, PORT, PATH).await?;
                visits += 1;
                ensure!(
                    answer.status == 200,
                    "visit {visits} of {SERVICE} was answered {}: {}",
                    answer.status,
                    answer.body
                );
            }
        });
        Ok(Self { leave, visits })
    }

    /// Ends the visits; answers how many there were.
    ///
    /// # Errors
    /// When one of them was not answered well.
    pub(crate) async fn leave(self) -> anyhow::Result<u32> {
        // Who has left already because of a bad answer does not hear it.
        let _ = self.leave.send(());
        self.visits.await?
    }
}
