//! Requests, runs, services and plans.

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::ids::{Digest, Sha};
use domain::message::{Base, PlanRequest};
use domain::policy::Policy;
use domain::ports::Pull;
use domain::run::{Delivery, Run};
use domain::spec::{
    ChecksSpec, HealthSpec, ImageSpec, IntegrationSpec, Notifications, Plan, Reads, RolloutSpec, ServiceSpec,
    TestSpec,
};
use domain::task::{Task, TaskSpec};
use domain::time::Timestamp;

/// An operator's file that serves `vive-sphere/bot-manager` and delivers `develop` to `development`.
pub const OPERATOR_FILE: &str = "version: 1
repositories:
  - {name: vive-sphere/bot-manager, installation: 1, environments: [development]}
environments:
  development: {branches: [develop], cluster: {kubeconfig: true}, namespace: development}
";

/// A value of one of the domain's names, which the test spells right.
pub fn name<T>(text: &str) -> T
where
    T: FromStr,
    T::Err: std::fmt::Debug,
{
    text.parse().expect("tests spell names right")
}

/// A commit of its own for each number.
pub fn a_sha(number: u64) -> Sha {
    name(&format!("{:07x}{:033x}", 0x0a0_0000 + number, number))
}

/// A digest of its own for each number.
pub fn a_digest(number: u64) -> Digest {
    name(&format!("sha256:{number:064x}"))
}

/// A push of commit `number` to `develop`.
pub fn a_request(number: u64) -> PlanRequest {
    PlanRequest {
        delivery: name(&format!("delivery-{number}")),
        repository: name("vive-sphere/bot-manager"),
        installation: 1,
        sha: a_sha(number),
        before: None,
        branch: "develop".to_owned(),
        fork: None,
        pull_request: None,
        sender: "ada".to_owned(),
        title: format!("Change number {number}"),
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    }
}

/// The pull request 7 of a fork, with commit 2 on top of commit 1 of `develop`.
pub fn a_strangers_pull() -> Pull {
    Pull {
        number: 7,
        head: a_sha(2),
        branch: "proposal".to_owned(),
        head_repository: Some(name("mallory/bot-manager")),
        base: (name("develop"), a_sha(1)),
        open: true,
        draft: false,
        author: "mallory".to_owned(),
        title: "A proposal".to_owned(),
    }
}

/// What plan is asked when that pull request is opened.
pub fn a_strangers_request() -> PlanRequest {
    PlanRequest {
        branch: "proposal".to_owned(),
        fork: Some(name("mallory/bot-manager")),
        pull_request: Some(7),
        base: Some(Base { branch: name("develop"), sha: a_sha(1) }),
        ..a_request(2)
    }
}

/// The head that plan begins with for commit 1.
pub fn a_run() -> Run {
    Run::new(&a_request(1), Timestamp(1_795_435_200_000))
}

/// The run's delivery to `development` under a number.
pub fn delivered_to(run: &Run, fence: u64) -> Run {
    let delivery = Delivery {
        environment: name("development"),
        cluster: domain::ids::ClusterAccess::default(),
        namespace: "development".to_owned(),
        fence,
        policy: Policy::default(),
    };
    Run { delivery: Some(delivery), ..run.clone() }
}

/// A service by convention.
pub fn a_service(service: &str) -> ServiceSpec {
    let path = format!("backend/{service}");
    ServiceSpec {
        name: name(service),
        test: Some(TestSpec {
            command: format!("pytest {path}/tests/ -v --cov={path}"),
            coverage: Some(80),
            ..TestSpec::default()
        }),
        image: Some(ImageSpec {
            repository: format!("vive-sphere/{service}"),
            dockerfile: name(&format!("{path}/Dockerfile")),
            arguments: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }),
        health: Some(HealthSpec {
            path: format!("/api/v1/{service}/health"),
            service: service.replace('_', "-"),
            port: 8000,
        }),
        path: name(&path),
        ..a_component(service)
    }
}

/// A component by convention: a manifest without an image.
pub fn a_component(component: &str) -> ServiceSpec {
    ServiceSpec {
        name: name(component),
        path: name("infrastructure/kubernetes"),
        test: None,
        image: None,
        manifests: vec![name(&format!("infrastructure/kubernetes/{component}-deployment.yaml"))],
        rendering: None,
        values: BTreeMap::new(),
        rollout: RolloutSpec::default(),
        health: None,
        reads: Reads::default(),
    }
}

/// A plan of so many services, with checks and integration tests, Slack and mail.
pub fn a_plan(services: usize) -> Plan {
    Plan {
        services: (1..=services).map(|number| a_service(&format!("service-{number}"))).collect(),
        checks: Some(ChecksSpec {
            flake8: vec![name("backend/")],
            bandit: vec![name("backend/")],
            ..ChecksSpec::default()
        }),
        integration: Some(IntegrationSpec {
            command: "pytest integration_tests/ -v".to_owned(),
            ..IntegrationSpec::default()
        }),
        notifications: Notifications {
            slack: Some("#deploys".to_owned()),
            email: vec!["team@vivesphere.example".to_owned()],
        },
        ..Plan::default()
    }
}

/// A task of the run for a service, such as `test/authentication`.
pub fn a_task(run: &Run, id: &str, service: &ServiceSpec) -> Task {
    Task::new(run.id.clone(), name(id), TaskSpec::Service(service.clone()))
}
