//! Label and field selectors of lists, and the label selectors of workloads.

use serde_json::Value;

use crate::api::failure::Failure;
use crate::objects::json;

/// Which objects of a kind a request means.
#[derive(Debug, Default, Clone)]
pub struct Selection {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selection {
    /// Parses `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// 400 when one cannot be parsed.
    pub fn parse(labels: &str, fields: &str) -> Result<Self, Failure> {
        let labels = split(labels).iter().map(|part| requirement(part)).collect::<Result<_, _>>()?;
        let fields = fields.split(',').map(str::trim).filter(|part| !part.is_empty());
        let fields = fields.map(field).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether the object is meant.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|(path, equal, value)| (field_value(object, path) == *value) == *equal)
    }
}

/// Whether a workload's `selector` (matchLabels and matchExpressions) means these labels.
/// An empty selector means nothing here: it is refused when the workload is written.
pub fn selects(selector: &Value, labels: Option<&Value>) -> bool {
    let equal = json::pairs(selector, "/matchLabels");
    let expressions = json::list(selector, "/matchExpressions");
    if equal.is_empty() && expressions.is_empty() {
        return false;
    }
    let matches_equal = equal.iter().all(|(key, value)| label(labels, key) == Some(*value));
    matches_equal && expressions.iter().all(|expression| from_expression(expression).matches(labels))
}

/// Whether a service's plain map of labels means these labels.
pub fn selects_plainly(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let Some(selector) = selector.and_then(Value::as_object) else { return false };
    !selector.is_empty() && selector.iter().all(|(key, value)| label(labels, key) == value.as_str())
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        match self {
            Self::In(key, values) => {
                label(labels, key).is_some_and(|found| values.iter().any(|value| value == found))
            }
            Self::NotIn(key, values) => {
                label(labels, key).is_none_or(|found| values.iter().all(|value| value != found))
            }
            Self::Exists(key) => label(labels, key).is_some(),
            Self::Absent(key) => label(labels, key).is_none(),
        }
    }
}

fn label<'a>(labels: Option<&'a Value>, key: &str) -> Option<&'a str> {
    labels?.get(key)?.as_str()
}

fn from_expression(expression: &Value) -> Requirement {
    let key = json::text(expression, "/key").to_owned();
    let values =
        json::list(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    match json::text(expression, "/operator") {
        "In" => Requirement::In(key, values),
        "NotIn" => Requirement::NotIn(key, values),
        "Exists" => Requirement::Exists(key),
        _ => Requirement::Absent(key),
    }
}

/// Splits at commas that are not inside parentheses.
fn split(selector: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in selector.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is always one part").push(character);
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn requirement(part: &str) -> Result<Requirement, Failure> {
    let one = |value: &str| vec![value.trim().to_owned()];
    let requirement = if let Some((key, rest)) = part.split_once(" notin ") {
        Requirement::NotIn(key.trim().to_owned(), values(rest)?)
    } else if let Some((key, rest)) = part.split_once(" in ") {
        Requirement::In(key.trim().to_owned(), values(rest)?)
    } else if let Some((key, value)) = part.split_once("!=") {
        Requirement::NotIn(key.trim().to_owned(), one(value))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        Requirement::In(key.trim().to_owned(), one(value))
    } else if let Some(key) = part.strip_prefix('!') {
        Requirement::Absent(key.trim().to_owned())
    } else {
        Requirement::Exists(part.to_owned())
    };
    let (Requirement::In(key, _)
    | Requirement::NotIn(key, _)
    | Requirement::Exists(key)
    | Requirement::Absent(key)) = &requirement;
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(Failure::bad_request(format!("unable to parse requirement: `{part}`")));
    }
    Ok(requirement)
}

fn values(list: &str) -> Result<Vec<String>, Failure> {
    let inner = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')'));
    let inner =
        inner.ok_or_else(|| Failure::bad_request(format!("unable to parse requirement: `{list}`")))?;
    Ok(inner.split(',').map(|value| value.trim().to_owned()).collect())
}

fn field(part: &str) -> Result<(String, bool, String), Failure> {
    let parsed = part.split_once("!=").map(|(path, value)| (path, false, value));
    let parsed = parsed.or_else(|| part.split_once("==").map(|(path, value)| (path, true, value)));
    let parsed = parsed.or_else(|| part.split_once('=').map(|(path, value)| (path, true, value)));
    let (path, equal, value) =
        parsed.ok_or_else(|| Failure::bad_request(format!("invalid field selector: `{part}`")))?;
    Ok((path.trim().to_owned(), equal, value.trim().to_owned()))
}

fn field_value(object: &Value, path: &str) -> String {
    match object.pointer(&format!("/{}", path.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Selection;

    fn check(labels: &str, fields: &str, expect: bool) {
        let object = json!({
            "metadata": {"name": "a", "labels": {"app": "web", "tier": "front"}}, "status": {"phase": "Running"},
        });
        let selection = Selection::parse(labels, fields).expect("it parses");
        assert_eq!(selection.matches(&object), expect, "labels `{labels}`, fields `{fields}`");
    }

    #[test]
    fn labels_and_fields_select() {
        check("", "", true);
        check("app=web", "", true);
        check("app==web,tier!=back", "", true);
        check("app in (db, web),tier", "", true);
        check("app notin (db,web)", "", false);
        check("!missing", "", true);
        check("missing", "", false);
        check("", "metadata.name=a,status.phase!=Failed", true);
        check("", "status.phase=Pending", false);
        check("", "spec.nodeName=", true);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Selection::parse("app in web", "").is_err());
        assert!(Selection::parse("", "metadata.name").is_err());
    }
}
