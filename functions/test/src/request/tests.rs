//! What a test build is asked for, told as a person would read it.

use std::collections::BTreeMap;

use domain::ids::TaskId;
use domain::ports::{BuildRequest, Fault};
use domain::spec::{
    BuildSettings, ChecksSpec, Compute, IntegrationSpec, ServiceSpec, StartedService, TestSpec,
};
use domain::task::{Task, TaskSpec};
use testkit::builders::{a_component, a_run, a_service, name};
use testkit::fakes::{MemoryArtifacts, Wire};

use super::of;

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn settings() -> BuildSettings {
    BuildSettings {
        environment: pairs(&[("GREETING", "hello"), ("SLIPWAY_KIND", "checks"), ("not a name", "1")]),
        secrets: pairs(&[
            ("DATABASE", "database:password"),
            ("TOKEN", "token"),
            ("AWS_ACCESS_KEY_ID", "key"),
        ]),
        image: Some("python:3.13".to_owned()),
        compute: Some(Compute::Medium),
        timeout: Some(15),
        retries: 2,
    }
}

fn service() -> ServiceSpec {
    let test = TestSpec {
        command: "pytest backend/authentication".to_owned(),
        requirements: vec![name("backend/requirements.txt"), name("requirements.txt")],
        reports: vec![name("out/junit.xml"), name("out/coverage.xml")],
        build: settings(),
        ..TestSpec::default()
    };
    ServiceSpec { test: Some(test), ..a_service("authentication") }
}

fn requested(run: &str, task: &str, spec: TaskSpec) -> Result<BuildRequest, Fault> {
    let sha = a_run().id.sha;
    let run = format!("vive-sphere.bot-manager.{sha}{run}");
    let task = Task::new(name(&run), name::<TaskId>(task), spec);
    of(&task, &MemoryArtifacts::new(&Wire::default()), "slipway/test/")
}

/// What differs between builds, a line each.
fn shown(run: &str, task: &str, spec: TaskSpec) -> String {
    let BuildRequest { source, variables, options, result, .. } =
        requested(run, task, spec).expect("there is something to test");
    let lines = |pairs: &BTreeMap<String, String>, sign: &str| {
        pairs.iter().map(|(name, value)| format!("{name}{sign}{value}\n")).collect::<Vec<_>>().concat()
    };
    let (plain, secrets) = (lines(&variables, "="), lines(&options.secrets, " from "));
    let (image, compute, timeout, cache) = (options.image, options.compute, options.timeout, options.cache);
    let short = |text: &str| text.replace(a_run().id.sha.as_str(), "SHA");
    short(&format!(
        "{plain}{secrets}{image:?} {compute:?} {timeout:?}\ncache {cache:?}\nsource {source}\nresult {result}"
    ))
}

#[test]
fn a_service_is_built_with_all_that_its_settings_say() {
    insta::assert_snapshot!(shown("", "test/authentication", TaskSpec::Service(service())), @r#"
    GREETING=hello
    SLIPWAY_CACHE_FILES=*/backend/requirements.txt */requirements.txt
    SLIPWAY_COMMAND=pytest backend/authentication
    SLIPWAY_KIND=service
    SLIPWAY_REPORTS=out/junit.xml out/coverage.xml
    SLIPWAY_REQUIREMENTS=backend/requirements.txt requirements.txt
    SLIPWAY_RETRIES=2
    SLIPWAY_SECRETS=DATABASE TOKEN
    DATABASE from slipway/test/database:password
    TOKEN from slipway/test/token
    Some("python:3.13") Some(Medium) Some(15)
    cache Some("bucket/cache/vive-sphere/bot-manager")
    source bucket/sources/vive-sphere/bot-manager/SHA.zip
    result results/vive-sphere.bot-manager.SHA/test/authentication/1
    "#);
}

#[test]
fn a_strangers_build_gets_no_secret_and_no_cache() {
    insta::assert_snapshot!(shown(".untrusted", "test/authentication", TaskSpec::Service(service())), @r#"
    GREETING=hello
    SLIPWAY_COMMAND=pytest backend/authentication
    SLIPWAY_KIND=service
    SLIPWAY_REPORTS=out/junit.xml out/coverage.xml
    SLIPWAY_REQUIREMENTS=backend/requirements.txt requirements.txt
    SLIPWAY_RETRIES=2
    SLIPWAY_WITHHELD=DATABASE TOKEN
    Some("python:3.13") Some(Medium) Some(15)
    cache None
    source bucket/untrusted/sources/vive-sphere/bot-manager/SHA.zip
    result untrusted/results/vive-sphere.bot-manager.SHA.untrusted/test/authentication/1
    "#);
}

#[test]
fn the_services_of_the_integration_tests_are_numbered() {
    let started = |service: &str, port| StartedService {
        name: name(service),
        start: format!("python -m {service}"),
        port,
        ready: "/health".to_owned(),
    };
    let integration = IntegrationSpec {
        command: "pytest integration_tests".to_owned(),
        services: vec![started("authentication", 8000), started("fleet", 8001)],
        ..IntegrationSpec::default()
    };
    insta::assert_snapshot!(shown("", "test/+integration", TaskSpec::Integration(integration)), @r#"
    SLIPWAY_COMMAND=pytest integration_tests
    SLIPWAY_KIND=integration
    SLIPWAY_SERVICES=2
    SLIPWAY_SERVICE_1_NAME=authentication
    SLIPWAY_SERVICE_1_READY=http://127.0.0.1:8000/health
    SLIPWAY_SERVICE_1_START=python -m authentication
    SLIPWAY_SERVICE_2_NAME=fleet
    SLIPWAY_SERVICE_2_READY=http://127.0.0.1:8001/health
    SLIPWAY_SERVICE_2_START=python -m fleet
    None None None
    cache None
    source bucket/sources/vive-sphere/bot-manager/SHA.zip
    result results/vive-sphere.bot-manager.SHA/test/+integration/1
    "#);
}

#[test]
fn checks_have_paths_and_perhaps_a_command() {
    let checks = ChecksSpec {
        flake8: vec![name("backend/"), name("tools/")],
        requirements: vec![name("requirements.txt")],
        ..ChecksSpec::default()
    };
    insta::assert_snapshot!(shown("", "test/+checks", TaskSpec::Checks(checks.clone())), @r#"
    SLIPWAY_FLAKE8_PATHS=backend/ tools/
    SLIPWAY_KIND=checks
    None None None
    cache None
    source bucket/sources/vive-sphere/bot-manager/SHA.zip
    result results/vive-sphere.bot-manager.SHA/test/+checks/1
    "#);
    let checks =
        ChecksSpec { command: Some("make scan".to_owned()), reports: vec![name("scan.sarif")], ..checks };
    insta::assert_snapshot!(shown("", "test/+checks", TaskSpec::Checks(checks)), @r#"
    SLIPWAY_CACHE_FILES=*/requirements.txt
    SLIPWAY_COMMAND=make scan
    SLIPWAY_FLAKE8_PATHS=backend/ tools/
    SLIPWAY_KIND=checks
    SLIPWAY_REPORTS=scan.sarif
    SLIPWAY_REQUIREMENTS=requirements.txt
    None None None
    cache Some("bucket/cache/vive-sphere/bot-manager")
    source bucket/sources/vive-sphere/bot-manager/SHA.zip
    result results/vive-sphere.bot-manager.SHA/test/+checks/1
    "#);
}

#[test]
fn a_component_has_nothing_to_test() {
    let refused = requested("", "test/mongodb", TaskSpec::Service(a_component("mongodb")));
    assert_eq!(refused.expect_err("nothing to test").to_string(), "`mongodb` has nothing to test");
}
