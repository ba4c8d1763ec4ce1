//! What both kinds of XML reports share: attributes, references, and what is refused.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, BytesText};

use crate::text;

/// How deep elements may lie in each other.
pub(super) const DEEPEST: usize = 16;

/// The reader's own words, fit to be shown.
pub(super) fn told(error: &dyn std::fmt::Display) -> String {
    text::first_line(&error.to_string(), 200)
}

/// An attribute's value.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let Some(attribute) = element.try_get_attribute(name).map_err(|error| told(&error))? else {
        return Ok(None);
    };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| told(&error))?;
    Ok(Some(value.into_owned()))
}

/// What a reference stands for: a character or one of the five entities that XML itself has.
pub(super) fn resolved(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| told(&error))? {
        return Ok(Cow::Owned(character.to_string()));
    }
    let name: &str = reference;
    quick_xml::escape::resolve_xml_entity(name)
        .map(Cow::Borrowed)
        .ok_or_else(|| format!("it has an unknown entity `&{};`", text::first_line(name, 40)))
}

/// Whether a document type declares something itself. One that only names its definition is harmless, since nobody
/// looks it up.
pub(super) fn has_subset(document_type: &BytesText<'_>) -> bool {
    document_type.xml10_content().contains('[')
}
