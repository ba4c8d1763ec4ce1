//! The ready pods behind a service.

use serde_json::Value;

use crate::controllers::pods::is_ready;
use crate::objects::json::{integer, list, text};
use crate::objects::lifecycle::Objects;
use crate::objects::resources::PODS;
use crate::objects::selectors::selects_plainly;

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name, often empty.
    pub name: String,
    /// The number clients use.
    pub number: u16,
    /// Addresses and ports of ready pods.
    pub ready: Vec<(String, u16)>,
    /// Addresses and ports of pods that are not.
    pub not_ready: Vec<(String, u16)>,
}

/// The ports of a service with their pods.
pub fn of(objects: &Objects, service: &Value) -> Vec<Port> {
    let (_, mut pods) = objects.store.list(&PODS, Some(text(service, "/metadata/namespace")));
    pods.retain(|pod| {
        selects_plainly(service.pointer("/spec/selector"), pod.pointer("/metadata/labels"))
            && !text(pod, "/status/podIP").is_empty()
            && text(pod, "/metadata/deletionTimestamp").is_empty()
            && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
    });
    let port = |port: &Value| {
        let at =
            |pod: &Value| Some((text(pod, "/status/podIP").to_owned(), target(pod, &port["targetPort"])?));
        let (ready, not_ready): (Vec<_>, Vec<_>) = pods.iter().partition(|pod| is_ready(pod));
        Some(Port {
            name: text(port, "/name").to_owned(),
            number: u16::try_from(integer(port, "/port")?).ok()?,
            ready: ready.into_iter().filter_map(|pod| at(pod)).collect(),
            not_ready: not_ready.into_iter().filter_map(|pod| at(pod)).collect(),
        })
    };
    list(service, "/spec/ports").iter().filter_map(port).collect()
}

/// A target port is a number or the name of a container's port.
fn target(pod: &Value, target: &Value) -> Option<u16> {
    let number = match target.as_str() {
        None => target.as_i64()?,
        Some(name) => {
            let mut ports =
                list(pod, "/spec/containers").iter().flat_map(|container| list(container, "/ports"));
            let named = ports.find(|port| text(port, "/name") == name);
            named.and_then(|port| integer(port, "/containerPort")).or_else(|| name.parse().ok())?
        }
    };
    u16::try_from(number).ok()
}
