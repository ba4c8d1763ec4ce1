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

use super::{of, of_sharing};

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
    lines_of(requested(run, task, spec).expect("there is something to test"))
}

fn lines_of(request: BuildRequest) -> String {
    let BuildRequest { source, variables, options, result, .. } = request;
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

#[test]
fn services_that_share_a_build_are_numbered_and_each_asks_for_the_same() {
    let names = ["authentication", "fleet"].map(name);
    let fleet = TestSpec {
        command: "pytest backend/fleet".to_owned(),
        requirements: vec![name("backend/fleet/requirements.txt"), name("requirements.txt")],
        build: settings(),
        ..TestSpec::default()
    };
    let fleet = ServiceSpec { test: Some(fleet), ..a_service("fleet") };
    let tasks = [("test/authentication", service()), ("test/fleet", fleet)].map(|(id, spec)| {
        let task = Task::new(a_run().id, name::<TaskId>(id), TaskSpec::Service(spec));
        Task { shares: names.to_vec(), ..task }
    });
    let artifacts = MemoryArtifacts::new(&Wire::default());
    let request = |tasks: &[Task]| of_sharing(tasks, &artifacts, "slipway/test/").expect("both have tests");
    let shared = request(&tasks);
    // Whatever becomes of one of them, the request of the others stays the same.
    let [first, second] = tasks;
    assert_eq!(request(&[Task { attempt: 2, version: 7, ..first }, second]), shared);
    insta::assert_snapshot!(shared.task().replace(a_run().id.sha.as_str(), "SHA"), @"vive-sphere.bot-manager.SHA/test/authentication/1 vive-sphere.bot-manager.SHA/test/fleet/1");
    insta::assert_snapshot!(lines_of(shared), @r#"
    GREETING=hello
    SLIPWAY_CACHE_FILES=*/backend/fleet/requirements.txt */backend/requirements.txt */requirements.txt
    SLIPWAY_KIND=service
    SLIPWAY_MEMBERS=authentication fleet
    SLIPWAY_MEMBER_1_COMMAND=pytest backend/authentication
    SLIPWAY_MEMBER_1_REPORTS=out/junit.xml out/coverage.xml
    SLIPWAY_MEMBER_1_REQUIREMENTS=backend/requirements.txt requirements.txt
    SLIPWAY_MEMBER_2_COMMAND=pytest backend/fleet
    SLIPWAY_MEMBER_2_REQUIREMENTS=backend/fleet/requirements.txt requirements.txt
    SLIPWAY_RETRIES=2
    SLIPWAY_SECRETS=DATABASE TOKEN
    DATABASE from slipway/test/database:password
    TOKEN from slipway/test/token
    Some("python:3.13") Some(Medium) Some(15)
    cache Some("bucket/cache/vive-sphere/bot-manager")
    source bucket/sources/vive-sphere/bot-manager/SHA.zip
    result results/vive-sphere.bot-manager.SHA/test/authentication.fleet
    "#);
}

#[test]
fn one_without_tests_shares_no_build() {
    let task =
        Task::new(a_run().id, name::<TaskId>("test/mongodb"), TaskSpec::Service(a_component("mongodb")));
    let artifacts = MemoryArtifacts::new(&Wire::default());
    for tasks in [vec![task], Vec::new()] {
        assert!(of_sharing(&tasks, &artifacts, "slipway/test/").is_err(), "{tasks:?}");
    }
}
