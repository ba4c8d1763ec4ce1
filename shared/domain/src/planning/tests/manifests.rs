//! Where manifests come from: plain files, Kustomize, Helm, each by environment.

use super::*;
use crate::spec::{Rendering, Scalar};

const FILES: &[&str] = &[
    "backend/auth/Dockerfile",
    "k8s/auth/development.yaml",
    "k8s/auth/production.yaml",
    "k8s/overlays/development/kustomization.yaml",
    "k8s/overlays/production/Kustomization",
    "k8s/overlays/empty/README.md",
    "charts/auth/Chart.yaml",
    "charts/auth/templates/all.yaml",
    "charts/locked/Chart.yaml",
    "charts/locked/Chart.lock",
    "charts/values.yaml",
    "charts/values-development.yaml",
];

/// What the one service's manifests come from, or what is wrong.
fn source(entry: &str, environment: Option<&str>) -> String {
    let file = format!("version: 1\nservices:\n  auth: {{{entry}}}\n");
    let environment = environment.map(|name| name.parse().expect("a name"));
    match plan_for(Some(file.as_bytes()), &FILES.iter().copied().collect(), environment.as_ref()) {
        Err(problems) => problems.iter().map(shown).collect(),
        Ok(plan) => {
            let service = &plan.services[0];
            let listed = |paths: &[RepositoryPath]| {
                paths.iter().map(RepositoryPath::as_str).collect::<Vec<_>>().join(" ")
            };
            match &service.rendering {
                None => listed(&service.manifests),
                Some(Rendering::Kustomize { folder }) => format!("kustomize {folder}"),
                Some(Rendering::Helm { chart, release, values }) => {
                    format!("helm {release} {chart} {}", listed(values))
                }
            }
        }
    }
}

#[test]
fn each_environment_has_its_own() {
    for (entry, environment, expect) in [
        ("manifests: ['k8s/auth/{environment}.yaml']", Some("production"), "k8s/auth/production.yaml"),
        ("manifests: ['k8s/auth/{environment}.yaml']", None, "k8s/auth/{environment}.yaml"),
        (
            "kustomize: './k8s/overlays/{environment}/'",
            Some("production"),
            "kustomize k8s/overlays/production",
        ),
        ("kustomize: 'k8s/overlays/{environment}'", None, "kustomize k8s/overlays/{environment}"),
        (
            "helm: {chart: charts/auth, values: [charts/values.yaml, 'charts/values-{environment}.yaml']}",
            Some("development"),
            "helm auth charts/auth charts/values.yaml charts/values-development.yaml",
        ),
        ("helm: {chart: 'charts/{environment}', release: bots}", None, "helm bots charts/{environment} "),
    ] {
        assert_eq!(source(entry, environment), expect, "{entry}");
    }
}

#[test]
fn what_is_missing_or_too_much_is_told_with_its_place() {
    insta::assert_snapshot!(source("manifests: ['k8s/auth/{environment}.yaml']", Some("staging")), @"pipeline.yaml:3:22 service `auth`: `k8s/auth/staging.yaml` is not in the commit; add it, or name another with `services.auth.manifests` in `infrastructure/ci_cd/pipeline.yaml`");
    insta::assert_snapshot!(source("manifests: ['k8s/{environment}.yaml']", None), @"pipeline.yaml:3:22 service `auth`: `k8s/{environment}.yaml` is not in the commit; add it, or name another with `services.auth.manifests` in `infrastructure/ci_cd/pipeline.yaml`");
    insta::assert_snapshot!(source("kustomize: 'k8s/overlay/{environment}'", Some("production")), @"pipeline.yaml:3:21 service `auth`: `k8s/overlay/production` is not in the commit; add it, or name another with `services.auth.kustomize` in `infrastructure/ci_cd/pipeline.yaml`");
    insta::assert_snapshot!(source("kustomize: 'k8s/overlays/{environment}'", Some("empty")), @"pipeline.yaml:3:21 service `auth`: `k8s/overlays/empty` holds no `kustomization.yaml`; add one, or name another folder with `services.auth.kustomize`");
    insta::assert_snapshot!(source("helm: {chart: 'k8s/{environment}'}", None), @"pipeline.yaml:3:24 service `auth`: `k8s/{environment}` holds no `Chart.yaml`; add one, or name another folder with `services.auth.helm.chart`");
    insta::assert_snapshot!(source("helm: {chart: charts/locked}", None), @"pipeline.yaml:3:24 service `auth`: the dependencies of the chart `charts/locked` are not in the commit, and none are fetched; run `helm dependency build charts/locked` and commit `charts/locked/charts/`");
    insta::assert_snapshot!(source("helm: {chart: charts/auth, values: [charts/value.yaml]}", None), @"pipeline.yaml:3:46 service `auth`: `charts/value.yaml` is not in the commit; did you mean `charts/values.yaml`? add it, or name another with `services.auth.helm.values` in `infrastructure/ci_cd/pipeline.yaml`");
    insta::assert_snapshot!(source("helm: {chart: charts/auth, release: a123456789b123456789c123456789d123456789e123456789f123}", None), @"pipeline.yaml:3:46 service `auth`: the release `a123456789b123456789c123456789d123456789e123456789f123` has more than the 53 characters that Helm allows; name another with `services.auth.helm.release`");
    insta::assert_snapshot!(source("kustomize: k8s/overlays/production, helm: {chart: charts/auth}, manifests: [charts/values.yaml]", None), @"pipeline.yaml:3:21 service `auth` has `manifests` and `kustomize`: its manifests come from one of `manifests`, `kustomize` and `helm`; take the others out");
}

#[test]
fn jobs_have_their_own_too() {
    let jobs = |environment: &str| {
        let entry = "manifests: [charts/values.yaml], pre_deploy: ['k8s/auth/{environment}.yaml']";
        let file = format!("version: 1\nservices:\n  auth: {{{entry}}}\n");
        let environment = environment.parse().expect("a name");
        let tree = FILES.iter().copied().collect();
        match plan_for(Some(file.as_bytes()), &tree, Some(&environment)) {
            Ok(plan) => plan.services[0].rollout.pre_deploy[0].to_string(),
            Err(problems) => problems.iter().map(shown).collect(),
        }
    };
    assert_eq!(jobs("production"), "k8s/auth/production.yaml");
    assert!(jobs("other").contains("service `auth`: `k8s/auth/other.yaml` is not in the commit"));
}

#[test]
fn values_are_those_of_the_environment() {
    let file = "version: 1\nservices:\n  auth:\n    manifests: [charts/values.yaml]\n    values:\n      \
                development: {replicas: 2, debug: true, level: '3'}\n      production: {replicas: 9}\n      empty:\n";
    let values = |environment: Option<&str>| {
        let environment = environment.map(|name| name.parse().expect("a name"));
        let plan = plan_for(Some(file.as_bytes()), &FILES.iter().copied().collect(), environment.as_ref());
        plan.expect("a plan").services[0].values.clone()
    };
    let expected = [
        ("debug", Scalar::Flag(true)),
        ("level", Scalar::Text("3".to_owned())),
        ("replicas", Scalar::Number(2)),
    ];
    assert_eq!(values(Some("development")), expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(values(Some("production")).len(), 1);
    for environment in [None, Some("empty"), Some("other")] {
        assert!(values(environment).is_empty(), "{environment:?}");
    }
}

#[test]
fn one_task_renders_all_that_is_rendered() {
    let file = "version: 1\nservices:\n  auth: {kustomize: 'k8s/overlays/{environment}'}\n  chart: {image: none, helm: \
                {chart: charts/auth}}\n  plain: {image: none, manifests: [charts/values.yaml]}\n";
    let environment = "production".parse().expect("a name");
    let plan = plan_for(Some(file.as_bytes()), &FILES.iter().copied().collect(), Some(&environment));
    let (plan, run) = (plan.expect("a plan"), format!("a.b.{}", "0".repeat(40)).parse().expect("a run"));
    let ids = |environment| {
        let tasks = crate::tasks::tasks_of(&run, &plan, environment);
        let ids = tasks.iter().filter(|task| task.id.stage != crate::ids::Stage::Test);
        ids.map(|task| task.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        ids(Some(&environment)),
        "build/+manifests build/auth publish/auth deploy/auth@production deploy/chart@production \
         deploy/plain@production verify/auth@production verify/chart@production verify/plain@production"
    );
    assert_eq!(ids(None), "");
}
