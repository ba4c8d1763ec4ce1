//! Sets of fields as `managedFields` records them, and what can be done with an object by them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::objects::schema::{Shape, key_default, shape};

/// Path to a field in the notation of `fieldsV1`: `f:spec`, `k:{"name":"web"}`, `v:"text"`.
pub type Path = Vec<String>;

/// Metadata that the server writes: nobody manages it.
const UNMANAGED: [&str; 11] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "generateName",
];

/// A set of fields.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FieldSet(pub BTreeSet<Path>);

impl FieldSet {
    /// All fields of an object that can be managed.
    pub fn of(object: &Value) -> Self {
        let mut set = Self::default();
        let Some(fields) = object.as_object() else { return set };
        for (name, value) in fields {
            match name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    let managed = value.as_object().into_iter().flatten();
                    for (field, value) in managed.filter(|(field, _)| !UNMANAGED.contains(&field.as_str())) {
                        let path = vec!["f:metadata".to_owned(), format!("f:{field}")];
                        set.collect(value, &["metadata", field], path);
                    }
                }
                _ => set.collect(value, &[name], vec![format!("f:{name}")]),
            }
        }
        set
    }

    fn collect(&mut self, value: &Value, names: &[&str], path: Path) {
        match (shape(names, value), value) {
            (_, Value::Null) => {}
            (Shape::Granular, Value::Object(fields)) if !fields.is_empty() => {
                for (name, value) in fields {
                    self.collect(value, &extend(names, name), child(&path, format!("f:{name}")));
                }
            }
            (Shape::Keyed(keys), Value::Array(items)) if !items.is_empty() => {
                for item in items {
                    let path = child(&path, item_key(keys, item));
                    for (name, value) in item.as_object().into_iter().flatten() {
                        self.collect(value, &extend(names, name), child(&path, format!("f:{name}")));
                    }
                    self.0.insert(path);
                }
            }
            (Shape::Set, Value::Array(items)) if !items.is_empty() => {
                self.0.extend(items.iter().map(|item| child(&path, format!("v:{item}"))));
            }
            _ => {
                self.0.insert(path);
            }
        }
    }

    /// Whether the field, or something inside it, is in the set.
    pub fn touches(&self, path: &Path) -> bool {
        self.0.range(path.clone()..).next().is_some_and(|found| found.starts_with(path))
    }

    /// As `fieldsV1`.
    pub fn to_json(&self) -> Value {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut node = &mut root;
            for element in path {
                node = node
                    .as_object_mut()
                    .expect("every node is an object")
                    .entry(element.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
            }
        }
        // An item that was set itself, not only a field inside it, carries a dot. Leaves need none.
        for path in &self.0 {
            let node = path.iter().try_fold(&mut root, |node, element| node.get_mut(element));
            if let Some(Value::Object(node)) = node
                && !node.is_empty()
            {
                node.insert(".".to_owned(), Value::Object(Map::new()));
            }
        }
        root
    }

    /// From `fieldsV1`.
    pub fn from_json(fields: &Value) -> Self {
        let mut set = Self::default();
        set.read(fields, &Vec::new());
        set
    }

    fn read(&mut self, node: &Value, path: &Path) {
        let Some(fields) = node.as_object() else { return };
        if fields.is_empty() && !path.is_empty() {
            self.0.insert(path.clone());
        }
        for (element, node) in fields {
            if element == "." {
                self.0.insert(path.clone());
            } else {
                self.read(node, &child(path, element.clone()));
            }
        }
    }
}

/// The element of an item in a keyed list.
pub fn item_key(keys: &[&str], item: &Value) -> String {
    let mut key = Map::new();
    for name in keys {
        let value = item.get(*name).filter(|value| !value.is_null()).cloned();
        key.insert((*name).to_owned(), value.unwrap_or_else(|| key_default(name)));
    }
    format!("k:{}", Value::Object(key))
}

/// The value of a field, or of an item of a keyed list.
pub fn value_at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |node, element| match element.split_at(2) {
        ("f:", name) => node.get(name),
        _ => find_item(element, node.as_array()?),
    })
}

/// Removes a field or item, and maps and lists that become empty by it.
pub fn remove(object: &mut Value, path: &[String]) {
    let Some((element, rest)) = path.split_first() else { return };
    let (kind, name) = element.split_at(2);
    match object {
        Value::Object(fields) if kind == "f:" => {
            if let Some(inner) = fields.get_mut(name) {
                remove(inner, rest);
                if rest.is_empty() || is_empty(inner) {
                    fields.remove(name);
                }
            }
        }
        Value::Array(items) => {
            if rest.is_empty() {
                items.retain(|item| !is_item(element, item));
            } else if let Some(item) = items.iter_mut().find(|item| is_item(element, item)) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

/// For messages: `.spec.template.spec.containers[name="web"].image`.
pub fn display(path: &Path) -> String {
    let mut text = String::new();
    for element in path {
        match element.split_at(2) {
            ("f:", name) => text = format!("{text}.{name}"),
            ("k:", key) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let parts: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text = format!("{text}[{}]", parts.join(","));
            }
            (_, value) => text = format!("{text}[={value}]"),
        }
    }
    text
}

/// The item of a list that an element of a path means.
fn find_item<'a>(element: &str, items: &'a [Value]) -> Option<&'a Value> {
    let Some(key) = element.strip_prefix("k:") else {
        return items.iter().find(|item| is_item(element, item));
    };
    let key: Map<String, Value> = serde_json::from_str(key).ok()?;
    items.iter().find(|item| has_key(&key, item))
}

fn is_item(element: &str, item: &Value) -> bool {
    match element.split_at(2) {
        ("k:", key) => {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            has_key(&key, item)
        }
        (_, value) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item),
    }
}

fn has_key(key: &Map<String, Value>, item: &Value) -> bool {
    key.iter().all(|(name, value)| match item.get(name) {
        Some(found) => found == value,
        None => key_default(name) == *value,
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn child(path: &Path, element: String) -> Path {
    let mut path = path.clone();
    path.push(element);
    path
}

/// One field name deeper.
pub fn extend<'a>(names: &[&'a str], name: &'a str) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.push(name);
    names
}
