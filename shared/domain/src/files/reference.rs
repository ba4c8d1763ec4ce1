//! The references of the two files in `docs/`, made of the types that read the files.

use std::fmt::Write as _;

use super::reader::listed;
use super::schema::one_line;
use super::shape::{Field, Shape};
use super::{operator, pipeline};

/// The tables of the pipeline file, in Markdown.
pub fn pipeline_file() -> String {
    document(&pipeline::shape())
}

/// The tables of the operator's file, in Markdown.
pub fn operator_file() -> String {
    document(&operator::shape())
}

/// A table for the file itself, and one for each mapping in it, in the order in which they are met.
fn document(root: &Shape) -> String {
    let mut tables = String::new();
    let mut waiting = vec![("the file".to_owned(), root.clone())];
    while !waiting.is_empty() {
        let (place, shape) = waiting.remove(0);
        let Shape::Record { about, fields } = &shape else { continue };
        let title = if place == "the file" { "The file".to_owned() } else { format!("`{place}`") };
        let _ = write!(
            tables,
            "### {title}\n\n{}\n\n| field | type | left out | allowed | what it means |\n| --- | --- | --- | --- | --- |\n",
            one_line(about)
        );
        let mut inner = Vec::new();
        for field in fields {
            let _ = writeln!(tables, "{}", row(field));
            let prefix = if place == "the file" { String::new() } else { format!("{place}.") };
            inner.extend(mapping(format!("{prefix}{}", field.name), &field.shape));
        }
        tables.push('\n');
        // Depth first: what a table mentions comes next.
        waiting.splice(0..0, inner);
    }
    tables.trim_end().to_owned() + "\n"
}

fn row(field: &Field) -> String {
    let left_out = if field.required { "required" } else { field.left_out };
    let cells = [
        format!("`{}`", field.name),
        type_of(&field.shape),
        left_out.to_owned(),
        allowed(&field.shape),
        one_line(field.about),
    ];
    // A bar would end the cell.
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// The mapping that lies at a place, with the way to it.
fn mapping(place: String, shape: &Shape) -> Option<(String, Shape)> {
    match shape {
        Shape::Record { .. } => Some((place, shape.clone())),
        Shape::Map { values, .. } => mapping(format!("{place}.<name>"), values),
        Shape::List(items) => mapping(format!("{place}[]"), items),
        Shape::OrNone(value) | Shape::Optional(value) => mapping(place, value),
        Shape::Text(_)
        | Shape::Number { .. }
        | Shape::One
        | Shape::True
        | Shape::Flag
        | Shape::Choice { .. } => None,
    }
}

fn type_of(shape: &Shape) -> String {
    match shape {
        Shape::Record { .. } => "mapping".to_owned(),
        Shape::Map { values, .. } => format!("mapping of names to {}", plural(values)),
        Shape::List(items) => format!("list of {}", plural(items)),
        Shape::Text(_) | Shape::Choice { .. } => "text".to_owned(),
        Shape::Number { .. } | Shape::One => "number".to_owned(),
        Shape::True | Shape::Flag => "flag".to_owned(),
        Shape::OrNone(value) => format!("{} or `none`", type_of(value)),
        Shape::Optional(value) => type_of(value),
    }
}

fn plural(shape: &Shape) -> &'static str {
    match shape {
        Shape::Record { .. } | Shape::Map { .. } => "mappings",
        Shape::List(_) => "lists",
        Shape::Text(_) | Shape::Choice { .. } => "texts",
        Shape::Number { .. } | Shape::One => "numbers",
        Shape::True | Shape::Flag => "flags",
        Shape::OrNone(value) | Shape::Optional(value) => plural(value),
    }
}

/// What is allowed, where the type does not say it all.
fn allowed(shape: &Shape) -> String {
    match shape {
        Shape::Record { .. } => "the fields below".to_owned(),
        Shape::Map { names, values } => match &**values {
            Shape::Text(_) | Shape::Number { .. } => {
                format!("names: {}; values: {}", names.allowed, allowed(values))
            }
            _ => format!("names: {}", names.allowed),
        },
        Shape::List(items) => match &**items {
            Shape::Record { .. } | Shape::Map { .. } => "the fields below".to_owned(),
            items => format!("each {}", allowed(items)),
        },
        Shape::Text(text) => text.allowed.to_owned(),
        Shape::Number { bounds, .. } => match *bounds.end() {
            u64::MAX => format!("a whole number from {}", bounds.start()),
            end => format!("{} to {end}", bounds.start()),
        },
        Shape::One => "`1`".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Choice { words, .. } => format!("one of {}", listed(words.iter().copied())),
        Shape::OrNone(value) | Shape::Optional(value) => allowed(value),
    }
}
