//! What a build runs in and when it runs: variables, secrets, machines, limits, and what something depends on.

use std::fmt;

use super::super::reader::{NamedText, Readable, read_number, read_text, read_word};
use super::super::shape::{Shape, TextShape};
use super::super::yaml::Node;
use super::Problems;
use crate::ids::{RepositoryPath, ServiceName};
use crate::policy::{Conflicts, PodSecurity, Waiting};
use crate::scan::{Block, Unsupported};
use crate::spec::{Compute, Drafts, OlderRuns, OnFailure, Severity};
use crate::text;

/// Declares a whole number within bounds.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $what:literal, $bounds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name($inner);

        impl $name {
            /// The number.
            pub fn get(self) -> $inner {
                self.0
            }
        }

        impl Readable for $name {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                let number = read_number(node, $what, $bounds, problems)?;
                <$inner>::try_from(number).ok().map(Self)
            }

            fn shape() -> Shape {
                Shape::Number { what: $what, bounds: $bounds }
            }
        }
    };
}

/// Lets a choice be read by its words.
macro_rules! choice {
    ($name:ident, $what:literal, $($word:literal => $value:ident),+) => {
        impl Readable for $name {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                match read_word(node, $what, &[$($word),+], problems)? {
                    $($word => Some(Self::$value),)+
                    _ => None,
                }
            }

            fn shape() -> Shape {
                Shape::Choice { what: $what, words: &[$($word),+] }
            }
        }
    };
}

number!(
    /// A percentage, 0 to 100.
    Percent, u8, "a percentage without `%`", 0..=100
);

number!(
    /// How long a build may take. CodeBuild allows 5 to 2160 minutes; a test that takes longer than a working day is
    /// not one that anybody waits for.
    Minutes, u16, "a number of minutes", 5..=480
);

number!(
    /// How often a failed test is tried again.
    Retries, u8, "a number of retries", 0..=5
);

number!(
    /// How many builds run at a time.
    Builds, u16, "a number of builds", 1..=100
);

number!(
    /// How long a scan is waited for: at most half a day, then people look why it does not end.
    ScanMinutes, u16, "a number of minutes", 1..=720
);

choice!(
    Compute, "a size", "small" => Small, "medium" => Medium, "large" => Large, "xlarge" => Xlarge,
    "2xlarge" => Xxlarge
);

choice!(Severity, "a severity", "low" => Low, "medium" => Medium, "high" => High);

choice!(PodSecurity, "how far pods may reach", "baseline" => Baseline, "privileged" => Privileged);

choice!(Conflicts, "what becomes of conflicts", "refuse" => Refuse, "take" => Take);
choice!(Waiting, "which rollouts have their turn", "newest" => Newest, "in_order" => InOrder);

choice!(
    Block, "the least severity that is not let through", "critical" => Critical, "high" => High, "medium" => Medium,
    "none" => None
);

choice!(Unsupported, "what becomes of what cannot be scanned", "pass" => Pass, "refuse" => Refuse);

choice!(Drafts, "what becomes of drafts", "test" => Test, "skip" => Skip);

choice!(OnFailure, "what becomes of a bad release", "roll_back" => RollBack, "hold" => Hold);
choice!(OlderRuns, "what becomes of older runs", "finish" => Finish, "cancel" => Cancel);

checked_text!(
    /// The name of an environment variable.
    VariableName, "variable name",
    "1 to 128 of letters, digits and `_`, not beginning with a digit, nor with `SLIPWAY_`, `CODEBUILD_` or `AWS_`, which the build itself sets",
    r"^[A-Za-z_][A-Za-z0-9_]{0,127}$", unless Some("^(SLIPWAY|CODEBUILD|AWS)_"), length None,
    |value| (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !value.starts_with(|first: char| first.is_ascii_digit())
        && !["SLIPWAY_", "CODEBUILD_", "AWS_"].iter().any(|prefix| value.starts_with(prefix))
);

checked_text!(
    /// The value of an environment variable.
    VariableValue, "value of a variable", "one line of at most 4096 bytes without control characters",
    r"^[^\x00-\x1f\x7f-\x9f]*$", unless None, length Some((0, 4096)),
    |value| value.len() <= 4096 && !value.chars().any(char::is_control)
);

checked_text!(
    /// A secret of Secrets Manager below the stack's `<stack>/test/`, and a key in its JSON where it names one.
    SecretReference, "secret",
    "`<secret>` or `<secret>:<JSON key>`; a secret's name is 1 to 256 of letters, digits and `/_+=.@-`, not beginning with `/`; a key is 1 to 128 of the same",
    r"^[A-Za-z0-9_+=.@-][A-Za-z0-9/_+=.@-]{0,255}(:[A-Za-z0-9/_+=.@-]{1,128})?$", unless None, length None,
    |value| {
        let (name, key) = value.split_once(':').unwrap_or((value, "key"));
        let allowed = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte))
        };
        (1..=256).contains(&name.len())
            && (1..=128).contains(&key.len())
            && !name.starts_with('/')
            && allowed(name)
            && allowed(key)
    }
);

checked_text!(
    /// The image of a build's container.
    ContainerImage, "container image", "1 to 255 of letters, digits and `._-/:@`, beginning with a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$", unless None, length None,
    |value| (1..=255).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte))
        && value.starts_with(|first: char| first.is_ascii_alphanumeric())
);

checked_text!(
    /// The name of shared code that is no service.
    LibraryName, "library name", "1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit",
    r"^[a-z0-9][a-z0-9_-]{0,62}$", unless None, length None,
    |value| value.parse::<ServiceName>().is_ok()
);

checked_text!(
    /// What something depends on.
    Dependency, "dependency",
    "the name of a service or library, or a relative path of at most 255 characters without spaces, `..`, `\\` or control characters",
    r"^[^/\\\x00-\x20\x7f-\x9f][^\\\x00-\x20\x7f-\x9f]*$", unless Some(r"(^|/)\.\.(/|$)"), length Some((1, 255)),
    |value| value.parse::<RepositoryPath>().is_ok()
);

checked_text!(
    /// A kind of Kubernetes objects.
    KindName, "kind", "1 to 63 letters and digits, beginning with a capital letter, such as `Deployment`",
    r"^[A-Z][A-Za-z0-9]{0,62}$", unless None, length None,
    |value| value.len() <= 63
        && value.starts_with(|first: char| first.is_ascii_uppercase())
        && value.chars().all(|c| c.is_ascii_alphanumeric())
);
