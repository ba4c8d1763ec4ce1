//! The form of a file as data: what its JSON Schema and its reference are made of.
//!
//! Nothing that runs on AWS asks for a shape, but for the few words of a problem, so that it costs the functions
//! next to nothing.

use super::reader::{number_in_words, words_in_words};

/// The form of a value.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// A mapping with fixed fields.
    Record {
        /// What it is.
        about: &'static str,
        /// Its fields, in the order in which people write them.
        fields: Vec<Field>,
    },
    /// A mapping with chosen names.
    Map {
        /// The form of the names.
        names: TextShape,
        /// The form of the values.
        values: Box<Shape>,
    },
    /// A list.
    List(Box<Shape>),
    /// Text.
    Text(TextShape),
    /// A whole number.
    Number {
        /// What it counts or names, with an article.
        what: &'static str,
        /// The least and the greatest.
        bounds: std::ops::RangeInclusive<u64>,
    },
    /// Only the number 1.
    One,
    /// `true` or `false`.
    Flag,
    /// Text, a whole number, `true` or `false`.
    Scalar {
        /// The most characters of a text.
        longest: u32,
    },
    /// One of a few words.
    Choice {
        /// What it chooses, with an article.
        what: &'static str,
        /// The words, in their order.
        words: &'static [&'static str],
    },
    /// A value, or the word `none`.
    OrNone(Box<Shape>),
    /// A value, or `true`.
    OrTrue(Box<Shape>),
    /// One of several mappings, told apart by the first field of each.
    Either(Vec<Shape>),
    /// A value that may be left out, or be empty.
    Optional(Box<Shape>),
}

/// A field of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its key.
    pub(crate) name: &'static str,
    /// What it is: its documentation comment.
    pub(crate) about: &'static str,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// What holds where it is left out, in Markdown.
    pub(crate) left_out: &'static str,
    /// The form of its value.
    pub(crate) shape: Shape,
}

/// The form of a checked text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextShape {
    /// What it is called, without an article.
    pub(crate) kind: &'static str,
    /// What is allowed, in words.
    pub(crate) allowed: &'static str,
    /// A regular expression, in what ECMAScript and others have in common, that all allowed texts match.
    pub(crate) pattern: &'static str,
    /// One that no allowed text matches.
    pub(crate) unless: Option<&'static str>,
    /// The fewest and most characters, where the pattern does not say so.
    pub(crate) length: Option<(u32, u32)>,
}

/// What a text, a number or a flag may be.
pub(super) fn scalar_in_words(longest: u32) -> String {
    format!("text of at most {longest} characters, a whole number, `true` or `false`")
}

impl Shape {
    /// What is expected, as a part of a sentence.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Record { .. } | Self::Map { .. } | Self::Either(_) => "a mapping (`key: value`)".to_owned(),
            Self::List(items) => format!("a list; each item is {}", items.in_words()),
            Self::Text(text) => format!("text ({}: {})", text.kind, text.allowed),
            Self::Number { what, bounds } => number_in_words(what, bounds),
            Self::One => "`1`".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Scalar { longest } => scalar_in_words(*longest),
            Self::Choice { what, words } => words_in_words(what, words),
            Self::OrNone(value) => format!("{}, or the word `none`", value.in_words()),
            Self::OrTrue(value) => format!("`true`, or {}", value.in_words()),
            Self::Optional(value) => value.in_words(),
        }
    }
}
