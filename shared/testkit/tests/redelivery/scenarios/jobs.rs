//! deploy and verify where a rollout has Jobs.

use std::time::Duration;

use domain::spec::{Plan, RolloutSpec};
use testkit::builders::{a_sha, name};
use testkit::fakes::Fate;

use super::{DEPLOY, TIMER, VERIFY, services};
use crate::harness::Scenario;
use crate::play::Play;

pub const OF_DEPLOY: &[Scenario] = &[
    Scenario {
        name: "begins to wait for the Job before the pods",
        does: &["store.set_current", "cluster.apply", "cluster.rollout", "store.write_task", "queue.send"],
        before: |play| {
            begun(play);
            play.until(DEPLOY, &["deploy/service-1"])
        },
    },
    Scenario {
        name: "looks at the Job again on its timer, and goes on where it was",
        does: &["artifacts.get", "cluster.rollout", "cluster.apply"],
        before: |play| {
            begun(play);
            let first = play.until(DEPLOY, &["deploy/service-1"]);
            play.invoke(&first);
            // That it waits is written first; only then a second passes between two looks.
            let second = play.until(DEPLOY, &["deploy/service-1", TIMER]);
            play.invoke(&second);
            play.until(DEPLOY, &["deploy/service-1", TIMER])
        },
    },
    Scenario {
        name: "sees a Job fail before the pods",
        does: &["cluster.apply", "cluster.rollout", "store.write_both"],
        before: |play| {
            let evidence = vec!["1 pod failed".to_owned()];
            play.world.cluster.decide(&called("migrate"), Fate::Hopeless { evidence });
            play.push(1, &with_jobs());
            play.until(DEPLOY, &["deploy/service-1"])
        },
    },
];

pub const OF_VERIFY: &[Scenario] = &[
    Scenario {
        name: "runs the Job after the pods",
        does: &["cluster.apply", "cluster.rollout", "store.set_verified", "store.write_both"],
        before: |play| {
            play.push(1, &with_jobs());
            play.until(VERIFY, &["verify/service-1"])
        },
    },
    Scenario {
        name: "waits for the Job after the pods",
        does: &["cluster.apply", "cluster.rollout", "store.write_task", "queue.send"],
        before: |play| {
            play.world.cluster.decide(&called("warm"), Fate::Healthy { after: Duration::from_secs(3) });
            play.push(1, &with_jobs());
            play.until(VERIFY, &["verify/service-1"])
        },
    },
];

/// The Job before the pods takes a moment.
fn begun(play: &mut Play) {
    play.world.cluster.decide(&called("migrate"), Fate::Healthy { after: Duration::from_millis(900) });
    play.push(1, &with_jobs());
}

/// What the Job of the first commit's first attempt is called.
fn called(job: &str) -> String {
    format!("{job}-{}-1", a_sha(1).short())
}

fn with_jobs() -> Plan {
    let mut plan = services(1);
    plan.services[0].rollout = RolloutSpec {
        pre_deploy: vec![name("infrastructure/kubernetes/migrate.yaml")],
        post_deploy: vec![name("infrastructure/kubernetes/warm.yaml")],
        ..RolloutSpec::default()
    };
    plan
}
