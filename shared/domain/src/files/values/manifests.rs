//! The values that placeholders in manifests stand for.

use std::fmt;

use super::super::Problems;
use super::super::reader::{NamedText, Readable, expected, read_scalar, read_text};
use super::super::shape::{Shape, TextShape};
use super::super::yaml::Node;
use crate::spec::Scalar;
use crate::text;

checked_text!(
    /// The name of a value.
    ValueName, "name of a value", "1 to 63 of letters, digits, `_` and `-`, beginning with a letter",
    r"^[A-Za-z][A-Za-z0-9_-]{0,62}$", unless None, length None,
    |value| (1..=63).contains(&value.len())
        && value.starts_with(|first: char| first.is_ascii_alphabetic())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
);

/// The most characters of a value that is text.
const LONGEST: u32 = 4096;

impl Readable for Scalar {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let fits = |value: &Self| match value {
            Self::Text(text) => u32::try_from(text.chars().count()).is_ok_and(|count| count <= LONGEST),
            Self::Flag(_) | Self::Number(_) => true,
        };
        let value = read_scalar(node).filter(fits);
        if value.is_none() {
            problems.at(node.place, expected(&Self::shape().in_words(), node));
        }
        value
    }

    fn shape() -> Shape {
        Shape::Scalar { longest: LONGEST }
    }
}
