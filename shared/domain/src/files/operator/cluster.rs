//! How the operator's file says which cluster an environment lies in.

use super::super::Problems;
use super::super::reader::Readable;
use super::super::record::record;
use super::super::shape::Shape;
use super::super::values::is_true;
use super::super::yaml::Node;
use crate::ids::{AwsRegion, ClusterAccess, EksCluster, EksClusterName, KubeconfigName};

record! {
    /// A cluster that is reached by a kubeconfig in Secrets Manager.
    struct ByKubeconfig {
        /// `true` names the stack's own kubeconfig secret; a name, the secret `<stack>/clusters/<name>`.
        kubeconfig: KubeconfigSecret,
    }
}

record! {
    /// A cluster of the stack's own account in EKS. deploy and verify sign in as their own roles, which need an access
    /// entry in the cluster, and the stack's parameter `EksClusterArns` must name it.
    struct ByEks {
        /// The cluster's name.
        eks: EksClusterName,
        /// The region it lies in.
        region: Option<AwsRegion> => "the stack's own",
    }
}

/// Which secret holds a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
enum KubeconfigSecret {
    OfTheStack,
    Named(KubeconfigName),
}

impl Readable for KubeconfigSecret {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if is_true(node) {
            return Some(Self::OfTheStack);
        }
        let before = problems.count();
        let name = KubeconfigName::read(node, problems);
        if name.is_none() {
            problems.hint(node.place, before, "; `true` is allowed too, for the stack's own secret");
        }
        name.map(Self::Named)
    }

    fn shape() -> Shape {
        Shape::OrTrue(Box::new(KubeconfigName::shape()))
    }
}

impl Readable for ClusterAccess {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let has = |key: &str| node.entries().is_some_and(|all| all.iter().any(|entry| entry.key == key));
        if has("eks") && has("kubeconfig") {
            problems.at(node.place, "a cluster is reached by `kubeconfig` or by `eks`; keep one of them");
            return None;
        }
        if has("eks") {
            return ByEks::read(node, problems)
                .map(|ByEks { eks, region }| Self::Eks(EksCluster { name: eks, region }));
        }
        let before = problems.count();
        let read = ByKubeconfig::read(node, problems);
        if read.is_none() && !has("kubeconfig") {
            problems.hint(node.place, before, "; `eks` with a cluster's name is the other way");
        }
        Some(match read?.kubeconfig {
            KubeconfigSecret::OfTheStack => Self::Kubeconfig,
            KubeconfigSecret::Named(name) => Self::NamedKubeconfig(name),
        })
    }

    fn shape() -> Shape {
        Shape::Either(vec![ByKubeconfig::shape(), ByEks::shape()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::ids::ClusterAccess;

    fn read(cluster: &str) -> String {
        let text = format!(
            "version: 1\nrepositories: []\nenvironments:\n  prod: {{branches: [main], namespace: prod, cluster: {cluster}}}\n"
        );
        match parse(text) {
            Ok(file) => {
                let accesses: Vec<ClusterAccess> =
                    file.environments.into_values().map(|environment| environment.cluster).collect();
                serde_json::to_string(&accesses).expect("JSON")
            }
            Err(errors) => errors.to_string(),
        }
    }

    #[test]
    fn a_cluster_is_reached_in_one_way() {
        let told = [
            "{kubeconfig: true}",
            "{kubeconfig: blue}",
            "{eks: Prod_1}",
            "{eks: prod, region: eu-west-1}",
            "{eks: prod, region: Ireland}",
            "{eks: prod, kubeconfig: true}",
            "{kubeconfig: true, region: eu-west-1}",
            "{kubeconfig: ../other}",
            "{kubeconfig: false}",
            "{eks: true}",
            "{}",
            "blue",
        ]
        .map(|cluster| format!("{cluster}\n  {}", read(cluster)));
        insta::assert_snapshot!(told.join("\n"), @r#"
        {kubeconfig: true}
          ["kubeconfig"]
        {kubeconfig: blue}
          [{"named_kubeconfig":"blue"}]
        {eks: Prod_1}
          [{"eks":{"name":"Prod_1"}}]
        {eks: prod, region: eu-west-1}
          [{"eks":{"name":"prod","region":"eu-west-1"}}]
        {eks: prod, region: Ireland}
          line 4, column 74: `Ireland` is not a valid AWS region: such as `eu-west-1`: words of a-z, then a number, with `-` between them
        {eks: prod, kubeconfig: true}
          line 4, column 54: a cluster is reached by `kubeconfig` or by `eks`; keep one of them
        {kubeconfig: true, region: eu-west-1}
          line 4, column 73: unknown field `region`; allowed: `kubeconfig`
        {kubeconfig: ../other}
          line 4, column 67: `../other` is not a valid kubeconfig's name: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends; `true` is allowed too, for the stack's own secret
        {kubeconfig: false}
          line 4, column 67: expected text, found `false`; put it in quotes; `true` is allowed too, for the stack's own secret
        {eks: true}
          line 4, column 60: expected text, found `true`; put it in quotes
        {}
          line 4, column 54: the field `kubeconfig` is missing: it must be `true`, or text (kubeconfig's name: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends); `eks` with a cluster's name is the other way
        blue
          line 4, column 54: expected a mapping (`key: value`), found the text `blue`; allowed keys: `kubeconfig`; `eks` with a cluster's name is the other way
        "#);
    }
}
