//! Server-side apply: the applied fields are merged in, those no longer applied are removed.

use serde_json::Value;

use crate::api::failure::{Cause, Failure};
use crate::objects::fields::{FieldSet, Path, display, extend, item_key, remove, value_at};
use crate::objects::json;
use crate::objects::managers::{Manager, managers, record};
use crate::objects::schema::{Shape, key_default, shape};

/// The object after a manager has applied `applied` to `live`.
///
/// # Errors
/// 409 with the fields that other managers hold with other values, unless `force` takes them.
pub fn apply(live: Option<&Value>, applied: &Value, manager: &str, force: bool) -> Result<Value, Failure> {
    let mut all = live.map(managers).unwrap_or_default();
    let fresh = Manager::new(manager, "Apply", "");
    let position = all.iter().position(|entry| entry.is(&fresh));
    let mut own = position.map_or(fresh, |position| all.remove(position));
    let fields = FieldSet::of(applied);

    if let Some(live) = live {
        let conflicts = conflicts(live, applied, &fields, &all);
        if !conflicts.is_empty() && !force {
            return Err(Failure::apply_conflict(&causes(&conflicts, live)));
        }
        for (path, holder) in conflicts {
            for entry in all.iter_mut().filter(|entry| entry.is(&holder)) {
                entry.fields.0.remove(&path);
            }
        }
    }

    let mut merged = live.map_or_else(|| applied.clone(), |live| merge(live, applied, &mut Vec::new()));
    for path in own.fields.0.difference(&fields.0) {
        if !all.iter().any(|other| other.fields.touches(path)) && !fields.touches(path) {
            remove(&mut merged, path);
            remove_parents(&mut merged, path, |parent| {
                fields.touches(parent) || all.iter().any(|other| other.fields.touches(parent))
            });
        }
    }
    if own.fields != fields {
        own.time = json::now();
        own.fields = fields;
    }
    all.insert(position.unwrap_or(all.len()), own);
    record(&mut merged, &all);
    Ok(merged)
}

/// A struct of which nobody wants anything any more goes as a whole, with the defaults that nobody manages: a probe
/// without its port would be refused.
fn remove_parents(merged: &mut Value, path: &Path, is_wanted: impl Fn(&Path) -> bool) {
    for length in 2..path.len() {
        let parent = path[..length].to_vec();
        if parent[length - 1].starts_with("f:") && !is_wanted(&parent) {
            remove(merged, &parent);
            return;
        }
    }
}

fn conflicts(live: &Value, applied: &Value, fields: &FieldSet, others: &[Manager]) -> Vec<(Path, Manager)> {
    let mut conflicts = Vec::new();
    for path in &fields.0 {
        let is_item = path.last().is_some_and(|element| element.starts_with("k:"));
        if is_item || value_at(live, path) == value_at(applied, path) {
            continue;
        }
        let holders = others.iter().filter(|other| other.fields.0.contains(path));
        conflicts.extend(holders.map(|holder| (path.clone(), holder.clone())));
    }
    conflicts
}

fn causes(conflicts: &[(Path, Manager)], live: &Value) -> Vec<Cause> {
    let causes = conflicts.iter().map(|(path, holder)| {
        let version = json::text(live, "/apiVersion");
        let subresource = if holder.subresource.is_empty() {
            String::new()
        } else {
            format!(" with subresource \"{}\"", holder.subresource)
        };
        let message = if holder.operation == "Apply" {
            format!("conflict with \"{}\"{subresource}", holder.name)
        } else {
            format!("conflict with \"{}\"{subresource} using {version}", holder.name)
        };
        Cause { reason: "FieldManagerConflict", field: display(path), message }
    });
    causes.collect()
}

/// `applied` over `live`; lists and maps merge by their shape.
fn merge<'a>(live: &Value, applied: &'a Value, names: &mut Vec<&'a str>) -> Value {
    match (live, applied, shape(names, applied)) {
        (Value::Object(old), Value::Object(new), Shape::Granular) => {
            let mut merged = old.clone();
            for (name, value) in new {
                let names = &mut extend(names, name);
                let value = old.get(name).map_or_else(|| value.clone(), |old| merge(old, value, names));
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new), Shape::Keyed(keys)) => {
            let mut merged: Vec<Value> = Vec::new();
            for item in new {
                let key = item_key(keys, item);
                let before = old.iter().find(|item| item_key(keys, item) == key);
                merged.push(
                    before.map_or_else(|| item.clone(), |before| merge_item(before, item, names, keys)),
                );
            }
            let absent =
                |item: &&Value| !new.iter().any(|other| item_key(keys, other) == item_key(keys, item));
            merged.extend(old.iter().filter(absent).cloned());
            Value::Array(merged)
        }
        (Value::Array(old), Value::Array(new), Shape::Set) => {
            let mut merged = new.clone();
            merged.extend(old.iter().filter(|item| !new.contains(item)).cloned());
            Value::Array(merged)
        }
        _ => applied.clone(),
    }
}

/// An item merges as a map, whatever the shape of its list.
fn merge_item<'a>(live: &Value, applied: &'a Value, names: &mut Vec<&'a str>, keys: &[&str]) -> Value {
    let (Value::Object(old), Value::Object(new)) = (live, applied) else { return applied.clone() };
    let mut merged = old.clone();
    for (name, value) in new {
        let names = &mut extend(names, name);
        let value = old.get(name).map_or_else(|| value.clone(), |old| merge(old, value, names));
        merged.insert(name.clone(), value);
    }
    // A key that is left out in the new item means its default.
    for key in keys.iter().filter(|key| !new.contains_key(**key) && !key_default(key).is_null()) {
        merged.insert((*key).to_owned(), key_default(key));
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::apply;
    use crate::objects::managers::{Manager, follow, managers};

    fn deployment(replicas: &Value, containers: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "replicas": replicas, "template": { "spec": { "containers": containers } } },
        })
    }

    fn web(env: &Value) -> Value {
        deployment(&json!(1), &json!([{ "name": "web", "image": "a", "env": env }]))
    }

    fn applied(live: Option<&Value>, wanted: &Value) -> Value {
        apply(live, wanted, "slipway", false).expect("no conflict")
    }

    /// Another manager changes an object by an update.
    fn updated(live: &Value, edit: impl FnOnce(&mut Value)) -> Value {
        let mut after = live.clone();
        edit(&mut after);
        follow(Some(live), &mut after, &Manager::new("editor", "Update", ""));
        after
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let wanted = web(&json!([{ "name": "A", "value": "1" }]));
        let first = applied(None, &wanted);
        assert_eq!(applied(Some(&first), &wanted), first);
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let first =
            applied(None, &web(&json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }])));
        let second = applied(Some(&first), &web(&json!([{ "name": "B", "value": "3" }])));
        let env = &second["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*env, json!([{ "name": "B", "value": "3" }]));
        let third = applied(Some(&second), &deployment(&json!(1), &json!([{ "name": "web", "image": "a" }])));
        assert!(third["spec"]["template"]["spec"]["containers"][0].get("env").is_none(), "{third}");
    }

    #[test]
    fn a_struct_goes_with_the_defaults_in_it() {
        let probed = |probe: &Value| {
            deployment(&json!(1), &json!([{ "name": "web", "image": "a", "readinessProbe": probe }]))
        };
        let mut first = applied(None, &probed(&json!({ "httpGet": { "port": 80 } })));
        first["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["periodSeconds"] = 10.into();
        first["spec"]["progressDeadlineSeconds"] = 600.into();
        let second = applied(Some(&first), &deployment(&json!(1), &json!([{ "name": "web", "image": "a" }])));
        assert!(
            second["spec"]["template"]["spec"]["containers"][0].get("readinessProbe").is_none(),
            "{second}"
        );
        assert_eq!(second["spec"]["progressDeadlineSeconds"], 600, "a default beside what is wanted stays");
    }

    #[test]
    fn a_container_of_another_manager_stays() {
        let first = applied(None, &web(&json!([])));
        let sidecar = json!({ "name": "sidecar", "image": "b" });
        let edited = updated(&first, |object| {
            object["spec"]["template"]["spec"]["containers"].as_array_mut().expect("a list").push(sidecar);
        });
        let second =
            applied(Some(&edited), &deployment(&json!(1), &json!([{ "name": "new", "image": "c" }])));
        let names: Vec<&Value> = second["spec"]["template"]["spec"]["containers"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|container| &container["name"])
            .collect();
        assert_eq!(names, ["new", "sidecar"]);
    }

    #[test]
    fn a_field_that_another_manager_changed_is_a_conflict() {
        let first = applied(None, &web(&json!([])));
        let scaled = updated(&first, |object| object["spec"]["replicas"] = 5.into());
        let refused = apply(Some(&scaled), &web(&json!([])), "slipway", false).expect_err("a conflict");
        assert_eq!(refused.code, 409);
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"editor\" using apps/v1: .spec.replicas"
        );
        assert_eq!(refused.details["causes"][0]["field"], ".spec.replicas");
        let forced = apply(Some(&scaled), &web(&json!([])), "slipway", true).expect("forced");
        assert_eq!(forced["spec"]["replicas"], 1);
        let editor = managers(&forced).into_iter().find(|manager| manager.name == "editor");
        assert!(editor.is_none(), "it has nothing left: {editor:?}");
    }

    #[test]
    fn the_same_value_is_shared_and_stays_until_both_let_go() {
        let first = applied(None, &web(&json!([])));
        let both = apply(Some(&first), &web(&json!([])), "other", false).expect("the same values");
        let mut wanted = web(&json!([]));
        wanted["spec"].as_object_mut().expect("a spec").remove("replicas");
        let released = applied(Some(&both), &wanted);
        assert_eq!(released["spec"]["replicas"], 1);
        let gone = apply(Some(&released), &wanted, "other", false).expect("no conflict");
        assert!(gone["spec"].get("replicas").is_none(), "{gone}");
    }

    #[test]
    fn ports_are_told_apart_by_number_and_protocol() {
        let service =
            |ports: Value| json!({ "apiVersion": "v1", "kind": "Service", "spec": { "ports": ports } });
        let first = applied(None, &service(json!([{ "port": 53, "protocol": "UDP" }, { "port": 53 }])));
        let second = applied(Some(&first), &service(json!([{ "port": 53, "targetPort": 5353 }])));
        assert_eq!(second["spec"]["ports"], json!([{ "port": 53, "targetPort": 5353, "protocol": "TCP" }]));
    }

    #[test]
    fn an_atomic_selector_is_replaced_as_a_whole() {
        let service = |selector: Value| json!({ "apiVersion": "v1", "kind": "Service", "spec": { "selector": selector } });
        let first = applied(None, &service(json!({ "app": "a", "tier": "b" })));
        let second = applied(Some(&first), &service(json!({ "app": "c" })));
        assert_eq!(second["spec"]["selector"], json!({ "app": "c" }));
    }
}
