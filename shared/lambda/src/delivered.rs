//! The work of a stage in the cluster that the run is delivered to.

use domain::ids::ClusterAccess;
use domain::next::Learned;
use domain::ports::{Answer, Clusters};
use domain::run::{Preview, Run};

use crate::work::{Case, StageWork};

/// Makes the work for one cluster, and has it done in each run's own.
#[derive(Debug)]
pub struct Delivered<K, F> {
    clusters: K,
    work_in: F,
}

impl<K, F> Delivered<K, F> {
    /// `work_in` gives the work in one of the clusters.
    pub fn new(clusters: K, work_in: F) -> Self {
        Self { clusters, work_in }
    }
}

impl<K: Clusters, W: StageWork + Send, F: Fn(K::Cluster) -> W + Sync> Delivered<K, F> {
    async fn at(&self, access: &ClusterAccess) -> Answer<W> {
        Ok((self.work_in)(self.clusters.reach(access).await?))
    }

    /// A run without a delivery is refused by the work itself.
    async fn of(&self, case: &Case<'_>) -> Answer<W> {
        match &case.head.delivery {
            Some(delivery) => self.at(&delivery.cluster).await,
            None => self.at(&ClusterAccess::default()).await,
        }
    }
}

impl<K: Clusters, W: StageWork + Send, F: Fn(K::Cluster) -> W + Sync> StageWork for Delivered<K, F> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        self.of(case).await?.start(case, adopt).await
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        self.of(case).await?.observe(case, handle).await
    }

    async fn rehearse(&self, case: &Case<'_>) -> Answer<Option<String>> {
        self.of(case).await?.rehearse(case).await
    }

    async fn preview(&self, head: &Run, preview: &Preview) -> Answer<Vec<String>> {
        self.at(&preview.cluster).await?.preview(head, preview).await
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        self.of(case).await?.stop(case, handle).await
    }
}
