//! Mappings with fixed fields: one declaration gives the type, its reader and its [`Shape`].

use std::collections::HashMap;

use super::Problems;
use super::reader::{Readable, did_you_mean, expected, listed};
use super::shape::{Field, Shape};
use super::suggest::nearest;
use super::yaml::{Node, Place};
use crate::text;

/// A mapping with fixed fields.
pub(crate) trait Record: Sized {
    /// Its keys, in the order in which people write them.
    fn names() -> Vec<&'static str>;
    /// The value made of these fields.
    fn of(fields: &Fields<'_>, problems: &mut Problems) -> Option<Self>;
    /// What it is.
    fn about() -> &'static str;
    /// Its fields, as people and editors need to know them.
    fn fields() -> Vec<Field>;
}

impl<T: Record> Readable for T {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let fields = Fields::of(node, &T::names(), problems)?;
        T::of(&fields, problems)
    }

    fn shape() -> Shape {
        Shape::Record { about: T::about(), fields: T::fields() }
    }
}

/// Declares a mapping with fixed fields. After `=>` stands what holds where the field is left out; after `..` a record
/// whose fields stand in the same mapping, since several mappings share them.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($derive:ident)])?
        $visibility:vis struct $name:ident {
            $($(#[doc = $about:literal])+ $field_visibility:vis $field:ident: $type:ty $(=> $left_out:literal)?,)*
            $(.. $shared_visibility:vis $shared:ident: $shared_type:ty,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq $(, $derive)?)]
        $visibility struct $name {
            $($(#[doc = $about])+ $field_visibility $field: $type,)*
            $(
                /// The fields that other mappings have too.
                $shared_visibility $shared: $shared_type,
            )?
        }

        impl $crate::files::record::Record for $name {
            fn names() -> Vec<&'static str> {
                [
                    &[$(stringify!($field)),*][..],
                    $(&<$shared_type as $crate::files::record::Record>::names(),)?
                ]
                .concat()
            }

            fn of(
                fields: &$crate::files::record::Fields<'_>,
                problems: &mut $crate::files::Problems,
            ) -> Option<Self> {
                $(let $field = fields.read::<$type>(stringify!($field), problems);)*
                $(let $shared = <$shared_type as $crate::files::record::Record>::of(fields, problems);)?
                Some(Self { $($field: $field?,)* $($shared: $shared?,)? })
            }

            fn about() -> &'static str {
                concat!($($doc, "\n",)*)
            }

            fn fields() -> Vec<$crate::files::shape::Field> {
                [
                    &[$($crate::files::shape::Field {
                        name: stringify!($field),
                        about: concat!($($about, "\n",)+),
                        required: <$type as $crate::files::reader::Readable>::absent().is_none(),
                        left_out: concat!("", $($left_out)?),
                        shape: <$type as $crate::files::reader::Readable>::shape(),
                    },)*][..],
                    $(&<$shared_type as $crate::files::record::Record>::fields(),)?
                ]
                .concat()
            }
        }
    };
}
pub(super) use record;

/// The fields of a mapping, those that are not known already refused.
pub(crate) struct Fields<'a> {
    place: Place,
    values: HashMap<&'a str, (&'a Node, Place)>,
    /// Known names that are there, but misspelt.
    meant: Vec<String>,
}

impl<'a> Fields<'a> {
    fn of(node: &'a Node, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.entries() else {
            let message = expected("a mapping (`key: value`)", node);
            let allowed = listed(known.iter().copied());
            problems.at(node.place, format!("{message}; allowed keys: {allowed}"));
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            meant.extend(nearest(&entry.key, known.iter().copied()).map(ToOwned::to_owned));
            let near = did_you_mean(&entry.key, known.iter().copied());
            problems.at(
                entry.place,
                format!(
                    "unknown field `{}`;{near} allowed: {}",
                    text::first_line(&entry.key, 80),
                    listed(known.iter().copied())
                ),
            );
        }
        let values = entries.iter().map(|entry| (entry.key.as_str(), (&*entry.value, entry.place))).collect();
        Some(Self { place: node.place, values, meant })
    }

    /// A field's value. A key without a value counts as left out.
    pub(crate) fn read<T: Readable>(&self, name: &str, problems: &mut Problems) -> Option<T> {
        match self.values.get(name) {
            Some((node, place)) if node.is_null() => T::absent().or_else(|| {
                problems.at(*place, format!("`{name}` has no value: it must be {}", T::shape().in_words()));
                None
            }),
            Some((node, _)) => match T::read(node, problems) {
                Some(value) => Some(value),
                // What is optional need not stop the reading of its neighbours.
                None => T::absent(),
            },
            // Told already, as an unknown field.
            None if self.meant.iter().any(|meant| meant == name) => T::absent(),
            None => T::absent().or_else(|| {
                let form = T::shape().in_words();
                problems.at(self.place, format!("the field `{name}` is missing: it must be {form}"));
                None
            }),
        }
    }
}
