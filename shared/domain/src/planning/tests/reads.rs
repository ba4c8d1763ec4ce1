//! What the tests of each part of a plan read.

use super::*;
use crate::spec::Reads;

/// What each part reads, or the problems; folders whose own files count end with `/*`.
fn reads(file: &str, tree: &Tree) -> String {
    let plan = match plan(Some(format!("version: 1\n{file}").as_bytes()), tree) {
        Ok(plan) => plan,
        Err(problems) => return problems.iter().map(shown).collect(),
    };
    let line = |name: &str, reads: &Reads| {
        let own = reads.files_in.iter().map(|folder| format!("{folder}/*"));
        let all: Vec<String> = reads.paths.iter().cloned().chain(own).collect();
        format!("{name}: {}\n", all.join(" "))
    };
    let mut told = String::new();
    for service in &plan.services {
        told += &line(service.name.as_str(), &service.reads);
    }
    told += &plan.checks.iter().map(|checks| line("checks", &checks.reads)).collect::<String>();
    told += &plan.integration.iter().map(|tests| line("integration", &tests.reads)).collect::<String>();
    told
}

/// The example with more around it.
fn around() -> Tree {
    tree(
        &[],
        &[
            "constraints.txt",
            "proto/user.proto",
            "backend/conftest.py",
            "backend/shared/lib/a.py",
            "backend/shared/other/b.py",
            "libraries/auth/auth.py",
        ],
    )
}

#[test]
fn without_a_word_what_lies_beside_belongs_to_everybody() {
    insta::assert_snapshot!(reads("", &around()), @"
    api_gateway: backend/api_gateway backend/common backend/shared ./* backend/*
    authentication: backend/authentication backend/common backend/shared ./* backend/*
    redis: 
    checks: backend docs ./*
    integration: backend/api_gateway backend/authentication backend/common backend/shared integration_tests ./* backend/*
    ");
}

#[test]
fn what_is_named_is_followed_through_services_and_libraries() {
    let file = r"
services:
  api_gateway: {depends_on: [authentication, ./proto//user.proto]}
  authentication: {depends_on: [auth]}
  redis: {image: none}
libraries:
  auth: {path: libraries/auth/, depends_on: [common, redis, api_gateway]}
  common:
global: [./constraints.txt]
integration: {depends_on: []}
checks: {flake8: [docs/conf.py], bandit: []}
";
    insta::assert_snapshot!(reads(file, &around()), @"
    api_gateway: backend/api_gateway backend/authentication backend/common constraints.txt infrastructure/kubernetes/redis-deployment.yaml libraries/auth proto/user.proto ./* backend/* libraries/*
    authentication: backend/api_gateway backend/authentication backend/common constraints.txt infrastructure/kubernetes/redis-deployment.yaml libraries/auth proto/user.proto ./* backend/* libraries/*
    redis: 
    checks: constraints.txt docs/conf.py ./*
    integration: backend/api_gateway/requirements.txt constraints.txt integration_tests ./*
    ");
}

#[test]
fn an_empty_list_is_nothing_and_a_library_is_no_common_ground() {
    let file = r"
services: {api_gateway: {depends_on: []}, authentication: {}}
libraries: {lib: {path: backend/shared}}
integration: {services: [{name: authentication, start: make run, port: 8000}], depends_on: [docs]}
checks: {command: make lint}
";
    insta::assert_snapshot!(reads(file, &around()), @"
    api_gateway: backend/api_gateway ./* backend/*
    authentication: backend/authentication backend/common ./* backend/*
    checks: .
    integration: backend/api_gateway/requirements.txt backend/authentication backend/common docs integration_tests ./* backend/*
    ");
    let narrowed = file.replace("make lint}", "make lint, depends_on: [proto]}");
    insta::assert_snapshot!(reads(&narrowed, &around()).lines().nth(2).expect("the checks"), @"checks: backend docs proto ./*");
}

#[test]
fn integration_tests_elsewhere_may_read_anything() {
    let without: Vec<&str> = EXAMPLE.iter().filter(|path| path.starts_with("integration")).copied().collect();
    let tree = tree(&without, &["e2e/test_all.py"]);
    let told = reads("integration: {command: pytest e2e}", &tree);
    assert_eq!(told.lines().last(), Some("integration: ."), "{told}");
    let told = reads("integration: {command: pytest e2e, depends_on: [e2e/]}", &tree);
    assert_eq!(
        told.lines().last(),
        Some("integration: backend/api_gateway/requirements.txt e2e ./*"),
        "{told}"
    );
}

#[test]
fn a_service_may_lie_anywhere() {
    let tree: Tree =
        ["Dockerfile", "one/Dockerfile", "two/a/Dockerfile", "two/b/x.py", "m.yaml"].into_iter().collect();
    let file = "services: {root: {path: ., manifests: [m.yaml]}, one: {path: ./one, manifests: [m.yaml]}, \
                a: {path: two//a, manifests: [m.yaml]}}";
    insta::assert_snapshot!(reads(file, &tree), @"
    a: two/a two/b ./* two/*
    one: one ./*
    root: .
    ");
}

#[test]
fn what_nobody_knows_is_a_problem_with_its_place() {
    let file = r"
services:
  authentication: {depends_on: [comon, protto/user.proto, api_gatway, broken, redis/]}
  api_gateway: {}
  redis: {image: none, depends_on: [common]}
  broken: {path: 7}
libraries:
  common: {depends_on: [nothing]}
  api_gateway: {}
  missing: {path: backend/comon}
global: [constraint.txt]
integration: {depends_on: [integration_test]}
checks: {depends_on: [doc]}
";
    insta::assert_snapshot!(reads(file, &around()), @"
    pipeline.yaml:4:33 `comon` is neither a service or library nor a path in the commit; did you mean `common`? take it from `depends_on` or add it
    pipeline.yaml:4:40 `protto/user.proto` is neither a service or library nor a path in the commit; did you mean `proto/user.proto`? take it from `depends_on` or add it
    pipeline.yaml:4:59 `api_gatway` is neither a service or library nor a path in the commit; did you mean `api_gateway`? take it from `depends_on` or add it
    pipeline.yaml:4:79 `redis/` is neither a service or library nor a path in the commit; did you mean `redis`? take it from `depends_on` or add it
    pipeline.yaml:6:24 service `redis` has `image: none` and `depends_on`: a component is neither built nor tested; take one of them out
    pipeline.yaml:7:18 expected text, found the number `7`; put it in quotes
    pipeline.yaml:9:25 `nothing` is neither a service or library nor a path in the commit; take it from `depends_on` or add it
    pipeline.yaml:10:3 `api_gateway` is both a service and a library; rename one of them
    pipeline.yaml:11:19 library `missing`: `backend/comon` is not in the commit; did you mean `backend/common`? add it, or name another with `libraries.missing.path`
    pipeline.yaml:12:10 `constraint.txt` is not in the commit; did you mean `constraints.txt`? take it from `global` or add it
    pipeline.yaml:13:28 `integration_test` is neither a service or library nor a path in the commit; did you mean `integration_tests`? take it from `depends_on` or add it
    pipeline.yaml:14:23 `doc` is neither a service or library nor a path in the commit; did you mean `docs`? take it from `depends_on` or add it
    ");
}

#[test]
fn settings_are_carried_into_the_plan() {
    let file = r"version: 1
max_parallel_builds: 3
older_runs: cancel
services:
  authentication:
    test: {retries: 2, timeout: 60, compute: large, image: 'python:3.12', environment: {A: b}, secrets: {C: 'd:e'},
      not_below_base: true, reports: [out/junit.xml]}
integration:
  services: [{name: redis, start: redis-server, port: 6379, ready: /}, {name: api_gateway, start: make, port: 8000}]
checks: {severity: low, command: make lint, reports: [lint.sarif]}
";
    let plan = plan(Some(file.as_bytes()), &tree(&[], &[])).expect("a plan");
    assert_eq!((plan.max_parallel_builds, plan.older_runs), (Some(3), crate::spec::OlderRuns::Cancel));
    let test = plan.services[0].test.as_ref().expect("tests");
    insta::assert_snapshot!(serde_json::to_string(test).expect("JSON"), @r#"{"command":"pytest backend/authentication/tests/ -v --cov=backend/authentication","coverage":80,"not_below_base":true,"reports":["out/junit.xml"],"requirements":["requirements-dev.txt"],"build":{"environment":{"A":"b"},"secrets":{"C":"d:e"},"image":"python:3.12","compute":"large","timeout":60,"retries":2}}"#);
    let integration = plan.integration.expect("integration tests");
    insta::assert_snapshot!(integration.command, @"pytest integration_tests/ -v");
    insta::assert_snapshot!(serde_json::to_string(&integration.services).expect("JSON"), @r#"[{"name":"redis","start":"redis-server","port":6379,"ready":"/"},{"name":"api_gateway","start":"make","port":8000,"ready":"/api/v1/api_gateway/health"}]"#);
    let checks = plan.checks.expect("checks");
    let sent = serde_json::to_string(&(checks.severity, checks.command, checks.reports, checks.requirements));
    insta::assert_snapshot!(sent.expect("JSON"), @r#"["low","make lint",["lint.sarif"],["requirements-dev.txt"]]"#);
}

#[test]
fn settings_that_contradict_each_other_are_problems() {
    let many: String = (0..60).fold(String::new(), |many, number| many + &format!("V{number}: x, "));
    let file = format!(
        r"
services:
  authentication:
    test: {{environment: {{A: b, B: c}}, secrets: {{B: d}}, coverage: none, not_below_base: true}}
integration:
  environment: {{{many}}}
  services: [{{name: a, start: x, port: 1}}, {{name: a, start: x, port: 2}}, {{name: b, start: x, port: 1}}]
checks: {{reports: [a.sarif]}}
"
    );
    insta::assert_snapshot!(reads(&file, &around()), @"
    pipeline.yaml:5:52 `B` stands in `services.authentication.test.environment` and in `services.authentication.test.secrets`; take it out of one of them
    pipeline.yaml:5:88 service `authentication` has `coverage: none` and `not_below_base`: what is not judged cannot be compared; write `coverage: 0`, or take one of them out
    pipeline.yaml:6:1 `integration` has 60 variables in `environment` and `secrets`; at most 50 are allowed
    pipeline.yaml:8:3 `a` is twice in `integration.services`; keep one of them
    pipeline.yaml:8:3 `b` listens on port 1, which another of `integration.services` has; they run in one container, so give each a port of its own
    pipeline.yaml:9:10 `checks.reports` are left by `checks.command`, and there is none; add it, or take the reports out
    ");
    insta::assert_snapshot!(reads("integration: {retries: 1}", &["backend/a/x"].into_iter().collect()), @"pipeline.yaml:2:1 there is no `integration_tests/`; name the tests with `integration.command`, or take `integration` out");
}

#[test]
fn many_paths_become_few_that_hold_them() {
    let paths: Vec<String> =
        (0..300).map(|number| format!("libs/group-{}/lib-{number}/a.py", number % 3)).collect();
    let named: Vec<String> = paths.iter().map(|path| path.replace("/a.py", "")).collect();
    let rest = EXAMPLE.iter().map(|path| (*path).to_owned());
    let tree: Tree = rest.chain(paths).collect();
    let file = format!("services: {{authentication: {{depends_on: [{}]}}}}", named.join(", "));
    let told = reads(&file, &tree);
    assert_eq!(
        told.lines().next(),
        Some("authentication: backend/authentication libs/group-0 libs/group-1 libs/group-2 ./* backend/*"),
        "{told}"
    );
}
