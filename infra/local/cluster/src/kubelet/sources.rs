//! What a container takes from config maps, secrets and its own pod: variables and files.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use crate::kubelet::Node;
use crate::kubelet::expansion::expand;
use crate::objects::json::{list, text};
use crate::objects::resources::{CONFIG_MAPS, Resource, SECRETS};
use crate::objects::store::Key;

/// Why a container cannot be configured.
pub type Problem = String;

/// The variables of a container.
///
/// # Errors
/// The missing object or key, in a real kubelet's words.
pub fn variables(
    node: &Node,
    pod: &Value,
    container: &Value,
    address: &str,
) -> Result<Vec<(String, String)>, Problem> {
    let namespace = text(pod, "/metadata/namespace");
    let mut variables: Vec<(String, String)> = Vec::new();
    for source in list(container, "/envFrom") {
        let prefix = text(source, "/prefix");
        for (field, resource) in [("configMapRef", &CONFIG_MAPS), ("secretRef", &SECRETS)] {
            let Some(reference) = source.get(field) else { continue };
            let Some(content) = content(node, resource, namespace, reference)? else { continue };
            let values = content.into_iter();
            variables.extend(values.map(|(name, value)| {
                (format!("{prefix}{name}"), String::from_utf8_lossy(&value).into_owned())
            }));
        }
    }
    for variable in list(container, "/env") {
        let name = text(variable, "/name").to_owned();
        let value = match variable.get("valueFrom") {
            None => Some(expand(text(variable, "/value"), &variables)),
            Some(from) => reference(node, pod, from, address)?,
        };
        if let Some(value) = value {
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
        }
    }
    Ok(variables)
}

fn reference(node: &Node, pod: &Value, from: &Value, address: &str) -> Result<Option<String>, Problem> {
    let namespace = text(pod, "/metadata/namespace");
    let kinds = [("configMapKeyRef", &CONFIG_MAPS, "ConfigMap"), ("secretKeyRef", &SECRETS, "Secret")];
    for (field, resource, kind) in kinds {
        let Some(reference) = from.get(field) else { continue };
        let Some(mut content) = content(node, resource, namespace, reference)? else { return Ok(None) };
        let (name, key) = (text(reference, "/name"), text(reference, "/key"));
        return match content.remove(key) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value).into_owned())),
            None if reference["optional"] == true => Ok(None),
            None => Err(format!("couldn't find key {key} in {kind} {namespace}/{name}")),
        };
    }
    let path = text(from, "/fieldRef/fieldPath");
    if path.is_empty() {
        return Err(
            "only configMapKeyRef, secretKeyRef and fieldRef are supported by this kubelet".to_owned()
        );
    }
    Ok(Some(field(pod, path, address)))
}

/// A field of the pod as `fieldRef` names it.
fn field(pod: &Value, path: &str, address: &str) -> String {
    match path {
        "status.podIP" | "status.podIPs" => address.to_owned(),
        "status.hostIP" => "127.0.0.1".to_owned(),
        _ => {
            let indexed = path.strip_suffix("']").and_then(|path| path.split_once("['"));
            let (path, key) = indexed.map_or((path, None), |(path, key)| (path, Some(key)));
            let found = pod.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null);
            let found = key.map_or(found, |key| &found[key]);
            found.as_str().map_or_else(String::new, str::to_owned)
        }
    }
}

/// The files of a volume by name; `None` for volumes that hold none of ours.
///
/// # Errors
/// The missing object.
pub fn files(node: &Node, pod: &Value, volume: &Value) -> Result<Option<BTreeMap<String, Vec<u8>>>, Problem> {
    let namespace = text(pod, "/metadata/namespace");
    for (field, resource) in [("configMap", &CONFIG_MAPS), ("secret", &SECRETS)] {
        let Some(source) = volume.get(field) else { continue };
        let mut reference = source.clone();
        if let Some(name) = source.get("secretName") {
            reference["name"] = name.clone();
        }
        let mut content = content(node, resource, namespace, &reference)?.unwrap_or_default();
        let items = list(source, "/items");
        if items.is_empty() {
            return Ok(Some(content));
        }
        let mut chosen = BTreeMap::new();
        for item in items {
            let key = text(item, "/key");
            match content.remove(key) {
                Some(value) => drop(chosen.insert(text(item, "/path").to_owned(), value)),
                None if source["optional"] == true => {}
                None => return Err(format!("references non-existent config key: {key}")),
            }
        }
        return Ok(Some(chosen));
    }
    Ok(None)
}

fn content(
    node: &Node,
    resource: &Resource,
    namespace: &str,
    reference: &Value,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, Problem> {
    let name = text(reference, "/name");
    let Some(object) = node.objects.store.get(&Key::new(resource, namespace, name)) else {
        let optional = reference["optional"] == true;
        return if optional { Ok(None) } else { Err(format!("{} \"{name}\" not found", resource.singular)) };
    };
    let mut content = BTreeMap::new();
    for (field, encoded) in [("data", resource == &SECRETS), ("binaryData", true)] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let bytes = if encoded {
                let decoded = base64::engine::general_purpose::STANDARD.decode(value);
                decoded.map_err(|error| format!("key {key} of {} \"{name}\": {error}", resource.singular))?
            } else {
                value.as_bytes().to_vec()
            };
            content.insert(key.clone(), bytes);
        }
    }
    Ok(Some(content))
}
