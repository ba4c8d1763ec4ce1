//! The operator's file as people write it, and what is wrong with it.

use proptest::prelude::*;

use super::*;

const FULL: &str = "version: 1
repositories:
  - {name: vive-sphere/bot-manager, installation: 1, environments: [development, canary]}
  - {name: vive-sphere/website, installation: 1, environments: []}
environments:
  development: {branches: [develop], cluster: {kubeconfig: true}, namespace: development}
  canary:
    branches: [develop, canary]
    cluster: {kubeconfig: true}
    namespace: canary
    policy: {pods: privileged, cluster_admin: true, kinds: [ConfigMap, Deployment], conflicts: take, waiting: in_order, cluster_wide: true,
             scan: {block: high, unsupported: refuse, wait: 5}}
notifications: {mail_sender: slipway@vivesphere.example}
";

fn name(text: &str) -> RepositoryName {
    text.parse().expect("a repository")
}

#[test]
fn what_may_be_applied_is_strict_where_nothing_is_said() {
    let file = parse(FULL).expect("the documented form");
    let policy = |name: &str| {
        let name: EnvironmentName = name.parse().expect("a name");
        file.environments[&name].policy()
    };
    assert_eq!(policy("development"), Policy::default());
    let kinds = Some(vec!["ConfigMap".to_owned(), "Deployment".to_owned()]);
    let said = Policy {
        pods: PodSecurity::Privileged,
        cluster_admin: true,
        kinds,
        cluster_wide: true,
        conflicts: Conflicts::Take,
        waiting: Waiting::InOrder,
        scan: ScanPolicy { block: Block::High, unsupported: Unsupported::Refuse, wait: 5 },
    };
    assert_eq!(policy("canary"), said);
}

#[test]
fn only_named_repositories_and_installations_are_served() {
    let file = parse(FULL).expect("the documented form");
    for (repository, installation, expected) in [
        ("vive-sphere/bot-manager", 1, "served"),
        (
            "vive-sphere/bot-manager",
            2,
            "installation 2 does not speak for `vive-sphere/bot-manager`: the operator's file names another one",
        ),
        ("stranger/bot-manager", 1, "repository `stranger/bot-manager` is not in the operator's file"),
    ] {
        let told = file
            .serves(&name(repository), installation)
            .map_or_else(|not| not.to_string(), |_| "served".to_owned());
        assert_eq!(told, expected);
    }
}

#[test]
fn the_first_environment_with_the_branch_takes_it() {
    let file = parse(FULL).expect("the documented form");
    for (repository, branch, expected) in [
        ("vive-sphere/bot-manager", "develop", Some("development")),
        ("vive-sphere/bot-manager", "canary", Some("canary")),
        ("vive-sphere/bot-manager", "main", None),
        ("vive-sphere/website", "develop", None),
        ("stranger/bot-manager", "develop", None),
    ] {
        let branch = branch.parse().expect("a branch");
        let found = file.delivery_for(&name(repository), &branch).map(|(name, _)| name.as_str());
        assert_eq!(found, expected, "{repository} {branch}");
    }
}

#[test]
fn errors_read_well() {
    let told: Vec<String> = [
        ("[development, canary]", "[development, staging]"),
        ("vive-sphere/website", "vive-sphere/bot-manager"),
        ("installation: 1", "instalation: 1"),
        ("installation: 1", "installation: one"),
        ("kubeconfig: true", "kubeconfig: false"),
        ("namespace: development", "namespace: Development_1"),
        ("branches: [develop]", "branches: [\"feature/*\"]"),
        ("pods: privileged", "pods: all"),
        ("[ConfigMap, Deployment]", "[config-map]"),
        ("block: high", "block: low"),
        ("wait: 5", "wait: 0"),
        ("slipway@vivesphere.example", "slipway"),
        ("version: 1", "version: 3"),
    ]
    .into_iter()
    .map(|(there, instead)| {
        assert!(FULL.contains(there), "{there}");
        parse(FULL.replacen(there, instead, 1))
            .map_or_else(|errors| errors.to_string().replace("; line", "\nline"), |_| "accepted".to_owned())
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    line 3, column 82: environment `staging` is not defined; defined under `environments`: `development`, `canary`
    line 4, column 12: repository `vive-sphere/bot-manager` is named twice; keep one of them
    line 3, column 37: unknown field `instalation`; did you mean `installation`? allowed: `name`, `installation`, `environments`
    line 3, column 51: expected an installation, a whole number from 1, found the text `one`
    line 6, column 60: expected text, found `false`; put it in quotes; `true` is allowed too, for the stack's own secret
    line 6, column 78: `Development_1` is not a valid Kubernetes name: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends
    line 6, column 28: `feature/*` is not a valid branch name: what `git check-ref-format --branch` accepts, at most 255 bytes
    line 11, column 20: expected how far pods may reach, one of `baseline`, `privileged`, found the text `all`
    line 11, column 61: `config-map` is not a valid kind: 1 to 63 letters and digits, beginning with a capital letter, such as `Deployment`
    line 12, column 28: expected the least severity that is not let through, one of `critical`, `high`, `medium`, `none`, found the text `low`
    line 12, column 61: expected a number of minutes, 1 to 720, found the number `0`
    line 13, column 30: `slipway` is not a valid e-mail address: `name@domain` in plain ASCII, at most 254 characters
    line 1, column 10: version 3 is not known; this Slipway reads `version: 1`
    ");
}

proptest! {
    #[test]
    fn a_damaged_file_never_panics(place in 0..FULL.len(), character in any::<char>()) {
        let mut text = FULL.to_owned();
        text.insert(place, character);
        let _ = parse(&text);
        let _ = parse(&FULL[..place]);
    }
}
