//! The values of the two files, each checked where it is read, so that an error names its line.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// Declares a text value that is checked when it is read.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $allowed:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(value: &str) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if check(value) {
                    Ok(Self(value.to_owned()))
                } else {
                    let shown = text::first_line(value, 80);
                    Err(format!(concat!("`{}` is not a valid ", $kind, ": ", $allowed), shown))
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// A shell command, run from the repository's root.
    Command, "command", "one line of 1 to 4096 characters without control characters",
    |value| !value.trim().is_empty() && value.len() <= 4096 && !value.chars().any(char::is_control)
);

checked_text!(
    /// The name of an ECR repository (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>).
    ImageName, "image name", "2 to 256 of a-z and 0-9, single `.`, `_`, `-` or `/` between them, and no tag",
    |value| (2..=256).contains(&value.len()) && value.split('/').all(|part| {
        part.split(['.', '_', '-']).all(|word| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
    })
);

checked_text!(
    /// The path of a health probe.
    HealthPath, "health path", "begins with `/`, at most 255 of letters, digits and `-._~/%?=&`, no `..`",
    |value| value.starts_with('/')
        && !value.starts_with("//")
        && value.len() <= 255
        && !value.contains("..")
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/%?=&".contains(c))
);

checked_text!(
    /// The name of a Kubernetes Service or Namespace (RFC 1123 label).
    DnsLabel, "Kubernetes name", "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    |value| (1..=63).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !value.starts_with('-')
        && !value.ends_with('-')
);

checked_text!(
    /// A Slack channel.
    ChannelName, "Slack channel", "`#` and 1 to 80 of a-z, 0-9, `-` and `_` (in quotes, since `#` begins a comment)",
    |value| value.strip_prefix('#').is_some_and(|name| {
        (1..=80).contains(&name.chars().count())
            && name.chars().all(|c| "-_".contains(c) || (c.is_alphanumeric() && !c.is_uppercase()))
    })
);

checked_text!(
    /// An e-mail address, as far as its form can tell.
    MailAddress, "e-mail address", "`name@domain` in plain ASCII, at most 254 characters",
    |value| value.len() <= 254 && value.split_once('@').is_some_and(|(name, domain)| {
        let name_ok = (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        name_ok && domain.split('.').all(label_ok)
    })
);

/// The only version of both files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(de::Error::custom(format!(
                "version {other} is not known; this Slipway reads `version: 1`"
            ))),
        }
    }
}

/// A value, or the word `none`: what the convention would fill in is not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrNone<T> {
    /// The word `none`.
    None,
    /// A value.
    Value(T),
}

impl<T> OrNone<T> {
    /// The value, if it is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrNoneVisitor(PhantomData))
    }
}

struct OrNoneVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrNoneVisitor<T> {
    type Value = OrNone<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or the word `none`")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<OrNone<T>, E> {
        if value == "none" {
            Ok(OrNone::None)
        } else {
            T::deserialize(value.into_deserializer()).map(OrNone::Value)
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<OrNone<T>, E> {
        T::deserialize(value.into_deserializer()).map(OrNone::Value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<OrNone<T>, E> {
        T::deserialize(value.into_deserializer()).map(OrNone::Value)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<OrNone<T>, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map)).map(OrNone::Value)
    }
}

/// A percentage, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u8);

impl Percent {
    /// 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            percent @ 0..=100 => u8::try_from(percent).map(Self).map_err(de::Error::custom),
            other => Err(de::Error::custom(format!("{other} is not a percentage: 0 to 100, without `%`"))),
        }
    }
}
