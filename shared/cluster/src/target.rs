//! Where an object of the manifests lies in the cluster.

use domain::ports::Fault;
use domain::task::ObjectName;
use kube::api::DynamicObject;
use kube::{Api, Client};
use serde_json::Value;

use crate::kinds::Kinds;

/// An object's place.
pub(crate) struct Target {
    /// What people call it: Deployment `shop/web`.
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) api: Api<DynamicObject>,
}

impl Target {
    /// The place, or the sentence why there is none.
    pub(crate) async fn of(
        client: &Client,
        kinds: &Kinds,
        object: &Value,
    ) -> Result<Result<Self, String>, Fault> {
        let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let (namespace, name) =
            (text(object, "/metadata/namespace"), text(object, "/metadata/name").to_owned());
        let label = ObjectName {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.clone(),
        }
        .to_string();
        if api_version.is_empty() || kind.is_empty() || name.is_empty() {
            return Ok(Err(format!("{label} lacks `apiVersion`, `kind` or `metadata.name`")));
        }
        let found = kinds.find(client, api_version, kind).await;
        let Some(known) = found
            .map_err(|failure| failure.fault(&format!("could not ask for the kinds of `{api_version}`")))?
        else {
            return Ok(Err(format!("{label}: the cluster does not serve `{kind}` in `{api_version}`")));
        };
        let api = match (known.namespaced, namespace) {
            (true, "") => return Ok(Err(format!("{label} lacks `metadata.namespace`"))),
            (true, namespace) => Api::namespaced_with(client.clone(), namespace, &known.resource),
            (false, _) => Api::all_with(client.clone(), &known.resource),
        };
        Ok(Ok(Self { label, name, api }))
    }
}

/// An object read from a cluster carries its history, which an apply may not.
pub(crate) fn without_bookkeeping(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    object
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
