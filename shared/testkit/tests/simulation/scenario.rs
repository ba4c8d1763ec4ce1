//! Generated runs: services, components and what becomes of each.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::{RunId, Stage, Subject, TaskId};
use domain::run::RunState;
use domain::spec::{Plan, Rendering, ServiceSpec};
use domain::task::{Outcome, State};
use proptest::prelude::*;
use testkit::builders::{a_commit_of, a_component, a_plan, a_push, a_service, a_sha, name};
use testkit::fakes::{FakeBuild, Fate, Trouble, World};

use crate::fates::end_build;
use crate::functions::Functions;
use crate::scheduler::{Disturbance, Fates, Scheduler};

/// A commit and what becomes of it.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub services: Vec<Service>,
    /// Whether there are checks, and they are red.
    pub checks: Option<bool>,
    /// Whether there are integration tests, and they are red.
    pub integration: Option<bool>,
    pub delivers: bool,
    /// Whether the first services share a build.
    pub shares: bool,
    /// Whether every other service's manifests are rendered by a build, and that is red.
    pub renders: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct Service {
    pub is_component: bool,
    pub fails: Failing,
}

/// What a service fails at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    Nothing,
    Tests,
    Image,
    Apply,
    Rollout,
    Health,
}

/// How everything ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub state: RunState,
    pub tasks: BTreeMap<TaskId, Result<Outcome, &'static str>>,
}

pub fn scenarios() -> impl Strategy<Value = Scenario> {
    let red = || prop::option::of(prop::bool::weighted(0.1));
    let services = prop::collection::vec(services(), 1..=6);
    (services, red(), red(), prop::bool::weighted(0.8), prop::bool::weighted(0.3), red()).prop_map(
        |(services, checks, integration, delivers, shares, renders)| Scenario {
            services,
            checks,
            integration,
            delivers,
            shares,
            renders,
        },
    )
}

fn services() -> impl Strategy<Value = Service> {
    let fails = prop_oneof![
        20 => Just(Failing::Nothing),
        1 => Just(Failing::Tests),
        1 => Just(Failing::Image),
        1 => Just(Failing::Apply),
        1 => Just(Failing::Rollout),
        1 => Just(Failing::Health),
    ];
    (prop::bool::weighted(0.2), fails).prop_map(|(is_component, fails)| Service { is_component, fails })
}

/// Anything that must not change the ending.
pub fn disturbances() -> impl Strategy<Value = Disturbance> {
    let crash = prop_oneof![Just(Trouble::CrashBefore), Just(Trouble::CrashAfter)];
    let fail = prop_oneof![Just(Trouble::FailBefore), Just(Trouble::FailAfter)];
    // Fewer failures than make a task stuck.
    let failures = prop::collection::vec((0_usize..400, fail), 0..=4);
    let crashes = prop::collection::vec((0_usize..400, crash), 0..=6);
    (any::<u64>(), failures, crashes, 0_u32..20, 0_u32..20, 10_u32..300).prop_map(
        |(seed, failures, crashes, losses, duplicates, stall)| Disturbance {
            seed: Some(seed),
            troubles: [failures, crashes].concat(),
            losses,
            duplicates,
            stall,
        },
    )
}

impl Scenario {
    /// So many services that all end well.
    pub fn good(services: usize) -> Self {
        let service = Service { is_component: false, fails: Failing::Nothing };
        Self {
            services: vec![service; services],
            checks: Some(false),
            integration: Some(false),
            delivers: true,
            shares: false,
            renders: None,
        }
    }

    /// What the commit says.
    pub fn plan(&self) -> Plan {
        let mut plan = a_plan(0);
        let names = (1..).map(|number| format!("service-{number}"));
        let spec = |(service, name): (&Service, String)| {
            if service.is_component { a_component(&name) } else { a_service(&name) }
        };
        plan.services = self.services.iter().zip(names).map(spec).collect();
        if self.renders.is_some() {
            plan.services.iter_mut().step_by(2).for_each(render);
        }
        let tested = plan.services.iter().filter(|service| service.test.is_some());
        let group: Vec<_> = tested.take(4).map(|service| service.name.clone()).collect();
        if self.shares && group.len() > 1 {
            plan.shared_builds = vec![group];
        }
        plan.checks = plan.checks.filter(|_| self.checks.is_some());
        plan.integration = plan.integration.filter(|_| self.integration.is_some());
        plan
    }

    pub fn branch(&self) -> &'static str {
        if self.delivers { "develop" } else { "feature" }
    }

    /// Puts the commit and its fates into the world.
    pub fn prepare(&self, world: &World, commit: u64) {
        world.github.push(self.branch(), &a_sha(commit), a_commit_of(commit, &self.plan()));
        for (number, service) in (1..).zip(&self.services) {
            let name = format!("service-{number}");
            let fate = match service.fails {
                Failing::Apply => Fate::Refused { because: "spec.replicas: must be a number".to_owned() },
                Failing::Rollout => Fate::Hopeless { evidence: vec!["CrashLoopBackOff".to_owned()] },
                Failing::Health => Fate::Unhealthy,
                Failing::Nothing | Failing::Tests | Failing::Image => {
                    Fate::Healthy { after: Duration::from_secs(number % 5) }
                }
            };
            world.cluster.decide(&name, fate);
        }
    }

    /// Plays one run of commit 1 to its end.
    pub fn play(&self, disturbance: &Disturbance) -> Result<World, String> {
        let world = World::new();
        self.prepare(&world, 1);
        let functions = Functions::new(&world);
        let push = a_push(self.branch(), None, &a_sha(1));
        let mut scheduler = Scheduler::new(&world, &functions, self, disturbance);
        scheduler.post(&push);
        scheduler.run()?;
        drop(scheduler);
        Ok(world)
    }

    fn is_red(&self, task: &TaskId) -> bool {
        match &task.subject {
            Subject::Rollback(_) => false,
            Subject::Checks => self.checks == Some(true),
            Subject::Integration => self.integration == Some(true),
            Subject::Manifests => self.renders == Some(true),
            Subject::Service(service) => {
                let number: usize =
                    service.as_str()["service-".len()..].parse().expect("a service of the scenario");
                let fails = self.services[number - 1].fails;
                fails == if task.stage == Stage::Test { Failing::Tests } else { Failing::Image }
            }
        }
    }
}

/// Lets a build render the service's manifests.
fn render(service: &mut ServiceSpec) {
    let folder = name(&format!("infrastructure/overlays/{}/{{environment}}", service.name));
    service.rendering = Some(Rendering::Kustomize { folder });
    service.manifests.clear();
}

impl Fates for Scenario {
    fn end(&self, world: &World, build: &FakeBuild) -> Option<FakeBuild> {
        end_build(world, build, |task| self.is_red(task))
    }
}

/// How the run of a commit ended.
pub fn ending(world: &World, commit: u64) -> Ending {
    let run: RunId = name(&format!("vive-sphere.bot-manager.{}", a_sha(commit)));
    let heads = world.store.heads();
    let head = heads.iter().find(|head| head.id == run).expect("plan has made a run");
    let tasks = world.store.tasks_of(&run).into_iter().map(|task| {
        let ending = match (&task.state, task.verdict()) {
            (_, Some(verdict)) => Ok(verdict.outcome),
            (State::Pending, _) => Err("pending"),
            (State::Starting { .. }, _) => Err("starting"),
            (State::Running { .. }, _) => Err("running"),
            _ => Err("stuck"),
        };
        (task.id, ending)
    });
    Ending { state: head.state.clone(), tasks: tasks.collect() }
}
