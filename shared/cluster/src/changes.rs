//! The fields in which two states of an object differ, as lines for people.

use std::collections::BTreeSet;

use serde_json::Value;

/// The most characters shown of a value.
const LONGEST_VALUE: usize = 60;

/// What the API server writes by itself, and what says nothing about the object.
const BOOKKEEPING: [&str; 7] = [
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.uid",
    "metadata.creationTimestamp",
    "metadata.selfLink",
    "status",
];

/// A line for each field that differs, in the order of their paths: `spec.replicas: 1 → 2`. Where it is
/// `confidential` no value is shown at all: the annotations of a Secret may repeat its data.
pub(crate) fn changes(before: &Value, after: &Value, confidential: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut walk = Walk { lines: &mut lines, confidential };
    walk.both("", before, after);
    lines
}

struct Walk<'a> {
    lines: &'a mut Vec<String>,
    confidential: bool,
}

impl Walk<'_> {
    fn both(&mut self, path: &str, before: &Value, after: &Value) {
        if before == after || BOOKKEEPING.contains(&path) {
            return;
        }
        match (before, after) {
            (Value::Object(old), Value::Object(new)) => {
                let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for name in names {
                    self.either(&field(path, name), old.get(name), new.get(name));
                }
            }
            (Value::Array(old), Value::Array(new)) => self.lists(path, old, new),
            _ => {
                let (old, new) = (self.shown(before), self.shown(after));
                self.lines.push(format!("{path}: {old} → {new}"));
            }
        }
    }

    /// Items are known by their names where each has one of its own, else by their places. An order of names that
    /// changes is told too: containers that prepare a pod run in theirs.
    fn lists(&mut self, path: &str, old: &[Value], new: &[Value]) {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        let all_named = |items: &[Value]| {
            let names: Vec<String> = items.iter().map(name).collect::<Option<_>>()?;
            (names.iter().collect::<BTreeSet<_>>().len() == names.len()).then_some(names)
        };
        if let (Some(olds), Some(news)) = (all_named(old), all_named(new)) {
            let names: BTreeSet<&String> = olds.iter().chain(&news).collect();
            let item = |names: &[String], items: &[Value], wanted: &String| {
                names.iter().position(|name| name == wanted).map(|place| items[place].clone())
            };
            for name in names {
                let (old, new) = (item(&olds, old, name), item(&news, new, name));
                self.either(&format!("{path}[{name}]"), old.as_ref(), new.as_ref());
            }
            let kept = olds.iter().filter(|name| news.contains(name));
            if !kept.eq(news.iter().filter(|name| olds.contains(name))) {
                self.lines.push(format!("{path}: in another order"));
            }
            return;
        }
        for place in 0..old.len().max(new.len()) {
            self.either(&format!("{path}[{place}]"), old.get(place), new.get(place));
        }
    }

    fn either(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(before), Some(after)) => self.both(path, before, after),
            (None, Some(after)) if !BOOKKEEPING.contains(&path) => {
                let new = self.shown(after);
                self.lines.push(format!("{path}: added {new}"));
            }
            (Some(before), None) if !BOOKKEEPING.contains(&path) => {
                let old = self.shown(before);
                self.lines.push(format!("{path}: removed {old}"));
            }
            _ => {}
        }
    }

    fn shown(&self, value: &Value) -> String {
        if self.confidential {
            return "(hidden)".to_owned();
        }
        let text = value.to_string();
        match text.char_indices().nth(LONGEST_VALUE) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// `spec.replicas`; a name that is no plain word stands in brackets.
fn field(path: &str, name: &str) -> String {
    let is_plain =
        name.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character));
    match (path.is_empty(), is_plain) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (false, false) => format!("{path}[{name}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_field_that_differs_is_a_line() {
        let before = json!({
            "metadata": { "name": "web", "resourceVersion": "1", "generation": 1,
                "annotations": { "slipway.dev/owner": "a" }, "labels": { "old": "1" } },
            "spec": { "replicas": 1, "args": ["a", "b"], "containers": [
                { "name": "web", "image": "web@sha256:1" }, { "name": "side", "image": "side" },
            ] },
            "status": { "replicas": 1 },
        });
        let after = json!({
            "metadata": { "name": "web", "resourceVersion": "2", "generation": 2,
                "annotations": { "slipway.dev/owner": "b" }, "labels": {} },
            "spec": { "replicas": 2, "args": ["a", "c", "d"], "containers": [
                { "name": "init", "image": "i".repeat(100) }, { "name": "web", "image": "web@sha256:2" },
            ] },
        });
        insta::assert_snapshot!(changes(&before, &after, false).join("\n"), @r#"
        metadata.annotations[slipway.dev/owner]: "a" → "b"
        metadata.labels.old: removed "1"
        spec.args[1]: "b" → "c"
        spec.args[2]: added "d"
        spec.containers[init]: added {"image":"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii…
        spec.containers[side]: removed {"image":"side","name":"side"}
        spec.containers[web].image: "web@sha256:1" → "web@sha256:2"
        spec.replicas: 1 → 2
        "#);
        assert_eq!(changes(&before, &before, false), [""; 0]);
    }

    #[test]
    fn an_order_that_changes_and_a_name_that_comes_twice_are_told() {
        let of = |names: &[&str]| json!({ "steps": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
        assert_eq!(changes(&of(&["a", "b"]), &of(&["b", "a"]), false), ["steps: in another order"]);
        let added = changes(&of(&["a", "b"]), &of(&["c", "a", "b"]), false);
        assert_eq!(added, [r#"steps[c]: added {"name":"c"}"#]);
        assert_eq!(changes(&of(&["a", "a"]), &of(&["a", "b"]), false), [r#"steps[1].name: "a" → "b""#]);
    }

    #[test]
    fn the_values_of_a_secret_are_not_told() {
        let of = |data: Value| json!({ "data": data, "stringData": { "b": "c" }, "type": "Opaque" });
        let mut after = of(json!({ "a": "Mg==", "new": "Mw==" }));
        after["stringData"] = json!({});
        insta::assert_snapshot!(changes(&of(json!({ "a": "MQ==" })), &after, true).join("\n"), @r"
        data.a: (hidden) → (hidden)
        data.new: added (hidden)
        stringData.b: removed (hidden)
        ");
        let whole = changes(&json!({ "kind": "Secret" }), &of(json!({ "a": "MQ==" })), true).join("\n");
        assert!(!whole.contains("MQ==") && !whole.contains("\"c\""), "{whole}");
    }
}
