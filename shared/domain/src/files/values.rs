//! The values of the two files, each checked where it is read, so that a problem names its place.

use std::fmt;
use std::num::NonZeroU16;

use super::reader::{NamedText, Readable, expected, is_word, read_number, read_text};
use super::shape::{Shape, TextShape};
use super::yaml::{Node, Value};
use super::{FileError, Problems};
use crate::ids::{
    AwsRegion, BranchName, EksClusterName, EnvironmentName, KubeconfigName, RepositoryName, RepositoryPath,
    ServiceName,
};
use crate::text;

/// Lets a checked text be read, and describes its form.
macro_rules! readable_text {
    ($name:ident, $kind:literal, $allowed:literal, $pattern:literal, $unless:expr, $length:expr) => {
        impl NamedText for $name {
            fn text_shape() -> TextShape {
                TextShape {
                    kind: $kind,
                    allowed: $allowed,
                    pattern: $pattern,
                    unless: $unless,
                    length: $length,
                }
            }
        }

        impl Readable for $name {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                read_text(node, problems)
            }

            fn shape() -> Shape {
                Shape::Text(Self::text_shape())
            }
        }
    };
}

/// Declares a text value that is checked when it is read. The pattern is for those who cannot call the check.
macro_rules! checked_text {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal, $allowed:literal,
        $pattern:literal, unless $unless:expr, length $length:expr, $check:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

        readable_text!($name, $kind, $allowed, $pattern, $unless, $length);
    };
}

mod build;
mod manifests;

pub use build::{
    Builds, ContainerImage, Dependency, KindName, LibraryName, Minutes, Percent, Retries, ScanMinutes,
    SecretReference, VariableName, VariableValue,
};
pub use manifests::ValueName;

checked_text!(
    /// A shell command, run from the repository's root.
    Command, "command", "one line of 1 to 4096 characters without control characters",
    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", unless None, length Some((1, 4096)),
    |value| !value.trim().is_empty()
        && value.chars().nth(4096).is_none()
        && !value.chars().any(char::is_control)
);

checked_text!(
    /// The name of an ECR repository (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>).
    ImageName, "image name", "2 to 256 of a-z and 0-9, single `.`, `_`, `-` or `/` between them, and no tag",
    r"^[a-z0-9]+([._/-][a-z0-9]+)*$", unless None, length Some((2, 256)),
    |value| (2..=256).contains(&value.len()) && value.split(['.', '_', '-', '/']).all(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
);

checked_text!(
    /// The path of a health probe.
    HealthPath, "health path", "begins with `/`, at most 255 of letters, digits and `-._~/%?=&`, no `..`",
    r"^/[A-Za-z0-9._~/%?=&-]*$", unless Some(r"\.\.|^//"), length Some((1, 255)),
    |value| value.starts_with('/')
        && !value.starts_with("//")
        && value.len() <= 255
        && !value.contains("..")
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/%?=&".contains(c))
);

checked_text!(
    /// The name of a Kubernetes Service or Namespace (RFC 1123 label).
    DnsLabel, "Kubernetes name", "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", unless None, length None,
    |value| (1..=63).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !value.starts_with('-')
        && !value.ends_with('-')
);

checked_text!(
    /// A Slack channel.
    ChannelName, "Slack channel", "`#` and 1 to 80 of a-z, 0-9, `-` and `_` (in quotes, since `#` begins a comment)",
    r"^#[a-z0-9_-]{1,80}$", unless None, length None,
    |value| value.strip_prefix('#').is_some_and(|name| {
        (1..=80).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    })
);

checked_text!(
    /// An e-mail address, as far as its form can tell.
    MailAddress, "e-mail address", "`name@domain` in plain ASCII, at most 254 characters",
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    unless None, length Some((3, 254)),
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

// The names that more than the files use are checked in `ids`; here is their form.
readable_text!(
    RepositoryPath,
    "path",
    "a relative path of at most 255 characters without spaces, `..`, `\\` or control characters",
    r"^[^/\\\x00-\x20\x7f-\x9f][^\\\x00-\x20\x7f-\x9f]*$",
    Some(r"(^|/)\.\.(/|$)"),
    Some((1, 255))
);
readable_text!(
    ServiceName,
    "service name",
    "1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit",
    r"^[a-z0-9][a-z0-9_-]{0,62}$",
    None,
    None
);
readable_text!(
    EnvironmentName,
    "environment name",
    "1 to 32 of a-z, 0-9 and `-`, beginning with a letter",
    r"^[a-z][a-z0-9-]{0,31}$",
    None,
    None
);
readable_text!(
    RepositoryName,
    "repository",
    "`owner/name` as GitHub spells it",
    r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$",
    Some(r"/\.{1,2}$"),
    None
);
readable_text!(
    BranchName,
    "branch name",
    "what `git check-ref-format --branch` accepts, at most 255 bytes",
    r"^[^\x00-\x20\x7f-\x9f~^:?*\[\\]+$",
    Some(r"^@$|^-|^/|/$|//|(^|/)\.|\.\.|\.$|@\{|\.lock(/|$)"),
    Some((1, 255))
);

readable_text!(
    KubeconfigName,
    "kubeconfig's name",
    "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    None,
    None
);
readable_text!(
    EksClusterName,
    "EKS cluster name",
    "1 to 100 of letters, digits, `-` and `_`, beginning with a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
    None,
    None
);
readable_text!(
    AwsRegion,
    "AWS region",
    "such as `eu-west-1`: words of a-z, then a number, with `-` between them",
    r"^[a-z]{2,12}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$",
    None,
    None
);

/// The only version of both files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version;

impl Readable for Version {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let read = matches!(&node.value, Value::Scalar(scalar) if scalar.plain && scalar.text == "1");
        if !read {
            problems.at(node.place, expected("`version: 1`", node));
        }
        read.then_some(Self)
    }

    fn shape() -> Shape {
        Shape::One
    }
}

/// What to say of a file that names another version than 1.
pub(super) fn other_version(root: &Node) -> Option<FileError> {
    let version = root.entries()?.iter().find(|entry| entry.key == "version")?;
    let Value::Scalar(scalar) = &version.value.value else { return None };
    let other = scalar.text.parse::<u64>().ok().filter(|number| *number != 1)?;
    let message = format!("version {other} is not known; this Slipway reads `version: 1`");
    Some(FileError::at(version.value.place, message))
}

/// Whether the node is the word `true`.
pub(super) fn is_true(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.plain && scalar.text == "true")
}

/// Whether something holds.
impl Readable for bool {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let word = match &node.value {
            Value::Scalar(scalar) if scalar.plain => scalar.text.parse().ok(),
            _ => None,
        };
        if word.is_none() {
            problems.at(node.place, expected("`true` or `false`", node));
        }
        word
    }

    fn shape() -> Shape {
        Shape::Flag
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

impl<T: Readable> Readable for OrNone<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if is_word(node, "none") {
            return Some(Self::None);
        }
        let before = problems.count();
        let value = T::read(node, problems);
        if value.is_none() {
            problems.hint(node.place, before, "; `none` is allowed too");
        }
        value.map(Self::Value)
    }

    fn shape() -> Shape {
        Shape::OrNone(Box::new(T::shape()))
    }
}

impl Readable for NonZeroU16 {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let number = read_number(node, "a port", 1..=65535, problems)?;
        u16::try_from(number).ok().and_then(Self::new)
    }

    fn shape() -> Shape {
        Shape::Number { what: "a port", bounds: 1..=65535 }
    }
}

/// The number of a GitHub App's installation.
impl Readable for u64 {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        read_number(node, "an installation", 1..=u64::MAX, problems)
    }

    fn shape() -> Shape {
        Shape::Number { what: "an installation", bounds: 1..=u64::MAX }
    }
}
