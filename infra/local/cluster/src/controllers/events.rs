//! Events: what happened to an object, counted when it happens again.

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
    let (_, known) = objects.store.list(&EVENTS, Some(namespace));
    let same = known.iter().find(|event| {
        text(event, "/involvedObject/uid") == text(&involved, "/uid")
            && text(event, "/reason") == reason
            && text(event, "/message") == message
    });
    let writer = Writer::controller(component);
    let written = if let Some(event) = same {
        let key = Key::of(&EVENTS, event);
        objects.update(&EVENTS, &key, &writer, |before| {
            let mut after = before.clone();
            after["count"] = (integer(before, "/count").unwrap_or(1) + 1).into();
            after["lastTimestamp"] = now().into();
            Ok(after)
        })
    } else {
        let time = now();
        let number = format!("{:016x}", fastrand::u64(..));
        let event = json!({
            "metadata": { "name": format!("{name}.{number}"), "namespace": namespace },
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
