//! Which crate may depend on which.

use super::Findings;
use super::checkout::Checkout;
use super::crates::{Crate, Crates, Dependency};

/// The layers, from the functions down to the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Function,
    Lambda,
    Adapter,
    /// What adapters to AWS share: how its errors become faults.
    AwsErrors,
    Domain,
    Testkit,
    Cli,
    Cloud,
    /// The parts of the one-machine cloud.
    CloudPart,
    Tests,
}

/// Transports and runtimes that the core knows nothing of.
const NOT_PURE: [&str; 9] =
    ["tokio", "aws-", "kube", "k8s-", "http", "hyper", "reqwest", "axum", "lambda_runtime"];

/// The arrows between crates, and the core's purity.
pub(super) fn check(crates: &Crates) -> Findings {
    crates.0.values().flat_map(|from| from.dependencies.iter().filter_map(|to| problem(from, to))).collect()
}

fn problem(from: &Crate, to: &Dependency) -> Option<String> {
    let manifest = format!("{}/Cargo.toml", from.folder);
    let Some(folder) = &to.folder else {
        let impure = layer(&from.folder) == Layer::Domain
            && !to.dev
            && NOT_PURE.iter().any(|forbidden| to.name.starts_with(forbidden));
        return impure.then(|| {
            format!("{manifest}: the core must stay pure; move what needs `{}` into an adapter", to.name)
        });
    };
    let (source, target) = (layer(&from.folder), layer(folder));
    let allowed = if to.dev { may_test_with(source, target) } else { may_use(source, target) };
    (!allowed).then(|| {
        format!(
            "{manifest}: {source:?} → {target:?} (`{}`) is no arrow of the design; reach it through a port of `domain`",
            to.name
        )
    })
}

fn layer(folder: &str) -> Layer {
    match folder {
        "shared/domain" => Layer::Domain,
        "shared/lambda" => Layer::Lambda,
        "shared/testkit" => Layer::Testkit,
        "shared/aws" => Layer::AwsErrors,
        "infra/cli" | "infra/bench" => Layer::Cli,
        "infra/local" => Layer::Cloud,
        "tests" => Layer::Tests,
        _ if folder.starts_with("functions/") => Layer::Function,
        _ if folder.starts_with("infra/local/") => Layer::CloudPart,
        _ => Layer::Adapter,
    }
}

fn may_use(source: Layer, target: Layer) -> bool {
    use Layer::{Adapter, AwsErrors, Cli, Cloud, CloudPart, Domain, Function, Lambda, Testkit, Tests};
    match source {
        Function => matches!(target, Lambda | Adapter | Domain),
        Adapter => matches!(target, AwsErrors | Domain),
        Lambda | Testkit | AwsErrors => target == Domain,
        Domain => false,
        Cli => matches!(target, Cloud | Adapter | Domain),
        Cloud => matches!(target, CloudPart | Adapter | Domain),
        CloudPart => target == CloudPart,
        Tests => true,
    }
}

/// Tests may also use the fakes and the parts of the one-machine cloud; the fakes are tried with the functions.
fn may_test_with(source: Layer, target: Layer) -> bool {
    may_use(source, target)
        || matches!(target, Layer::Testkit | Layer::CloudPart)
        || (source == Layer::Testkit && matches!(target, Layer::Function | Layer::Lambda))
}

/// What each manifest says: version 0.0.0, unpublished, every version and feature in the root's one list.
pub(super) fn check_manifests(checkout: &Checkout, crates: &Crates) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for member in crates.0.values() {
        let manifest = format!("{}/Cargo.toml", member.folder);
        if member.version != "0.0.0" || member.published {
            findings.push(format!("{manifest}: take `version` and `publish` from the workspace"));
        }
        let mut in_dependencies = false;
        for line in checkout.text(&manifest)?.lines().map(str::trim) {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies
                && !line.is_empty()
                && !line.starts_with('#')
                && !line.ends_with(".workspace = true")
            {
                findings.push(format!(
                    "{manifest}: move `{line}` to [workspace.dependencies], write `….workspace = true`"
                ));
            }
        }
    }
    Ok(findings)
}

#[test]
fn arrows_point_inwards_only() {
    for (from, to, dev, allowed) in [
        ("functions/plan", "shared/store", false, true),
        ("functions/plan", "functions/test", false, false),
        ("shared/store", "shared/queue", false, false),
        ("shared/store", "shared/aws", false, true),
        ("shared/domain", "shared/testkit", false, false),
        ("shared/domain", "shared/testkit", true, true),
        ("shared/lambda", "shared/store", false, false),
        ("shared/store", "infra/local/ministack", false, false),
        ("shared/store", "infra/local/ministack", true, true),
        ("infra/cli", "functions/plan", false, false),
        ("functions/plan", "infra/local", true, false),
    ] {
        let (source, target) = (layer(from), layer(to));
        let found = if dev { may_test_with(source, target) } else { may_use(source, target) };
        assert_eq!(found, allowed, "{from} → {to}, dev: {dev}");
    }
}
