//! The three older kinds of patch: merge, strategic merge and JSON patch.

use serde_json::{Map, Value};

use crate::api::failure::Failure;
use crate::objects::fields::{extend, item_key};
use crate::objects::json;
use crate::objects::schema::{Shape, shape};

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let fields = json::object(target);
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Kubernetes' strategic merge: as above, but keyed lists merge item by item, and directives
/// (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`) are obeyed.
pub fn strategic(target: &mut Value, patch: &Value, names: &[&str]) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").and_then(Value::as_str) == Some("replace") {
        *target = Value::Object(without_directives(changes));
        return;
    }
    let fields = json::object(target);
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|name, _| kept.iter().any(|kept| kept.as_str() == Some(name)));
    }
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(items) = fields.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        }
    }
    for (name, change) in changes.iter().filter(|(name, _)| !name.starts_with('$')) {
        let names = extend(names, name);
        if change.is_null() {
            fields.remove(name);
            continue;
        }
        let slot = fields.entry(name.clone()).or_insert(Value::Null);
        match (shape(&names, change), change) {
            (Shape::Keyed(keys), Value::Array(items)) => {
                let order = changes.get(&format!("$setElementOrder/{name}")).and_then(Value::as_array);
                strategic_list(slot, items, &names, keys, order);
            }
            (Shape::Set, Value::Array(items)) => add_missing(slot, items),
            (_, Value::Object(_)) => strategic(slot, change, &names),
            _ => *slot = change.clone(),
        }
    }
}

fn strategic_list(
    slot: &mut Value,
    patch: &[Value],
    names: &[&str],
    keys: &[&str],
    order: Option<&Vec<Value>>,
) {
    // Only the first key counts here, as in the `patchMergeKey` of Kubernetes' types.
    let keys = &keys[..1];
    let mut items = slot.as_array().cloned().unwrap_or_default();
    if patch.iter().any(|item| json::text(item, "/$patch") == "replace") {
        items.clear();
    }
    for change in patch {
        let key = item_key(keys, change);
        let position = items.iter().position(|item| item_key(keys, item) == key);
        match (json::text(change, "/$patch"), position) {
            ("replace", _) | ("delete", None) => {}
            ("delete", Some(position)) => drop(items.remove(position)),
            (_, Some(position)) => strategic(&mut items[position], change, names),
            (_, None) => items.push(change.clone()),
        }
    }
    if let Some(order) = order {
        let place =
            |item: &Value| order.iter().position(|wanted| item_key(keys, wanted) == item_key(keys, item));
        items.sort_by_key(|item| place(item).unwrap_or(usize::MAX));
    }
    *slot = Value::Array(items);
}

fn add_missing(slot: &mut Value, items: &[Value]) {
    let mut merged = slot.as_array().cloned().unwrap_or_default();
    let missing: Vec<Value> = items.iter().filter(|item| !merged.contains(item)).cloned().collect();
    merged.extend(missing);
    *slot = Value::Array(merged);
}

fn without_directives(fields: &Map<String, Value>) -> Map<String, Value> {
    let plain = fields.iter().filter(|(name, _)| !name.starts_with('$'));
    plain.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// RFC 6902.
///
/// # Errors
/// 400 when the patch is malformed, 422-like refusal when it does not fit the object.
pub fn json_patch(target: &mut Value, operations: &Value) -> Result<(), Failure> {
    let operations =
        operations.as_array().ok_or_else(|| Failure::bad_request("a JSON patch is a list of operations"))?;
    for operation in operations {
        let path = json::text(operation, "/path");
        let value = operation.get("value").cloned();
        match json::text(operation, "/op") {
            "add" => add(target, path, value.unwrap_or_default())?,
            "replace" => *find(target, path)? = value.unwrap_or_default(),
            "remove" => drop(take(target, path)?),
            "test" if Some(&*find(target, path)?) == value.as_ref() => {}
            "test" => return Err(Failure::bad_request(format!("testing value {path} failed"))),
            "copy" => {
                let value = find(target, json::text(operation, "/from"))?.clone();
                add(target, path, value)?;
            }
            "move" => {
                let value = take(target, json::text(operation, "/from"))?;
                add(target, path, value)?;
            }
            other => return Err(Failure::bad_request(format!("unknown JSON patch operation `{other}`"))),
        }
    }
    Ok(())
}

fn find<'a>(target: &'a mut Value, path: &str) -> Result<&'a mut Value, Failure> {
    target.pointer_mut(path).ok_or_else(|| missing(path))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), Failure> {
    let (parent, name) = parent(path)?;
    match find(target, &parent)? {
        Value::Object(fields) => drop(fields.insert(name, value)),
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => {
            let index = name.parse::<usize>().ok().filter(|index| *index <= items.len());
            items.insert(index.ok_or_else(|| missing(path))?, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn take(target: &mut Value, path: &str) -> Result<Value, Failure> {
    let (parent, name) = parent(path)?;
    let taken = match find(target, &parent)? {
        Value::Object(fields) => fields.remove(&name),
        Value::Array(items) => {
            let index = name.parse::<usize>().ok().filter(|index| *index < items.len());
            index.map(|index| items.remove(index))
        }
        _ => None,
    };
    taken.ok_or_else(|| missing(path))
}

fn parent(path: &str) -> Result<(String, String), Failure> {
    let (parent, name) = path.rsplit_once('/').ok_or_else(|| missing(path))?;
    Ok((parent.to_owned(), name.replace("~1", "/").replace("~0", "~")))
}

fn missing(path: &str) -> Failure {
    Failure::bad_request(format!("the JSON patch names `{path}`, which the object does not have"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{json_patch, merge, strategic};

    fn deployment(containers: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    #[test]
    fn merge_replaces_lists_and_removes_by_null() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "list": [1, 2]});
        merge(&mut target, &json!({"a": {"b": null, "d": 3}, "list": [3]}));
        assert_eq!(target, json!({"a": {"c": 2, "d": 3}, "list": [3]}));
    }

    #[test]
    fn strategic_merges_containers_by_name() {
        let mut target = deployment(&json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
        let patch = deployment(&json!([{"name": "b", "image": "2"}, {"name": "a", "$patch": "delete"}]));
        strategic(&mut target, &patch, &[]);
        assert_eq!(target, deployment(&json!([{"name": "b", "image": "2"}])));
    }

    #[test]
    fn strategic_keeps_the_order_it_is_told() {
        let mut target = deployment(&json!([{"name": "a"}]));
        let mut patch = deployment(&json!([{"name": "b"}]));
        patch["spec"]["template"]["spec"]["$setElementOrder/containers"] =
            json!([{"name": "b"}, {"name": "a"}]);
        strategic(&mut target, &patch, &[]);
        assert_eq!(target, deployment(&json!([{"name": "b"}, {"name": "a"}])));
    }

    #[test]
    fn json_patch_edits_in_place() {
        let mut target = json!({"a": [1, 2], "labels": {"x/y": "z"}});
        let patch = json!([
            {"op": "add", "path": "/a/1", "value": 9}, {"op": "remove", "path": "/labels/x~1y"},
            {"op": "test", "path": "/a/0", "value": 1}, {"op": "replace", "path": "/a/0", "value": 7},
        ]);
        json_patch(&mut target, &patch).expect("it fits");
        assert_eq!(target, json!({"a": [7, 9, 2], "labels": {}}));
        assert!(json_patch(&mut target, &json!([{"op": "remove", "path": "/none"}])).is_err());
    }
}
