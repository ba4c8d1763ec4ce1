//! Events: what happened to an object, counted when it happens again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

use crate::objects::json::{integer, now, seconds_since, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::EVENTS;
use crate::objects::store::Key;

/// Seconds an event is kept, as by a real server.
const LIFETIME: i64 = 3600;

/// Records an event about an object. `kind` is `Normal` or `Warning`.
pub fn record(objects: &Objects, about: &Value, component: &str, kind: &str, reason: &str, message: &str) {
    let namespace = text(about, "/metadata/namespace");
    let name = text(about, "/metadata/name");
    let involved = json!({
        "kind": about["kind"], "apiVersion": about["apiVersion"], "name": name, "namespace": namespace,
        "uid": about["metadata"]["uid"], "resourceVersion": about["metadata"]["resourceVersion"],
    });
    // The same once more has the same name, so that it is found without reading all of them.
    let mut hasher = DefaultHasher::new();
    (text(&involved, "/uid"), reason, message).hash(&mut hasher);
    let key = Key::new(&EVENTS, namespace, &format!("{name}.{:016x}", hasher.finish()));
    let writer = Writer::controller(component);
    let written = if objects.store.get(&key).is_some() {
        objects.update(&EVENTS, &key, &writer, |before| {
            let mut after = before.clone();
            after["count"] = (integer(before, "/count").unwrap_or(1) + 1).into();
            after["lastTimestamp"] = now().into();
            Ok(after)
        })
    } else {
        let time = now();
        let event = json!({
            "metadata": { "name": key.name, "namespace": namespace },
            "involvedObject": involved, "reason": reason, "message": message, "type": kind, "count": 1,
            "source": { "component": component }, "reportingComponent": component, "reportingInstance": "",
            "firstTimestamp": time, "lastTimestamp": time,
        });
        objects.create(&EVENTS, event, &writer)
    };
    if let Err(failure) = written {
        // A namespace that is going away takes no events.
        tracing::debug!(%failure, reason, message, "event lost");
    }
}

/// Whether an event has been kept long enough.
pub fn is_old(event: &Value) -> bool {
    seconds_since(text(event, "/lastTimestamp")).is_some_and(|seconds| seconds > LIFETIME)
}
