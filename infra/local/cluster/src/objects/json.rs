//! Reading JSON objects by pointer without a chain of options.

use serde_json::{Map, Value};

/// The string at a pointer such as `/metadata/name`, empty where there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a pointer.
pub fn integer(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// The list at a pointer, empty where there is none.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The string pairs of the object at a pointer.
pub fn pairs<'a>(value: &'a Value, pointer: &str) -> Vec<(&'a str, &'a str)> {
    let Some(object) = value.pointer(pointer).and_then(Value::as_object) else { return Vec::new() };
    object.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

/// The object under `key`, made when absent or not an object.
pub fn object_at<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let slot = object(value).entry(key).or_insert_with(|| Value::Object(Map::new()));
    object(slot)
}

/// The value as an object, replaced by an empty one when it is something else.
pub fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object in the line above")
}

/// Puts `default` under `key` where nothing or null is.
pub fn default_to(value: &mut Value, key: &str, default: impl Into<Value>) {
    let object = object(value);
    if object.get(key).is_none_or(Value::is_null) {
        object.insert(key.to_owned(), default.into());
    }
}

/// Removes nulls from objects, as Kubernetes' types do.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Now, as Kubernetes writes times: whole seconds in UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Seconds from a time written by Kubernetes until now.
pub fn seconds_since(time: &str) -> Option<i64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    Some(jiff::Timestamp::now().as_second() - time.as_second())
}
