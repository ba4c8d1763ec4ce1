//! The references of the two files in `docs/`, made of the types that read the files.

use std::fmt::Write as _;

use super::reader::listed;
use super::schema::one_line;
use super::shape::{Field, Shape, scalar_in_words};
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
        if let Shape::Either(choices) = &shape {
            waiting
                .splice(0..0, choices.iter().map(|choice| (by_first_field(&place, choice), choice.clone())));
            continue;
        }
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

/// The place of one of several mappings: `…cluster` with `eks`.
fn by_first_field(place: &str, choice: &Shape) -> String {
    match choice {
        Shape::Record { fields, .. } => {
            format!("{place}` with `{}", fields.first().map_or("nothing", |field| field.name))
        }
        _ => place.to_owned(),
    }
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
        Shape::Record { .. } | Shape::Either(_) => Some((place, shape.clone())),
        Shape::Map { values, .. } => mapping(format!("{place}.<name>"), values),
        Shape::List(items) => mapping(format!("{place}[]"), items),
        Shape::OrNone(value) | Shape::OrTrue(value) | Shape::Optional(value) => mapping(place, value),
        Shape::Text(_)
        | Shape::Number { .. }
        | Shape::One
        | Shape::Flag
        | Shape::Scalar { .. }
        | Shape::Choice { .. } => None,
    }
}

fn type_of(shape: &Shape) -> String {
    match shape {
        Shape::Record { .. } | Shape::Either(_) => "mapping".to_owned(),
        Shape::Map { values, .. } => format!("mapping of names to {}", plural(values)),
        Shape::List(items) => format!("list of {}", plural(items)),
        Shape::Text(_) | Shape::Choice { .. } => "text".to_owned(),
        Shape::Number { .. } | Shape::One => "number".to_owned(),
        Shape::Flag => "flag".to_owned(),
        Shape::Scalar { .. } => "text, number or flag".to_owned(),
        Shape::OrNone(value) => format!("{} or `none`", type_of(value)),
        Shape::OrTrue(value) => format!("`true` or {}", type_of(value)),
        Shape::Optional(value) => type_of(value),
    }
}

fn plural(shape: &Shape) -> &'static str {
    match shape {
        Shape::Record { .. } | Shape::Map { .. } | Shape::Either(_) => "mappings",
        Shape::List(_) => "lists",
        Shape::Text(_) | Shape::Choice { .. } => "texts",
        Shape::Number { .. } | Shape::One => "numbers",
        Shape::Flag => "flags",
        Shape::Scalar { .. } => "values",
        Shape::OrNone(value) | Shape::OrTrue(value) | Shape::Optional(value) => plural(value),
    }
}

/// What is allowed, where the type does not say it all.
fn allowed(shape: &Shape) -> String {
    match shape {
        Shape::Record { .. } => "the fields below".to_owned(),
        Shape::Either(_) => "the fields of one of the tables below".to_owned(),
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
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Scalar { longest } => scalar_in_words(*longest),
        Shape::Choice { words, .. } => format!("one of {}", listed(words.iter().copied())),
        Shape::OrTrue(value) => format!("`true`, or {}", allowed(value)),
        Shape::OrNone(value) | Shape::Optional(value) => allowed(value),
    }
}
