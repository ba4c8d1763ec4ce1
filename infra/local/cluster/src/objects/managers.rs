//! Who manages which fields: reading, writing and following `metadata.managedFields`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::objects::fields::{FieldSet, Path, value_at};
use crate::objects::json as read;

/// One manager's entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Manager {
    /// Its name, `fieldManager` of the request.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource it wrote through, empty for the object itself.
    pub subresource: String,
    /// When it last changed its fields.
    pub time: String,
    /// Its fields.
    pub fields: FieldSet,
}

impl Manager {
    /// A manager that starts with nothing.
    pub fn new(name: &str, operation: &str, subresource: &str) -> Self {
        Self {
            name: name.to_owned(),
            operation: operation.to_owned(),
            subresource: subresource.to_owned(),
            time: read::now(),
            fields: FieldSet::default(),
        }
    }

    /// Whether an entry is this manager's.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.operation == other.operation && self.subresource == other.subresource
    }
}

/// The managers an object records.
pub fn managers(object: &Value) -> Vec<Manager> {
    let entries = read::list(object, "/metadata/managedFields").iter();
    entries
        .map(|entry| Manager {
            name: read::text(entry, "/manager").to_owned(),
            operation: read::text(entry, "/operation").to_owned(),
            subresource: read::text(entry, "/subresource").to_owned(),
            time: read::text(entry, "/time").to_owned(),
            fields: FieldSet::from_json(&entry["fieldsV1"]),
        })
        .collect()
}

/// Records the managers in an object; those without a field are dropped.
pub fn record(object: &mut Value, managers: &[Manager]) {
    let api_version = object["apiVersion"].clone();
    let managers = managers.iter().filter(|manager| !manager.fields.0.is_empty());
    let entries: Vec<Value> = managers
        .map(|manager| {
            let mut entry = json!({
                "manager": manager.name, "operation": manager.operation, "apiVersion": api_version,
                "time": manager.time, "fieldsType": "FieldsV1", "fieldsV1": manager.fields.to_json(),
            });
            if !manager.subresource.is_empty() {
                entry["subresource"] = manager.subresource.as_str().into();
            }
            entry
        })
        .collect();
    let metadata = read::object_at(object, "metadata");
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), entries.into());
    }
}

/// After a write that was no apply: the writer now manages what it changed, nobody what is gone.
pub fn follow(before: Option<&Value>, after: &mut Value, writer: &Manager) {
    // A writer may say itself who manages what, as kubectl does when it moves to server-side apply.
    let said = after.pointer("/metadata/managedFields").is_some().then(|| self::managers(after));
    let mut managers = said.or_else(|| before.map(managers)).unwrap_or_default();
    let now = FieldSet::of(after);
    let changed: BTreeSet<_> = now
        .0
        .iter()
        .filter(|path| {
            let old = before.and_then(|before| value_at(before, path));
            let is_item = path.last().is_some_and(|element| element.starts_with("k:"));
            if is_item { old.is_none() } else { old != value_at(after, path) }
        })
        .cloned()
        .collect();
    for manager in &mut managers {
        let loses_changed = !manager.is(writer);
        let stays =
            |path: &Path| value_at(after, path).is_some() && !(loses_changed && changed.contains(path));
        manager.fields.0.retain(stays);
    }
    if changed.is_empty() {
        record(after, &managers);
        return;
    }
    if !managers.iter().any(|manager| manager.is(writer)) {
        managers.push(Manager { fields: FieldSet::default(), ..writer.clone() });
    }
    for manager in managers.iter_mut().filter(|manager| manager.is(writer)) {
        manager.fields.0.extend(changed.iter().cloned());
        manager.time.clone_from(&writer.time);
    }
    record(after, &managers);
}
