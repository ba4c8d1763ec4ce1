//! How lists and maps of Kubernetes' types merge, and which fields exist.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use serde_json::Value;

use crate::objects::resources::Resource;

/// How a list or map merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every field by itself.
    Granular,
    /// Only as a whole.
    Atomic,
    /// A list whose items are told apart by these fields.
    Keyed(&'static [&'static str]),
    /// A list of distinct plain values.
    Set,
}

/// The shape of the value at a path of field names (list items leave no trace in it).
pub fn shape(path: &[&str], value: &Value) -> Shape {
    let name = path.last().copied().unwrap_or_default();
    let parent = path.len().checked_sub(2).map_or("", |index| path[index]);
    match value {
        Value::Object(_) => map_shape(name, parent),
        Value::Array(_) => list_shape(name, parent),
        _ => Shape::Granular,
    }
}

fn map_shape(name: &str, parent: &str) -> Shape {
    match (parent, name) {
        ("spec", "selector" | "nodeSelector")
        | (_, "labelSelector" | "namespaceSelector" | "secretRef" | "configMapRef")
        | ("valueFrom", _)
        | ("", "involvedObject") => Shape::Atomic,
        _ => Shape::Granular,
    }
}

fn list_shape(name: &str, parent: &str) -> Shape {
    match (parent, name) {
        (_, "containers" | "initContainers" | "ephemeralContainers" | "imagePullSecrets" | "secrets")
        | ("containers" | "initContainers" | "ephemeralContainers", "env")
        | ("spec", "volumes") => Shape::Keyed(&["name"]),
        ("containers" | "initContainers", "ports") => Shape::Keyed(&["containerPort", "protocol"]),
        ("spec", "ports") => Shape::Keyed(&["port", "protocol"]),
        (_, "volumeMounts") => Shape::Keyed(&["mountPath"]),
        (_, "volumeDevices") => Shape::Keyed(&["devicePath"]),
        ("status", "conditions") => Shape::Keyed(&["type"]),
        ("metadata", "ownerReferences") => Shape::Keyed(&["uid"]),
        ("metadata", "finalizers") => Shape::Set,
        ("spec", "hostAliases") | ("status", "podIPs") => Shape::Keyed(&["ip"]),
        ("spec", "topologySpreadConstraints") => Shape::Keyed(&["topologyKey", "whenUnsatisfiable"]),
        _ => Shape::Atomic,
    }
}

/// The value that stands for a key field where an item does not say it.
pub fn key_default(field: &str) -> Value {
    if field == "protocol" { Value::from("TCP") } else { Value::Null }
}

/// Checks types and field names against Kubernetes' own definitions.
///
/// # Errors
/// What does not fit: a wrong type, or the paths of unknown fields.
pub fn check(resource: &Resource, object: &Value) -> Result<(), Unfit> {
    let known = match resource.plural {
        "deployments" => known::<Deployment>(object),
        "replicasets" => known::<ReplicaSet>(object),
        "statefulsets" => known::<StatefulSet>(object),
        "daemonsets" => known::<DaemonSet>(object),
        "controllerrevisions" => known::<ControllerRevision>(object),
        "jobs" => known::<Job>(object),
        "cronjobs" => known::<CronJob>(object),
        "nodes" => known::<Node>(object),
        "configmaps" => known::<ConfigMap>(object),
        "endpoints" => known::<Endpoints>(object),
        "events" => known::<Event>(object),
        "namespaces" => known::<Namespace>(object),
        "persistentvolumeclaims" => known::<PersistentVolumeClaim>(object),
        "pods" => known::<Pod>(object),
        "secrets" => known::<Secret>(object),
        "services" => known::<Service>(object),
        _ => known::<ServiceAccount>(object),
    };
    let known = known.map_err(Unfit::Type)?;
    let mut unknown = Vec::new();
    compare(object, &known, "", &mut unknown);
    if unknown.is_empty() { Ok(()) } else { Err(Unfit::UnknownFields(unknown)) }
}

/// Why an object does not fit its kind.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A value of another type than its field's.
    Type(String),
    /// Fields that do not exist, as `spec.replica`.
    UnknownFields(Vec<String>),
}

/// What remains of an object when only known fields are read.
fn known<Kind: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Result<Value, String> {
    let typed: Kind = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

fn compare(given: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (name, value) in given {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.get(name) {
                    Some(known) => compare(value, known, &path, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (index, (given, known)) in given.iter().zip(known).enumerate() {
                compare(given, known, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Unfit, check};
    use crate::objects::resources::DEPLOYMENTS;

    #[test]
    fn unknown_fields_are_named_by_their_path() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "annotations": {"any": "x"}},
            "spec": {"replica": 2, "selector": {}, "template": {"spec": {"containers": [{"name": "a", "imag": "b"}]}}},
        });
        let expected = vec!["spec.replica".to_owned(), "spec.template.spec.containers[0].imag".to_owned()];
        assert_eq!(check(&DEPLOYMENTS, &object), Err(Unfit::UnknownFields(expected)));
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": "two"}});
        assert!(matches!(check(&DEPLOYMENTS, &object), Err(Unfit::Type(_))));
    }
}
