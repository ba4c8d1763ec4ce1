//! From manifests to the objects that are applied: a pure function of files, target and image.
//!
//! The namespace is the environment's, the image is pinned by digest, every object names its owner, and pod templates
//! carry the hash of the configuration (`ConfigMap`, `Secret`) beside them, so that a changed configuration rolls the pods.

use std::collections::BTreeMap;

use domain::spec::ServiceSpec;
use domain::task::{ObjectName, PinnedImage};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::jobs;
use crate::source::ManifestFile;
use crate::substitute::{Known, Target, substituted};

/// Kinds that belong to no namespace; the deployer's own role does not cover them.
const CLUSTER_SCOPED: [&str; 8] = [
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
];

/// Who manages the objects.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Whose object it is: only its owner prunes it.
const OWNER: &str = "slipway.dev/owner";

/// The hash of the configuration that a pod reads.
const CONFIG_HASH: &str = "slipway.dev/config-hash";

/// What is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The objects in the order of their files.
    pub objects: Vec<Value>,
    /// Their names in the same order.
    pub names: Vec<ObjectName>,
    /// The objects as one JSON list: the bytes that are promoted.
    pub text: String,
    /// SHA-256 of the text, hexadecimal.
    pub hash: String,
}

/// Renders the files; `owner` is what the service is called among all that are delivered.
///
/// # Errors
/// One sentence for the developer, naming file and field.
pub fn render(
    files: &[ManifestFile],
    target: &Target<'_>,
    image: Option<(&str, &PinnedImage)>,
    service: &ServiceSpec,
    owner: &str,
) -> Result<Rendered, String> {
    let known = Known { target, service, image: image.map(|(_, pinned)| pinned) };
    let mut objects = Vec::new();
    for file in files {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&file.text)
            .map_err(|error| format!("`{}` is not valid YAML: {error}", file.path))?;
        for document in documents.into_iter().filter(|document| !document.is_null()) {
            let document = substituted(document, &file.path, &known)?;
            let object = placed(document, target, &file.path)?;
            objects.push(jobs::marked(object, &file.path, &service.rollout)?);
        }
    }
    if objects.is_empty() {
        return Err(format!("the manifests of `{}` hold no object", service.name));
    }
    if let Some((name, pinned)) = image {
        let pinned_somewhere =
            objects.iter_mut().map(|object| pin(object, name, pinned)).fold(false, |any, one| any | one);
        if !pinned_somewhere {
            return Err(format!(
                "no container of `{}` uses the image `{name}`; name it in the manifest's `image`",
                service.name
            ));
        }
    }
    leave_replicas_to_autoscalers(&mut objects);
    let configuration = configuration_hash(&objects);
    for object in &mut objects {
        stamp(object, &configuration);
        labels(object, "annotations").insert(OWNER.to_owned(), json!(owner));
    }
    let names = objects.iter().map(name_of).collect();
    let text = Value::Array(objects.clone()).to_string();
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    Ok(Rendered { objects, names, text, hash })
}

/// The object with its namespace and label, or why it cannot be taken.
fn placed(mut object: Value, target: &Target<'_>, path: &str) -> Result<Value, String> {
    let namespace = target.namespace;
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(name), Some(_)) = (text("/kind"), text("/metadata/name"), text("/apiVersion"))
    else {
        return Err(format!("an object in `{path}` lacks `apiVersion`, `kind` or `metadata.name`"));
    };
    let is_cluster_wide = CLUSTER_SCOPED.contains(&kind.as_str());
    if is_cluster_wide && !target.cluster_wide {
        return Err(format!(
            "`{path}` holds the cluster-wide {kind} `{name}`; leave it out, or let the operator's file say \
             `policy: {{cluster_wide: true}}`"
        ));
    }
    if let Some(other) = text("/metadata/namespace").filter(|other| other != namespace) {
        return Err(format!(
            "{kind} `{name}` in `{path}` names the namespace `{other}`, the environment's is `{namespace}`; leave `metadata.namespace` out"
        ));
    }
    let metadata = entry(&mut object, "metadata");
    if is_cluster_wide {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    // What the API server writes has no place in what is applied.
    for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
        metadata.remove(field);
    }
    labels(&mut object, "labels").insert(MANAGED_BY.to_owned(), json!("slipway"));
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    Ok(object)
}

fn entry<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !object[field].is_object() {
        object[field] = json!({});
    }
    object[field].as_object_mut().expect("it was made an object one line above")
}

fn labels<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let metadata = entry(object, "metadata");
    let value = metadata.entry(field.to_owned()).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made an object one line above")
}

/// Pins every container that uses the image `name`, whatever its tag; true when there was one.
fn pin(value: &mut Value, name: &str, pinned: &PinnedImage) -> bool {
    let mut found = false;
    match value {
        Value::Object(fields) => {
            for (field, inner) in fields.iter_mut() {
                if matches!(field.as_str(), "containers" | "initContainers")
                    && let Some(containers) = inner.as_array_mut()
                {
                    for container in containers {
                        if container["image"].as_str().is_some_and(|image| is_image(image, name)) {
                            container["image"] = json!(pinned.to_string());
                            found = true;
                        }
                    }
                } else {
                    found |= pin(inner, name, pinned);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= pin(item, name, pinned);
            }
        }
        _ => {}
    }
    found
}

/// Whether an image reference names the repository `name`, with any registry, tag or digest.
fn is_image(reference: &str, name: &str) -> bool {
    let without_digest = reference.split('@').next().unwrap_or(reference);
    let (head, last) = without_digest.rsplit_once('/').unwrap_or(("", without_digest));
    let last = last.split(':').next().unwrap_or(last);
    let repository = if head.is_empty() { last.to_owned() } else { format!("{head}/{last}") };
    repository == name || repository.strip_suffix(name).is_some_and(|registry| registry.ends_with('/'))
}

/// Who has an autoscaler gets its number of replicas from that: an apply with a number of its own would fight it.
fn leave_replicas_to_autoscalers(objects: &mut [Value]) {
    let is_autoscaler = |object: &&Value| object["kind"] == "HorizontalPodAutoscaler";
    let targets: Vec<Value> =
        objects.iter().filter(is_autoscaler).map(|object| object["spec"]["scaleTargetRef"].clone()).collect();
    for object in objects {
        let is_target =
            |target: &Value| target["kind"] == object["kind"] && target["name"] == object["metadata"]["name"];
        if targets.iter().any(is_target)
            && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        {
            spec.remove("replicas");
        }
    }
}

fn configuration_hash(objects: &[Value]) -> String {
    let configuration: BTreeMap<String, &Value> = objects
        .iter()
        .filter(|object| matches!(object["kind"].as_str(), Some("ConfigMap" | "Secret")))
        .map(|object| (format!("{}/{}", object["kind"], object["metadata"]["name"]), object))
        .collect();
    let text = serde_json::to_string(&configuration).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

fn stamp(object: &mut Value, configuration: &str) {
    if object.pointer("/spec/template/spec/containers").is_some() {
        let template = &mut object["spec"]["template"];
        labels(template, "annotations").insert(CONFIG_HASH.to_owned(), json!(configuration));
    }
}

fn name_of(object: &Value) -> ObjectName {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectName {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
    }
}
