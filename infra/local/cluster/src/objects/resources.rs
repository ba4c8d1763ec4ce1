//! The kinds this server knows: one table that discovery, routes and storage read.

/// One kind of object and what the API offers for it.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether the API has one thing for the kind")]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Name in URLs; unique over all groups here.
    pub plural: &'static str,
    /// Name of one object as kubectl accepts it.
    pub singular: &'static str,
    /// `kind` of the objects.
    pub kind: &'static str,
    /// Short names of kubectl.
    pub short_names: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether `status` is written through its own subresource only.
    pub has_status: bool,
    /// Whether `metadata.generation` counts changes of its spec.
    pub counts_generation: bool,
    /// Whether it has the subresource `scale`.
    pub has_scale: bool,
}

impl Resource {
    /// The version of every kind here.
    pub const VERSION: &'static str = "v1";

    /// `apiVersion` of the objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            Self::VERSION.to_owned()
        } else {
            format!("{}/{}", self.group, Self::VERSION)
        }
    }

    /// The name in messages: `deployments.apps`, `pods`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind in messages: `Deployment.apps`, `Pod`.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }
}

const fn core(plural: &'static str, singular: &'static str, kind: &'static str) -> Resource {
    Resource {
        group: "",
        plural,
        singular,
        kind,
        short_names: &[],
        namespaced: true,
        has_status: false,
        counts_generation: false,
        has_scale: false,
    }
}

const fn workload(plural: &'static str, singular: &'static str, kind: &'static str) -> Resource {
    let resource = core(plural, singular, kind);
    Resource { group: "apps", has_status: true, counts_generation: true, has_scale: true, ..resource }
}

/// Namespaces.
pub static NAMESPACES: Resource = Resource {
    short_names: &["ns"],
    namespaced: false,
    has_status: true,
    ..core("namespaces", "namespace", "Namespace")
};
/// Configuration in clear text.
pub static CONFIG_MAPS: Resource =
    Resource { short_names: &["cm"], ..core("configmaps", "configmap", "ConfigMap") };
/// Configuration that is masked.
pub static SECRETS: Resource = core("secrets", "secret", "Secret");
/// Accounts of pods: stored, without effect.
pub static SERVICE_ACCOUNTS: Resource =
    Resource { short_names: &["sa"], ..core("serviceaccounts", "serviceaccount", "ServiceAccount") };
/// Services.
pub static SERVICES: Resource =
    Resource { short_names: &["svc"], has_status: true, ..core("services", "service", "Service") };
/// Claims of storage: stored, never bound.
pub static VOLUME_CLAIMS: Resource = Resource {
    short_names: &["pvc"],
    has_status: true,
    ..core("persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim")
};
/// The ready addresses behind each service.
pub static ENDPOINTS: Resource =
    Resource { short_names: &["ep"], ..core("endpoints", "endpoints", "Endpoints") };
/// Pods.
pub static PODS: Resource = Resource { short_names: &["po"], has_status: true, ..core("pods", "pod", "Pod") };
/// What happened to an object.
pub static EVENTS: Resource = Resource { short_names: &["ev"], ..core("events", "event", "Event") };
/// Deployments.
pub static DEPLOYMENTS: Resource =
    Resource { short_names: &["deploy"], ..workload("deployments", "deployment", "Deployment") };
/// Replica sets.
pub static REPLICA_SETS: Resource =
    Resource { short_names: &["rs"], ..workload("replicasets", "replicaset", "ReplicaSet") };

/// Stateful sets.
pub static STATEFUL_SETS: Resource =
    Resource { short_names: &["sts"], ..workload("statefulsets", "statefulset", "StatefulSet") };
/// Daemon sets.
pub static DAEMON_SETS: Resource =
    Resource { short_names: &["ds"], has_scale: false, ..workload("daemonsets", "daemonset", "DaemonSet") };
/// The templates that stateful and daemon sets have had.
pub static CONTROLLER_REVISIONS: Resource =
    Resource { group: "apps", ..core("controllerrevisions", "controllerrevision", "ControllerRevision") };
/// Jobs.
pub static JOBS: Resource = Resource { group: "batch", has_scale: false, ..workload("jobs", "job", "Job") };
/// Jobs by the clock: stored, never started.
pub static CRON_JOBS: Resource = Resource {
    group: "batch",
    short_names: &["cj"],
    has_scale: false,
    ..workload("cronjobs", "cronjob", "CronJob")
};
/// The one node.
pub static NODES: Resource =
    Resource { short_names: &["no"], namespaced: false, has_status: true, ..core("nodes", "node", "Node") };

/// The groups beside the core group.
pub static GROUPS: [&str; 2] = ["apps", "batch"];

/// Every kind, in the order discovery lists them.
pub static ALL: [&Resource; 17] = [
    &NAMESPACES,
    &NODES,
    &CONFIG_MAPS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &VOLUME_CLAIMS,
    &SERVICES,
    &ENDPOINTS,
    &PODS,
    &EVENTS,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &STATEFUL_SETS,
    &DAEMON_SETS,
    &CONTROLLER_REVISIONS,
    &JOBS,
    &CRON_JOBS,
];

/// The resource of a kind.
pub fn of_kind(kind: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.kind == kind)
}

/// The kind served under this group and plural.
pub fn find(group: &str, plural: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.group == group && resource.plural == plural)
}
