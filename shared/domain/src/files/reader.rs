//! From the tree of a file to its type: each type has a reader, which goes on after a problem, and a [`Shape`], of
//! which the JSON Schema and the reference are made. Mappings with fixed fields are declared in [`super::record`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use super::shape::{Shape, TextShape};
use super::suggest::nearest;
use super::yaml::{Node, Place, Scalar, Value};
use super::{FileError, Problems};
use crate::spec;
use crate::text;

/// A type that a value of a file becomes.
pub(crate) trait Readable: Sized {
    /// The value; none where something is wrong, which is then among the problems.
    fn read(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// What stands for it where the file leaves it out; none where it must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// Its form, as people and editors need to know it.
    fn shape() -> Shape;
}

impl<T: Readable> Readable for Option<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.is_null() { Some(None) } else { T::read(node, problems).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }
}

impl<T: Readable> Readable for Vec<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            // Each item is read, so that each problem is told; those that are wrong are left out.
            Value::List(nodes) => Some(nodes.iter().filter_map(|node| T::read(node, problems)).collect()),
            Value::Scalar(_) | Value::Map(_) => {
                problems.at(node.place, expected("a list (`[…]` or lines with `-`)", node));
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

/// A mapping whose keys are names that people choose. An entry with a problem is left out.
impl<K, T> Readable for BTreeMap<K, T>
where
    K: FromStr<Err: Display> + Ord + NamedText,
    T: Readable,
{
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.entries() else {
            problems.at(node.place, expected("a mapping (`key: value`)", node));
            return None;
        };
        let mut read = BTreeMap::new();
        for entry in entries {
            let before = problems.count();
            let name = entry.key.parse::<K>().map_err(|error| {
                problems.at(entry.place, error.to_string());
            });
            let value = if entry.value.is_null() { T::absent() } else { None };
            let value = value.or_else(|| T::read(&entry.value, problems));
            if let (Ok(name), Some(value), true) = (name, value, before == problems.count()) {
                read.insert(name, value);
            }
        }
        Some(read)
    }

    fn shape() -> Shape {
        Shape::Map { names: K::text_shape(), values: Box::new(T::shape()) }
    }
}

/// A value with its place, for what is checked once the whole file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T: Readable> Readable for At<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(|value| Self { value, place: node.place })
    }

    fn shape() -> Shape {
        T::shape()
    }
}

/// A checked text whose form can be described.
pub(crate) trait NamedText {
    /// Its form.
    fn text_shape() -> TextShape;
}

/// Reads a checked text; a number or `true` is refused, since other readers of YAML would not see text.
pub(super) fn read_text<T: FromStr<Err: Display>>(node: &Node, problems: &mut Problems) -> Option<T> {
    let text = match &node.value {
        Value::Scalar(scalar) if !scalar.plain => &scalar.text,
        Value::Scalar(scalar) if matches!(kind(scalar), Kind::Text) => &scalar.text,
        Value::Scalar(scalar) if !scalar.is_null() => {
            problems.at(node.place, format!("{}; put it in quotes", expected("text", node)));
            return None;
        }
        _ => {
            problems.at(node.place, expected("text", node));
            return None;
        }
    };
    text.parse().map_err(|error: T::Err| problems.at(node.place, error.to_string())).ok()
}

/// Reads a whole number within bounds.
pub(super) fn read_number(
    node: &Node,
    what: &str,
    bounds: std::ops::RangeInclusive<u64>,
    problems: &mut Problems,
) -> Option<u64> {
    let number = match &node.value {
        Value::Scalar(scalar) if matches!(kind(scalar), Kind::Number) => scalar.text.parse::<u64>().ok(),
        _ => None,
    };
    let number = number.filter(|number| bounds.contains(number));
    if number.is_none() {
        problems.at(node.place, expected(&number_in_words(what, &bounds), node));
    }
    number
}

/// `a port, 1 to 65535`
pub(super) fn number_in_words(what: &str, bounds: &std::ops::RangeInclusive<u64>) -> String {
    match *bounds.end() {
        u64::MAX => format!("{what}, a whole number from {}", bounds.start()),
        end => format!("{what}, {} to {end}", bounds.start()),
    }
}

/// The value of a flag, a whole number or a text; none for anything else.
pub(super) fn read_scalar(node: &Node) -> Option<spec::Scalar> {
    let Value::Scalar(scalar) = &node.value else { return None };
    match kind(scalar) {
        Kind::Null => None,
        Kind::Flag => scalar.text.to_ascii_lowercase().parse().ok().map(spec::Scalar::Flag),
        Kind::Number => scalar.text.parse().ok().map(spec::Scalar::Number),
        Kind::Text => Some(spec::Scalar::Text(scalar.text.clone())),
    }
}

/// Reads one of a few words.
pub(super) fn read_word(
    node: &Node,
    what: &str,
    words: &[&'static str],
    problems: &mut Problems,
) -> Option<&'static str> {
    let given = match &node.value {
        Value::Scalar(scalar) => scalar.text.as_str(),
        Value::List(_) | Value::Map(_) => "",
    };
    let word = words.iter().find(|word| **word == given).copied();
    if word.is_none() {
        let near = did_you_mean(given, words.iter().copied());
        let near = if near.is_empty() { near } else { format!(";{near}") };
        problems.at(node.place, expected(&words_in_words(what, words), node) + &near);
    }
    word
}

/// The choice, then its words in backticks.
pub(super) fn words_in_words(what: &str, words: &[&str]) -> String {
    format!("{what}, one of {}", listed(words.iter().copied()))
}

/// Whether the node is this word.
pub(super) fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.text == word)
}

/// What a scalar without quotes is, by YAML's core schema (<https://yaml.org/spec/1.2.2/#103-core-schema>).
enum Kind {
    Null,
    Flag,
    Number,
    Text,
}

fn kind(scalar: &Scalar) -> Kind {
    let text = scalar.text.as_str();
    if !scalar.plain {
        return Kind::Text;
    }
    let digits = text.trim_start_matches(['-', '+']);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && (digits.parse::<f64>().is_ok()
            || digits.strip_prefix("0x").is_some_and(|hex| u128::from_str_radix(hex, 16).is_ok())
            || digits.strip_prefix("0o").is_some_and(|octal| u128::from_str_radix(octal, 8).is_ok()));
    match text {
        _ if scalar.is_null() => Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Flag,
        _ if is_number => Kind::Number,
        _ => Kind::Text,
    }
}

/// `expected …, found …`
pub(super) fn expected(what: &str, node: &Node) -> String {
    let found = match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
        Value::Scalar(scalar) => {
            let shown = text::first_line(&scalar.text, 80);
            match kind(scalar) {
                Kind::Null => "nothing".to_owned(),
                Kind::Flag => format!("`{shown}`"),
                Kind::Number => format!("the number `{shown}`"),
                Kind::Text => format!("the text `{shown}`"),
            }
        }
    };
    format!("expected {what}, found {found}")
}

/// ` did you mean …?`, or nothing.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!(" did you mean `{name}`?")).unwrap_or_default()
}

/// The names in backticks with commas between them.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl FileError {
    /// A problem at a place.
    pub(crate) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { line: Some(place.line), column: Some(place.column), message: message.into() }
    }

    /// A problem of the whole file.
    pub(crate) fn everywhere(message: impl Into<String>) -> Self {
        Self { line: None, column: None, message: message.into() }
    }
}
