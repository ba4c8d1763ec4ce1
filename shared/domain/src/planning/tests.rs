//! Plans of trees and pipeline files, the example among them.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

mod manifests;
mod reads;
mod shared;

const EXAMPLE: &[&str] = &[
    "README.md",
    "requirements-dev.txt",
    "backend/api_gateway/Dockerfile",
    "backend/api_gateway/requirements.txt",
    "backend/api_gateway/tests/test_api.py",
    "backend/authentication/Dockerfile",
    "backend/authentication/tests/test_tokens.py",
    "backend/common/names.py",
    "docs/conf.py",
    "infrastructure/kubernetes/api-gateway-deployment.yaml",
    "infrastructure/kubernetes/authentication-deployment.yaml",
    "infrastructure/kubernetes/redis-deployment.yaml",
    "infrastructure/kubernetes/namespace.yaml",
    "integration_tests/requirements.txt",
    "integration_tests/test_all.py",
];

fn tree(without: &[&str], with: &[&str]) -> Tree {
    EXAMPLE.iter().filter(|path| !without.contains(path)).chain(with).copied().collect()
}

fn shown(problem: &Problem) -> String {
    let place = |number: Option<u32>| number.map(|number| format!(":{number}")).unwrap_or_default();
    let file = problem.path.strip_prefix("infrastructure/ci_cd/").unwrap_or(&problem.path);
    format!("{file}{}{} {}\n", place(problem.line), place(problem.column), problem.message)
}

/// The plan, or its problems, as a person would tell it.
fn told(file: Option<&str>, tree: &Tree) -> String {
    let plan = match plan(file.map(str::as_bytes), tree) {
        Ok(plan) => plan,
        Err(problems) => return problems.iter().map(shown).collect(),
    };
    let mut told = String::new();
    let joined =
        |paths: &[RepositoryPath]| paths.iter().map(RepositoryPath::as_str).collect::<Vec<_>>().join(" ");
    for service in &plan.services {
        let _ = writeln!(told, "{} in {}", service.name, service.path);
        if let Some(test) = &service.test {
            let _ = writeln!(
                told,
                "  test {} >= {:?} with {}",
                test.command,
                test.coverage,
                joined(&test.requirements)
            );
        }
        if let Some(image) = &service.image {
            let _ = writeln!(told, "  image {} from {}", image.repository, image.dockerfile);
        }
        let _ = writeln!(told, "  manifests {}", joined(&service.manifests));
        if let Some(health) = &service.health {
            let _ = writeln!(told, "  health {}:{}{}", health.service, health.port, health.path);
        }
    }
    if let Some(checks) = &plan.checks {
        let _ = writeln!(told, "flake8 {}; bandit {}", joined(&checks.flake8), joined(&checks.bandit));
    }
    if let Some(integration) = &plan.integration {
        let _ = writeln!(told, "{} with {}", integration.command, joined(&integration.requirements));
    }
    let _ = writeln!(told, "tell {:?} {:?}", plan.notifications.slack, plan.notifications.email);
    plan.notes.iter().for_each(|note| {
        let _ = writeln!(told, "note: {note}");
    });
    told
}

#[test]
fn the_convention_finds_services_and_components() {
    insta::assert_snapshot!(told(None, &tree(&[], &[])), @"
    api_gateway in backend/api_gateway
      test pytest backend/api_gateway/tests/ -v --cov=backend/api_gateway >= Some(80) with requirements-dev.txt backend/api_gateway/requirements.txt
      image vive-sphere/api_gateway from backend/api_gateway/Dockerfile
      manifests infrastructure/kubernetes/api-gateway-deployment.yaml
      health api-gateway:8000/api/v1/api_gateway/health
    authentication in backend/authentication
      test pytest backend/authentication/tests/ -v --cov=backend/authentication >= Some(80) with requirements-dev.txt
      image vive-sphere/authentication from backend/authentication/Dockerfile
      manifests infrastructure/kubernetes/authentication-deployment.yaml
      health authentication:8000/api/v1/authentication/health
    redis in infrastructure/kubernetes
      manifests infrastructure/kubernetes/redis-deployment.yaml
    flake8 backend/ docs/; bandit backend/
    pytest integration_tests/ -v with requirements-dev.txt backend/api_gateway/requirements.txt integration_tests/requirements.txt
    tell None []
    note: there is no `infrastructure/ci_cd/pipeline.yaml`: the convention decides
    note: services by convention: `api_gateway`, `authentication`
    note: `redis` is a component: `infrastructure/kubernetes/redis-deployment.yaml` belongs to no service folder
    ");
}

#[test]
fn a_file_with_services_names_all_of_them() {
    let file = r##"
version: 1
services:
  authentication:
    test: {command: "make test", coverage: none}
    image: vive-sphere/auth
    health: {path: /api/v1/auth/health, service: api-gateway}
  cache:
    image: none
    manifests: [infrastructure/kubernetes/redis-deployment.yaml]
checks: {bandit: []}
notifications: {slack: "#deploys", email: [team@vivesphere.example]}
"##;
    insta::assert_snapshot!(told(Some(file), &tree(&[], &[])), @r##"    authentication in backend/authentication
      test make test >= None with requirements-dev.txt
      image vive-sphere/auth from backend/authentication/Dockerfile
      manifests infrastructure/kubernetes/authentication-deployment.yaml
      health api-gateway:8000/api/v1/auth/health
    cache in infrastructure/kubernetes
      manifests infrastructure/kubernetes/redis-deployment.yaml
    flake8 backend/ docs/; bandit 
    pytest integration_tests/ -v with requirements-dev.txt integration_tests/requirements.txt
    tell Some("#deploys") ["team@vivesphere.example"]
    "##);
}

#[test]
fn the_example_is_planned_without_a_problem() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/example");
    let (mut folders, mut paths) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the example").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                paths.extend(
                    entry.path().strip_prefix(&root).ok().map(|path| path.to_string_lossy().into_owned()),
                );
            }
        }
    }
    let text = std::fs::read_to_string(root.join(PIPELINE_FILE)).expect("the example's pipeline file");
    let plan = plan(Some(text.as_bytes()), &paths.into_iter().collect()).expect("no problem");
    let names: Vec<&str> = plan.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["api_gateway", "authentication", "bot_manager"]);
    assert!(plan.checks.is_some() && plan.integration.is_some());
}

#[test]
fn a_file_without_services_leaves_them_to_the_convention() {
    let same = told(None, &tree(&[], &[]));
    let (_, without_first_note) = same.split_once("note: there is no").expect("the note on the missing file");
    let told = told(Some("version: 1"), &tree(&[], &[]));
    assert!(told.contains("api_gateway in backend/api_gateway"), "{told}");
    assert!(told.ends_with(without_first_note.split_once('\n').expect("more notes").1), "{told}");
}

#[test]
fn a_service_without_tests_is_planned_to_be_red() {
    let told = told(None, &tree(&["backend/authentication/tests/test_tokens.py"], &[]));
    assert!(
        told.contains(
            "test pytest backend/authentication/tests/ -v --cov=backend/authentication >= Some(80)"
        )
    );
    assert!(
        told.contains("note: service `authentication` has no tests in `backend/authentication/tests/`"),
        "{told}"
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let file = r"
version: 1
services:
  authentication: {dockerfile: Dockerfile, manifests: [kubernetes/a.yaml, kubernetes/b.yaml]}
  api_gateway: {image: vive-sphere/authentication, manifests: [README.md]}
  api-gateway: {path: backend/api_gateway, image: vive-sphere/authentication, manifests: [README.md]}
  missing: {}
  redis: {image: none, test: {coverage: 80}, manifests: []}
  odd-: {path: backend/common, dockerfile: README.md, manifests: [README.md]}
checks: {flake8: [src/]}
";
    insta::assert_snapshot!(told(Some(file), &tree(&[], &[])), @"
    pipeline.yaml:4:32 service `authentication`: `Dockerfile` is not in the commit; add it, or name another with `services.authentication.dockerfile` in `infrastructure/ci_cd/pipeline.yaml`
    pipeline.yaml:4:56 service `authentication`: `kubernetes/a.yaml` is not in the commit; add it, or name another with `services.authentication.manifests` in `infrastructure/ci_cd/pipeline.yaml`
    pipeline.yaml:4:75 service `authentication`: `kubernetes/b.yaml` is not in the commit; add it, or name another with `services.authentication.manifests` in `infrastructure/ci_cd/pipeline.yaml`
    pipeline.yaml:5:3 services `api-gateway` and `api_gateway` are the same name to Kubernetes; rename one of them
    pipeline.yaml:5:24 services `api-gateway` and `api_gateway` both have the image `vive-sphere/authentication`; give one of them another `image`
    pipeline.yaml:7:3 service `missing`: `backend/missing` is not in the commit; add it, or name another with `services.missing.path` in `infrastructure/ci_cd/pipeline.yaml`
    pipeline.yaml:8:24 service `redis` has `image: none` and `test`: a component is neither built nor tested; take one of them out
    pipeline.yaml:8:46 service `redis` has an empty list of `manifests`: name at least one
    pipeline.yaml:9:3 service `odd-`: `vive-sphere/odd-` is not a valid image name: 2 to 256 of a-z and 0-9, single `.`, `_`, `-` or `/` between them, and no tag; name another with `services.odd-.image`
    pipeline.yaml:9:3 service `odd-`: `odd-` is not a valid Kubernetes name: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends; name another with `services.odd-.health.service`
    pipeline.yaml:10:19 `src/` is not in the commit; take it from `checks.flake8` or add it
    ");
}

#[test]
fn what_the_convention_cannot_name_is_a_problem() {
    let odd = [
        "backend/Billing/Dockerfile",
        "backend/chat/Dockerfile",
        "infrastructure/kubernetes/Odd-deployment.yaml",
    ];
    insta::assert_snapshot!(told(None, &tree(&[], &odd)), @"
    backend/Billing/Dockerfile the folder of `backend/Billing/Dockerfile` cannot name a service: `Billing` is not a valid service name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit; rename it or name the services in `infrastructure/ci_cd/pipeline.yaml`
    backend/chat/Dockerfile service `chat`: `infrastructure/kubernetes/chat-deployment.yaml` is not in the commit; add it, or name another with `services.chat.manifests` in `infrastructure/ci_cd/pipeline.yaml`
    infrastructure/kubernetes/Odd-deployment.yaml a manifest in `infrastructure/kubernetes` cannot name a component: `Odd` is not a valid service name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit; rename it or name the services in `infrastructure/ci_cd/pipeline.yaml`
    ");
    insta::assert_snapshot!(told(None, &Tree::default()), @"pipeline.yaml there is nothing to run: no `backend/<service>/Dockerfile`, no `integration_tests/`; name the services in `infrastructure/ci_cd/pipeline.yaml`");
}

#[test]
fn folders_are_quoted_for_the_shell() {
    let file = "version: 1\nservices: {a: {path: \"it's;rm-rf-x\", manifests: [m.yaml]}}";
    let told = told(Some(file), &["it's;rm-rf-x/Dockerfile", "m.yaml"].into_iter().collect());
    assert!(told.contains(r"pytest 'it'\''s;rm-rf-x/tests/' -v --cov='it'\''s;rm-rf-x'"), "{told}");
}

proptest! {
    #[test]
    fn any_tree_is_planned_or_explained(paths in prop::collection::vec("(backend|infrastructure/kubernetes|docs)/.{0,9}/?(Dockerfile|.{0,3}-deployment.yaml)", 0..9)) {
        match plan(None, &paths.iter().map(String::as_str).collect()) {
            Ok(plan) => prop_assert!(!plan.services.is_empty() || plan.checks.is_some()),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
