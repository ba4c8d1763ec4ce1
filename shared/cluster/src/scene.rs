//! A workload with its `ReplicaSets` and pods as last seen, kept up to date by watching.

use std::collections::BTreeMap;

use domain::ports::Rollout;
use domain::task::ObjectName;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Selector;
use kube::{Api, Client, ResourceExt as _};

use crate::evidence::{self, Finding};
use crate::fault::{Failure, ask};
use crate::workload::{Progress, Workload, is_owned};

/// What is known, with the versions from which watching goes on.
pub(crate) struct Scene<W> {
    workload: W,
    replica_sets: Listed<ReplicaSet>,
    pods: Listed<Pod>,
    selector: Selector,
}

struct Listed<K> {
    items: BTreeMap<String, K>,
    version: String,
}

/// What has changed.
pub(crate) enum Change<W> {
    Workload(WatchEvent<W>),
    ReplicaSet(WatchEvent<ReplicaSet>),
    Pod(WatchEvent<Pod>),
}

/// What a scene means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    Complete,
    Going(String),
    Lost(Vec<Finding>),
}

impl<W: Workload> Scene<W> {
    /// Reads everything; none where the workload does not exist. A complete workload costs one request.
    pub(crate) async fn read(client: &Client, target: &ObjectName) -> Result<Option<Self>, Failure> {
        let workloads: Api<W> = Api::namespaced(client.clone(), &target.namespace);
        let Some(workload) = ask(|| workloads.get_opt(&target.name)).await? else { return Ok(None) };
        let selector = workload.selector().cloned().and_then(|selector| Selector::try_from(selector).ok());
        let selector = selector.unwrap_or_default();
        let mut scene = Self { workload, replica_sets: Listed::empty(), pods: Listed::empty(), selector };
        if scene.workload.progress() != Progress::Complete {
            let list = ListParams::default().labels_from(&scene.selector);
            if W::HAS_REPLICA_SETS {
                scene.replica_sets =
                    Listed::read(&Api::namespaced(client.clone(), &target.namespace), &list).await?;
            }
            scene.pods = Listed::read(&Api::namespaced(client.clone(), &target.namespace), &list).await?;
        }
        Ok(Some(scene))
    }

    /// Watches from what was read on. The stream ends when the API server ends it.
    pub(crate) async fn watch(
        &self,
        client: &Client,
        target: &ObjectName,
        seconds: u32,
    ) -> kube::Result<BoxStream<'static, kube::Result<Change<W>>>> {
        // Bookmarks are of no use to a watch that never resumes.
        let base = WatchParams::default().timeout(seconds).disable_bookmarks();
        let one = base.clone().fields(&format!("metadata.name={}", target.name));
        let many = base.labels_from(&self.selector);
        let workloads: Api<W> = Api::namespaced(client.clone(), &target.namespace);
        let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), &target.namespace);
        let pods: Api<Pod> = Api::namespaced(client.clone(), &target.namespace);
        let version = self.workload.resource_version().unwrap_or_default();
        let sets = async {
            if W::HAS_REPLICA_SETS {
                let changes = sets.watch(&many, &self.replica_sets.version).await?;
                Ok(Some(changes.map_ok(Change::ReplicaSet).boxed()))
            } else {
                Ok(None)
            }
        };
        let (workload, sets, pods) =
            futures::try_join!(workloads.watch(&one, &version), sets, pods.watch(&many, &self.pods.version))?;
        let mut streams = vec![workload.map_ok(Change::Workload).boxed(), pods.map_ok(Change::Pod).boxed()];
        streams.extend(sets);
        // The first end ends all of them, so that no change of one kind is missed while the others go on.
        let ended =
            streams.into_iter().map(|stream| stream.map(Some).chain(futures::stream::iter([None])).boxed());
        let merged = futures::stream::select_all(ended);
        Ok(merged
            .take_while(|change| std::future::ready(change.is_some()))
            .filter_map(std::future::ready)
            .boxed())
    }

    /// Takes in a change; false when everything must be read anew.
    pub(crate) fn take(&mut self, change: Change<W>) -> bool {
        match change {
            Change::Workload(WatchEvent::Added(workload) | WatchEvent::Modified(workload)) => {
                self.workload = workload;
                true
            }
            Change::ReplicaSet(event) => self.replica_sets.take(event),
            Change::Pod(event) => self.pods.take(event),
            Change::Workload(WatchEvent::Bookmark(_)) => true,
            Change::Workload(WatchEvent::Deleted(_) | WatchEvent::Error(_)) => false,
        }
    }

    /// What is known so far means this.
    pub(crate) fn judge(&self, now: Timestamp) -> Judgement {
        let line = match self.workload.progress() {
            Progress::Complete => return Judgement::Complete,
            Progress::Lost(lines) => {
                let own = |pod: &&Pod| is_owned(&pod.metadata, self.workload.meta());
                let pods: Vec<&Pod> = self.pods.items.values().filter(own).collect();
                let lines = lines.into_iter().map(|line| Finding { line, crashed: None });
                return Judgement::Lost(lines.chain(evidence::of_ended(&pods)).collect());
            }
            Progress::Going(line) => line,
        };
        let sets: Vec<&ReplicaSet> = self.replica_sets.items.values().collect();
        let Some(owner) = self.workload.newest_owner(&sets) else { return Judgement::Going(line) };
        let newest_set = sets.iter().copied().find(|set| set.metadata.uid == owner.uid);
        let pods: Vec<&Pod> = self
            .pods
            .items
            .values()
            .filter(|pod| is_owned(&pod.metadata, owner) && pod.metadata.deletion_timestamp.is_none())
            .filter(|pod| self.workload.is_newest(pod))
            .collect();
        let mut findings = evidence::of_pods(&pods);
        // Its own limit says when it is over.
        findings.retain(|finding| !W::TRIES_AGAIN || finding.crashed.is_none());
        findings.extend(newest_set.and_then(|set| evidence::of_replica_set(set, now)));
        if findings.is_empty() {
            findings.extend(self.workload.exceeded_deadline(&pods, newest_set));
        }
        if !findings.is_empty() {
            return Judgement::Lost(findings);
        }
        match pods.iter().find_map(|pod| evidence::hint(pod)) {
            Some(hint) => Judgement::Going(format!("{line}; {hint}")),
            None => Judgement::Going(line),
        }
    }
}

impl Judgement {
    /// The judgement where no logs are to be added.
    pub(crate) fn plain(self) -> Rollout {
        match self {
            Self::Complete => Rollout::Complete,
            Self::Going(line) => Rollout::Progressing(line),
            Self::Lost(findings) => {
                Rollout::Hopeless(findings.into_iter().map(|finding| finding.line).collect())
            }
        }
    }
}

impl<K> Listed<K>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    fn empty() -> Self {
        Self { items: BTreeMap::new(), version: String::new() }
    }

    async fn read(api: &Api<K>, parameters: &ListParams) -> Result<Self, Failure> {
        let list = ask(|| api.list(parameters)).await?;
        let version = list.metadata.resource_version.clone().unwrap_or_default();
        Ok(Self { items: list.items.into_iter().map(|item| (item.name_any(), item)).collect(), version })
    }

    fn take(&mut self, event: WatchEvent<K>) -> bool {
        match event {
            WatchEvent::Added(item) | WatchEvent::Modified(item) => {
                self.items.insert(item.name_any(), item);
                true
            }
            WatchEvent::Deleted(item) => {
                self.items.remove(&item.name_any());
                true
            }
            WatchEvent::Bookmark(_) => true,
            WatchEvent::Error(_) => false,
        }
    }
}
