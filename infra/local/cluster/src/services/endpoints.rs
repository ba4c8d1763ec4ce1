//! The Endpoints object of each service, as a real cluster keeps it.

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::pods;
use crate::objects::deletion::Deletion;
use crate::objects::json::{list, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{ENDPOINTS, SERVICES};
use crate::objects::store::Key;
use crate::services::backends::{self, Port};

const MANAGER: &str = "kube-controller-manager";

/// Brings the endpoints of a service up to date.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, service: &Value) -> Result<(), Failure> {
    if !service["spec"]["selector"].is_object() {
        return Ok(());
    }
    let subsets: Vec<Value> = backends::of(objects, service).iter().filter_map(subset).collect();
    let key = Key::new(&ENDPOINTS, text(service, "/metadata/namespace"), text(service, "/metadata/name"));
    let writer = Writer::controller(MANAGER);
    match objects.store.get(&key) {
        Some(old) if list(&old, "/subsets") == subsets && owner(&old) == text(service, "/metadata/uid") => {
            Ok(())
        }
        Some(old) if owner(&old) == text(service, "/metadata/uid") => objects
            .update(&ENDPOINTS, &key, &writer, |before| {
                let mut after = before.clone();
                after["subsets"] = subsets.into();
                Ok(after)
            })
            .map(drop),
        Some(_) => objects.delete(&ENDPOINTS, &key, &Deletion::default()).map(drop),
        None => {
            let object = json!({
                "metadata": {
                    "name": key.name, "namespace": key.namespace, "labels": service["metadata"]["labels"],
                    "ownerReferences": [pods::reference(&SERVICES, service)],
                },
                "subsets": subsets,
            });
            objects.create(&ENDPOINTS, object, &writer).map(drop)
        }
    }
}

fn owner(endpoints: &Value) -> &str {
    pods::controller(endpoints).unwrap_or_default()
}

/// One subset per port: target ports may differ from pod to pod, which real endpoints group further.
fn subset(port: &Port) -> Option<Value> {
    let number = port.ready.first().or(port.not_ready.first())?.1;
    let addresses = |list: &[(String, u16)]| -> Vec<Value> {
        list.iter().map(|(address, _)| json!({ "ip": address, "nodeName": "local" })).collect()
    };
    let mut entry = json!({ "port": number, "protocol": "TCP" });
    if !port.name.is_empty() {
        entry["name"] = port.name.as_str().into();
    }
    let mut subset = json!({ "ports": [entry] });
    for (name, list) in [("addresses", &port.ready), ("notReadyAddresses", &port.not_ready)] {
        if !list.is_empty() {
            subset[name] = addresses(list).into();
        }
    }
    Some(subset)
}
