//! The two files people write, read strictly: what is not understood is refused with its line.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use crate::text;

pub mod operator;
pub mod pipeline;
mod values;

pub use values::{ChannelName, Command, DnsLabel, HealthPath, ImageName, MailAddress, OrNone, Percent};

/// The largest file read, in bytes.
pub const LARGEST_FILE: usize = 256 * 1024;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// From 1, where the place is known.
    pub line: Option<u32>,
    /// From 1, in characters, where the place is known.
    pub column: Option<u32>,
    /// What is wrong and what is allowed, in lower case and without a full stop.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "line {line}, column {column}: {}", self.message),
            (Some(line), None) => write!(formatter, "line {line}: {}", self.message),
            _ => formatter.write_str(&self.message),
        }
    }
}

impl std::error::Error for FileError {}

impl FileError {
    fn everywhere(message: impl Into<String>) -> Self {
        Self { line: None, column: None, message: message.into() }
    }

    fn at(place: serde_saphyr::Location, message: impl Into<String>) -> Self {
        let known = |number: u64| u32::try_from(number).ok().filter(|number| *number > 0);
        Self { line: known(place.line()), column: known(place.column()), message: message.into() }
    }
}

/// Reads one YAML document into its type, within budgets that keep hostile text cheap.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, FileError> {
    if text.len() > LARGEST_FILE {
        let size = text.len();
        return Err(FileError::everywhere(format!("the file has {size} bytes, {LARGEST_FILE} are allowed")));
    }
    if text.trim().is_empty() {
        return Err(FileError::everywhere("the file is empty; it begins with `version: 1`"));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        match error.location() {
            // A field missing from the whole file is reported at its end, which helps nobody.
            Some(place) if !is_missing_version(error) => FileError::at(place, message(error)),
            _ => FileError::everywhere(message(error)),
        }
    })
}

fn is_missing_version(error: &Error) -> bool {
    matches!(error, Error::SerdeMissingField { field: "version", .. })
}

/// The reader's words, made fit for someone who edits the file and never sees our code.
fn message(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let expected: Vec<String> = expected.iter().map(|field| format!("`{field}`")).collect();
            format!(
                "unknown field `{}`, expected one of {}",
                text::first_line(field, 80),
                expected.join(", ")
            )
        }
        Error::SerdeMissingField { field: "version", .. } => "the file must say `version: 1`".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{}` is there twice", text::first_line(key, 80))
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("expected {}", plain_type(ty)),
        Error::Unexpected { expected, .. } => format!("expected {}", plain_type(expected)),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("expected {}, found {}", plain_type(expected), text::first_line(unexpected, 80))
        }
        Error::MultipleDocuments { .. } => "the file must be one document, without a second `---`".to_owned(),
        Error::Budget { .. } => "the file is nested or repeated beyond reason".to_owned(),
        other => without_place(&other.render(), other.location()),
    }
}

/// What a developer calls it.
fn plain_type(name: &str) -> &str {
    match name {
        "u8" | "u16" | "u32" | "u64" | "i64" => "a whole number in range",
        "a nonzero u16" => "a port, 1 to 65535",
        "bool" => "`true` or `false`",
        "string scalar" => "text",
        "mapping start" => "a mapping (`key: value`)",
        "sequence start" => "a list (`[…]` or lines with `-`)",
        other if other.starts_with("struct ") => "a mapping (`key: value`)",
        other => other,
    }
}

/// The reader ends its sentences with the place, which [`FileError`] holds apart.
fn without_place(rendered: &str, place: Option<serde_saphyr::Location>) -> String {
    let suffix = place.map(|place| format!(" at line {}, column {}", place.line(), place.column()));
    let message = suffix.and_then(|suffix| rendered.strip_suffix(suffix.as_str())).unwrap_or(rendered);
    text::first_line(message, 400)
}
