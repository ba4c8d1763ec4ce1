//! build, where it renders manifests.

use std::time::Duration;

use domain::spec::{Plan, Rendering, ServiceSpec};
use testkit::builders::{a_sha, name};
use testkit::fakes::Trouble;

use super::people::again;
use super::{BUILD, EVENT, services};
use crate::harness::Scenario;

const MANIFESTS: &str = "build/+manifests";

/// So many services, of which the first one's manifests are rendered.
pub fn rendered(count: usize) -> Plan {
    let mut plan = services(count);
    let folder = name("infrastructure/kubernetes/overlays/{environment}");
    let rendering = Some(Rendering::Kustomize { folder });
    plan.services[0] = ServiceSpec { manifests: Vec::new(), rendering, ..plan.services[0].clone() };
    plan
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "starts the build that renders",
        does: &["artifacts.get", "builds.start", "store.write_task"],
        before: |play| {
            play.push(1, &rendered(1));
            play.until(BUILD, &[MANIFESTS])
        },
    },
    Scenario {
        name: "stores what is rendered and opens the rollout",
        does: &["builds.status", "artifacts.get", "artifacts.put", "store.write_both"],
        before: |play| {
            play.push(1, &rendered(1));
            play.until(BUILD, &[MANIFESTS, EVENT])
        },
    },
    Scenario {
        name: "reads a red rendering, which ends the run",
        does: &["builds.status", "artifacts.get", "store.write_both"],
        before: |play| {
            play.red(MANIFESTS);
            play.push(1, &rendered(1));
            play.until(BUILD, &[MANIFESTS, EVENT])
        },
    },
    Scenario {
        name: "takes what was rendered before",
        does: &["artifacts.get", "store.write_task"],
        before: |play| {
            play.push(1, &rendered(1));
            play.rest().expect("it comes to rest");
            play.push(2, &rendered(1));
            play.until(BUILD, &[MANIFESTS, a_sha(2).as_str()])
        },
    },
    Scenario {
        name: "adopts the rendering of one who died",
        does: &["builds.find", "store.write_task"],
        before: |play| {
            play.builds_take(Duration::from_mins(10));
            play.push(1, &rendered(1));
            let start = play.until(BUILD, &[MANIFESTS]);
            play.world.wire.trouble_next("builds.start", Trouble::CrashAfter);
            play.invoke(&start);
            play.until(BUILD, &[MANIFESTS])
        },
    },
    Scenario {
        name: "renders again what was red, which continues the run",
        does: &["store.reopen", "builds.start"],
        before: |play| {
            play.red(MANIFESTS);
            play.push(1, &rendered(1));
            play.rest().expect("it comes to rest");
            play.mend();
            again(play, MANIFESTS)
        },
    },
];
