//! All clusters of a stack's environments, each reached in its own way and kept between invocations.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use domain::ids::ClusterAccess;
use domain::ports::{self, Answer, Secrets};
use tokio::sync::Mutex;

use crate::Cluster;
use crate::access::{Access, Source};
use crate::eks::{Account, Clock, Gate};

/// The clusters.
pub struct Clusters<S> {
    secrets: Arc<S>,
    own_kubeconfig: String,
    kubeconfigs: String,
    account: Arc<Account>,
    /// Held while a cluster is reached for the first time, so that several tasks of one process ask once.
    known: Mutex<HashMap<ClusterAccess, Known<S>>>,
}

struct Known<S> {
    cluster: Cluster,
    access: Arc<Access<S>>,
    generation: u64,
}

impl<S> Clusters<S> {
    /// The clusters of an account. `own_kubeconfig` is the id of the stack's own secret, `kubeconfigs` what the ids of
    /// named ones begin with. Nothing is asked yet.
    pub fn new(
        config: &SdkConfig,
        secrets: S,
        own_kubeconfig: impl Into<String>,
        kubeconfigs: impl Into<String>,
    ) -> Self {
        Self {
            secrets: Arc::new(secrets),
            own_kubeconfig: own_kubeconfig.into(),
            kubeconfigs: kubeconfigs.into(),
            account: Arc::new(Account::new(config)),
            known: Mutex::default(),
        }
    }

    /// The same with another clock: EKS's tokens live by it.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.account = Arc::new(self.account.with_clock(clock));
        self
    }

    fn source(&self, access: &ClusterAccess) -> Answer<Source<S>> {
        let secret = |id: String| Source::Secret { secrets: Arc::clone(&self.secrets), id };
        Ok(match access {
            ClusterAccess::Kubeconfig => secret(self.own_kubeconfig.clone()),
            ClusterAccess::NamedKubeconfig(name) => secret(format!("{}{name}", self.kubeconfigs)),
            ClusterAccess::Eks(cluster) => Source::Eks(Gate::new(&self.account, cluster)?),
        })
    }
}

impl<S: Secrets + 'static> ports::Clusters for Clusters<S> {
    type Cluster = Cluster;

    async fn reach(&self, access: &ClusterAccess) -> Answer<Cluster> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.get_mut(access) {
            let generation = known.access.generation().await;
            if generation != known.generation {
                // Another server may serve other kinds.
                known.cluster = Cluster { kinds: Arc::default(), ..known.cluster.clone() };
                known.generation = generation;
            }
            return Ok(known.cluster.clone());
        }
        let opened = Access::open(self.source(access)?).await?;
        let cluster = Cluster { client: opened.client(), kinds: Arc::default() };
        known.insert(access.clone(), Known { cluster: cluster.clone(), access: opened, generation: 0 });
        Ok(cluster)
    }
}
