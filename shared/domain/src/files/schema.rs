//! JSON Schemas of the two files, for editors and other tools; made of the types that read the files.
//!
//! Draft 7 (<https://json-schema.org/draft-07>), because that is what editors' YAML support reads in full.

use serde_json::{Map, Value, json};

use super::shape::{Shape, TextShape};
use super::{operator, pipeline};

/// The schema of the pipeline file.
pub fn pipeline_file() -> Value {
    document("Slipway's pipeline file", &pipeline::shape())
}

/// The schema of the operator's file.
pub fn operator_file() -> Value {
    document("Slipway's operator's file", &operator::shape())
}

fn document(title: &str, shape: &Shape) -> Value {
    let mut schema = of(shape);
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!(title));
    Value::Object(schema)
}

fn of(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Record { about, fields } => {
            let properties: Map<String, Value> = fields
                .iter()
                .map(|field| {
                    let mut schema = of(&field.shape);
                    let left_out = if field.left_out.is_empty() { "" } else { "\n\nLeft out: " }.to_owned()
                        + field.left_out;
                    schema.insert("description".into(), json!(one_line(field.about) + &left_out));
                    (field.name.to_owned(), Value::Object(schema))
                })
                .collect();
            let required: Vec<&str> =
                fields.iter().filter(|field| field.required).map(|field| field.name).collect();
            let mut schema = json!({
                "description": one_line(about),
                "type": "object",
                "additionalProperties": false,
                "properties": properties,
            });
            if !required.is_empty() {
                schema["required"] = json!(required);
            }
            schema
        }
        Shape::Map { names, values } => json!({
            "type": "object",
            "propertyNames": text(names),
            "additionalProperties": of(values),
        }),
        Shape::List(items) => json!({"type": "array", "items": of(items)}),
        Shape::Text(form) => text(form),
        Shape::Number { bounds, .. } => match *bounds.end() {
            u64::MAX => json!({"type": "integer", "minimum": bounds.start()}),
            end => json!({"type": "integer", "minimum": bounds.start(), "maximum": end}),
        },
        Shape::One => json!({"type": "integer", "const": 1}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Scalar { longest } => json!({"anyOf": [
            {"type": "string", "maxLength": longest},
            {"type": "integer"},
            {"type": "boolean"},
        ]}),
        Shape::Choice { words, .. } => json!({"type": "string", "enum": words}),
        Shape::OrNone(value) => json!({"anyOf": [of(value), {"const": "none"}]}),
        Shape::OrTrue(value) => json!({"anyOf": [{"const": true}, of(value)]}),
        Shape::Either(choices) => json!({"anyOf": choices.iter().map(of).collect::<Vec<_>>()}),
        Shape::Optional(value) => Value::Object(or_nothing(of(value))),
    };
    match schema {
        Value::Object(schema) => schema,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}

/// A key without a value counts as left out.
fn or_nothing(mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    } else if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(json!({"type": "null"}));
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

fn text(form: &TextShape) -> Value {
    let mut schema = json!({"type": "string", "pattern": form.pattern, "description": form.allowed});
    if let Some(unless) = form.unless {
        // A pattern says nothing of what is no text, and `not` would refuse it.
        schema["not"] = json!({"type": "string", "pattern": unless});
    }
    if let Some((fewest, most)) = form.length {
        schema["minLength"] = json!(fewest);
        schema["maxLength"] = json!(most);
    }
    schema
}

/// A documentation comment as one line.
pub(super) fn one_line(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
