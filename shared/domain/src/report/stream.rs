//! JSON taken element by element, so that the memory it takes does not grow with a hostile file's lists.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::text;

/// Reads a JSON object; serde alone would also take a list of its fields.
pub(super) fn object<T: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bare(json)?).map_err(|error| told(&error))
}

/// Hands every element of the list in field `name` to `take`; a field that is absent or null has none.
pub(super) fn each<T, F>(json: &[u8], name: &'static str, take: F) -> Result<(), String>
where
    T: for<'de> Deserialize<'de>,
    F: FnMut(T),
{
    walk(json, InField { name, seed: Each { take, element: PhantomData } }).map(|_| ())
}

/// Hands every entry of the object in field `name` to `take`; a field that is absent has none.
pub(super) fn each_entry<T, F>(json: &[u8], name: &'static str, take: F) -> Result<(), String>
where
    T: for<'de> Deserialize<'de>,
    F: FnMut(String, T),
{
    walk(json, InField { name, seed: EachEntry { take, value: PhantomData } }).map(|_| ())
}

/// Reads a JSON object through a seed.
pub(super) fn walk<'de, S: DeserializeSeed<'de>>(json: &'de [u8], seed: S) -> Result<S::Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(bare(json)?);
    let value = seed.deserialize(&mut reader).map_err(|error| told(&error))?;
    reader.end().map_err(|error| told(&error))?;
    Ok(value)
}

fn bare(json: &[u8]) -> Result<&[u8], String> {
    // Some tools of .NET begin their files with a byte order mark.
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    Ok(json)
}

fn told(error: &serde_json::Error) -> String {
    text::first_line(&error.to_string(), 200)
}

/// One field of an object; the others are skipped.
pub(super) struct InField<S> {
    /// The field.
    pub name: &'static str,
    /// What reads its value.
    pub seed: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for InField<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for InField<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seed = Some(self.seed);
        let mut value = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.name {
                let seed = seed.take().ok_or_else(|| A::Error::duplicate_field(self.name))?;
                value = Some(map.next_value_seed(seed)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}

/// The elements of a list.
pub(super) struct Each<T, F> {
    /// Takes each.
    pub take: F,
    /// What they are.
    pub element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}

struct EachEntry<T, F> {
    take: F,
    value: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(String, T)> DeserializeSeed<'de> for EachEntry<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(String, T)> Visitor<'de> for EachEntry<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            (self.take)(key, value);
        }
        Ok(())
    }
}

/// A list of anything; not null.
pub(super) struct AnyList;

impl<'de> Deserialize<'de> for AnyList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each { take: |_: IgnoredAny| {}, element: PhantomData })?;
        Ok(Self)
    }
}

/// A list that is refused beyond `MOST` elements.
#[derive(Debug)]
pub(super) struct AtMost<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> Default for AtMost<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        let mut surplus = false;
        let take = |element| if list.0.len() < MOST { list.0.push(element) } else { surplus = true };
        Each { take, element: PhantomData }.deserialize(deserializer)?;
        if surplus {
            return Err(D::Error::custom(format_args!("a list of more than {MOST} elements")));
        }
        Ok(list)
    }
}

/// The first element of a list, where there is one; the others are skipped.
#[derive(Debug)]
pub(super) struct First<T>(pub Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut first = None;
        let take = |element: T| {
            first.get_or_insert(element);
        };
        Each { take, element: PhantomData }.deserialize(deserializer)?;
        Ok(Self(first))
    }
}
