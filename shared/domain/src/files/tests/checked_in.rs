//! What is generated and checked in: the schemas and the references in `docs/`.

use super::*;

const REWRITE: &str = "SLIPWAY_REWRITE";
const BEGIN: &str = "<!-- Made of the types by `make reference`; do not edit. -->\n";
const END: &str = "<!-- The end of what `make reference` makes. -->\n";

/// Compares a checked-in file with what it should be, or writes it when `make reference` asks.
fn check(path: &str, expected: &str) {
    let file = workspace().join(path);
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "`{path}` is not what the types say; `make reference` writes it anew");
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (path, schema) in [
        ("docs/pipeline-file.schema.json", schema::pipeline_file()),
        ("docs/operator-file.schema.json", schema::operator_file()),
    ] {
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        check(path, &text);
    }
}

#[test]
fn the_references_are_those_of_the_types() {
    for (path, tables) in [
        ("docs/pipeline-file.md", reference::pipeline_file()),
        ("docs/operator-file.md", reference::operator_file()),
    ] {
        let text = std::fs::read_to_string(workspace().join(path)).expect("a file of docs");
        let (before, rest) = text.split_once(BEGIN).expect("the marker of the beginning");
        let (_, after) = rest.split_once(END).expect("the marker of the end");
        check(path, &format!("{before}{BEGIN}\n{tables}\n{END}{after}"));
    }
}

#[test]
fn every_field_says_what_it_means_and_what_holds_without_it() {
    let mut waiting = vec![pipeline::shape(), operator::shape()];
    while let Some(shape) = waiting.pop() {
        match shape {
            Shape::Record { about, fields } => {
                assert!(!about.trim().is_empty());
                for field in fields {
                    assert!(!field.about.trim().is_empty(), "{}", field.name);
                    assert_eq!(field.required, field.left_out.is_empty(), "{}", field.name);
                    waiting.push(field.shape);
                }
            }
            Shape::Map { values: inner, .. }
            | Shape::List(inner)
            | Shape::OrNone(inner)
            | Shape::OrTrue(inner)
            | Shape::Optional(inner) => waiting.push(*inner),
            Shape::Either(choices) => waiting.extend(choices),
            Shape::Text(_)
            | Shape::Number { .. }
            | Shape::One
            | Shape::Flag
            | Shape::Scalar { .. }
            | Shape::Choice { .. } => {}
        }
    }
}
