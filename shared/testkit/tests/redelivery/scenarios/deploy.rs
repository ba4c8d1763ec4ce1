//! deploy.

use std::time::Duration;

use domain::spec::Plan;
use testkit::builders::{a_component, a_sha};
use testkit::fakes::Fate;

use super::{DEPLOY, TIMER, VERIFY, services};
use crate::harness::Scenario;
use crate::play::Play;

const SERVICE: &str = "deploy/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "takes the lock and applies",
        does: &[
            "store.lock",
            "artifacts.put",
            "store.set_current",
            "cluster.apply",
            "store.write_task",
            "queue.send",
        ],
        before: |play| {
            play.push(1, &services(1));
            play.until(DEPLOY, &[SERVICE])
        },
    },
    Scenario {
        name: "two services of a run at the same time",
        does: &["store.lock", "cluster.apply"],
        before: |play| {
            play.push(1, &services(2));
            play.beside = Some(play.until(DEPLOY, &[SERVICE]));
            play.until(DEPLOY, &["deploy/service-2"])
        },
    },
    Scenario {
        name: "applies a component without an image",
        does: &["cluster.apply"],
        before: |play| {
            play.push(
                1,
                &Plan {
                    services: [services(1).services, vec![a_component("redis")]].concat(),
                    ..services(0)
                },
            );
            play.until(DEPLOY, &["deploy/redis"])
        },
    },
    Scenario {
        name: "is refused, which ends the run and frees the lock",
        does: &["cluster.apply", "store.write_both", "store.unlock", "store.write_run"],
        before: |play| {
            let because = "spec.replicas: must be a number".to_owned();
            play.world.cluster.decide("service-1", Fate::Refused { because });
            play.push(1, &services(1));
            play.until(DEPLOY, &[SERVICE])
        },
    },
    Scenario {
        name: "finds the lock taken and arms a timer",
        does: &["store.lock", "store.write_task", "queue.send"],
        before: |play| {
            behind_a_slow_one(play);
            play.until(DEPLOY, &[a_sha(2).as_str()])
        },
    },
    Scenario {
        name: "asks for the lock again on its timer",
        does: &["store.lock"],
        before: |play| {
            behind_a_slow_one(play);
            play.until(DEPLOY, &[a_sha(2).as_str(), TIMER])
        },
    },
    Scenario {
        name: "is overtaken, which ends the run",
        does: &["store.lock", "store.write_both", "store.write_run"],
        before: |play| {
            play.push(1, &services(1));
            let older = play.until(DEPLOY, &[a_sha(1).as_str()]);
            play.push(2, &services(1));
            let newer = play.until(VERIFY, &[a_sha(2).as_str()]);
            play.invoke(&newer);
            older
        },
    },
    Scenario {
        name: "fails for the fifth time and is stuck",
        does: &["store.write_task", "queue.send"],
        before: |play| {
            play.world.wire.down("cluster.apply");
            play.push(1, &services(1));
            play.fail(DEPLOY, &[SERVICE], 4)
        },
    },
];

/// Commit 1 rolls out slowly while commit 2 comes.
fn behind_a_slow_one(play: &mut Play) {
    play.world.cluster.decide("service-1", Fate::Slow);
    play.push(1, &services(1));
    let verify = play.until(VERIFY, &[a_sha(1).as_str()]);
    play.invoke(&verify);
    play.push(2, &services(1));
    let healthy = Fate::Healthy { after: Duration::ZERO };
    play.later(Duration::from_secs(40), |world| world.cluster.decide("service-1", healthy));
}
