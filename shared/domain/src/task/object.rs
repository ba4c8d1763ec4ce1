//! Kubernetes objects by their address, and the order in which they are applied.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A Kubernetes object's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectName {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// The namespace it lies in.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api_version: _, kind, namespace, name } = self;
        if namespace.is_empty() {
            write!(formatter, "{kind} `{name}`")
        } else {
            write!(formatter, "{kind} `{namespace}/{name}`")
        }
    }
}

impl ObjectName {
    /// The address that an object's own fields tell; what they leave out is empty.
    pub fn of(object: &Value) -> Self {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// When it is applied.
    pub fn tier(&self) -> Tier {
        Tier::of(&self.kind)
    }
}

/// The orders of application, one after the other: what others need comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Where other objects lie, or what makes their kind known.
    Ground,
    /// What pods read and who they are.
    Configuration,
    /// Everything else: services, ingresses, policies, custom resources.
    Services,
    /// What runs pods.
    Workloads,
}

impl Tier {
    /// That of a kind.
    pub fn of(kind: &str) -> Self {
        match kind {
            "Namespace" | "CustomResourceDefinition" | "StorageClass" | "PriorityClass" => Self::Ground,
            "ConfigMap"
            | "Secret"
            | "ServiceAccount"
            | "Role"
            | "RoleBinding"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "ResourceQuota"
            | "LimitRange"
            | "PersistentVolume"
            | "PersistentVolumeClaim" => Self::Configuration,
            "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "ReplicaSet" | "Pod" => {
                Self::Workloads
            }
            _ => Self::Services,
        }
    }
}
