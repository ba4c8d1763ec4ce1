//! Which cluster, and how it is reached.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidName, made_of};

name!(
    /// A kubeconfig among the stack's secrets, `<stack>/clusters/<name>`.
    KubeconfigName, "kubeconfig's name", "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    |value| made_of(value, 1..=63, "-")
        && !value.bytes().any(|byte| byte.is_ascii_uppercase())
        && !value.starts_with('-')
        && !value.ends_with('-')
);

name!(
    /// An EKS cluster (<https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>).
    EksClusterName, "EKS cluster name", "1 to 100 of letters, digits, `-` and `_`, beginning with a letter or digit",
    |value| made_of(value, 1..=100, "-_") && value.starts_with(|first: char| first.is_ascii_alphanumeric())
);

name!(
    /// An AWS region.
    AwsRegion, "AWS region", "such as `eu-west-1`: words of a-z, then a number, with `-` between them",
    |value| {
        let words: Vec<&str> = value.split('-').collect();
        let Some((number, words)) = words.split_last() else { return false };
        let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = |word: &&str| {
            (2..=12).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
        };
        is_number && (2..=4).contains(&words.len()) && words.iter().all(is_word)
    }
);

/// How a cluster is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterAccess {
    /// By the kubeconfig in the stack's own secret.
    #[default]
    Kubeconfig,
    /// By the kubeconfig in a secret of this name.
    NamedKubeconfig(KubeconfigName),
    /// By its name in EKS, as the function's own role.
    Eks(EksCluster),
}

/// A cluster of the stack's account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EksCluster {
    /// Its name.
    pub name: EksClusterName,
    /// Its region; none means the stack's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<AwsRegion>,
}

impl ClusterAccess {
    /// Whether it is what everything means that says nothing of a cluster.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ClusterAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig => formatter.write_str("the stack's cluster"),
            Self::NamedKubeconfig(name) => write!(formatter, "the cluster of kubeconfig `{name}`"),
            Self::Eks(EksCluster { name, region: None }) => write!(formatter, "EKS cluster `{name}`"),
            Self::Eks(EksCluster { name, region: Some(region) }) => {
                write!(formatter, "EKS cluster `{name}` in `{region}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_form_that_aws_gives_them() {
        for (text, expected) in [
            ("eu-west-1", true),
            ("us-gov-east-1", true),
            ("ap-southeast-7", true),
            ("eu-west", false),
            ("eu-west-1.evil.example/", false),
            ("EU-west-1", false),
            ("1", false),
        ] {
            assert_eq!(text.parse::<AwsRegion>().is_ok(), expected, "{text}");
        }
        for (text, expected) in [("Prod_1", true), ("1a", true), ("-a", false), ("a/b", false), ("", false)] {
            assert_eq!(text.parse::<EksClusterName>().is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn an_access_is_written_as_it_will_be_read() {
        let eks = |region: Option<&str>| {
            let region = region.map(|region| region.parse().expect("a region"));
            ClusterAccess::Eks(EksCluster { name: "prod".parse().expect("a name"), region })
        };
        let named = ClusterAccess::NamedKubeconfig("other".parse().expect("a name"));
        for (access, expected) in [
            (ClusterAccess::Kubeconfig, r#""kubeconfig""#),
            (named, r#"{"named_kubeconfig":"other"}"#),
            (eks(None), r#"{"eks":{"name":"prod"}}"#),
            (eks(Some("eu-west-1")), r#"{"eks":{"name":"prod","region":"eu-west-1"}}"#),
        ] {
            let text = serde_json::to_string(&access).expect("JSON");
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<ClusterAccess>(&text).expect("JSON"), access);
        }
    }
}
