//! deploy.

use std::time::Duration;

use domain::spec::Plan;
use testkit::builders::{a_component, a_sha, name};
use testkit::fakes::Fate;

use super::build_manifests::rendered;
use super::people::{a_bad_release, a_release_that_will_not_heal, again, delivered, redriven, rehearsed};
use super::plan::offered;
use super::{DEPLOY, TIMER, VERIFY, services};
use crate::harness::Scenario;
use crate::play::Play;

const SERVICE: &str = "deploy/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "applies what a build has rendered",
        does: &["store.case", "artifacts.get", "artifacts.put", "cluster.apply"],
        before: |play| {
            play.push(1, &rendered(1));
            play.until(DEPLOY, &["deploy/service-1"])
        },
    },
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
    Scenario {
        name: "deploys again what had passed, with its verify",
        does: &["store.reopen", "store.lock", "cluster.apply", "queue.send"],
        before: |play| {
            delivered(play);
            again(play, "deploy/service-1@development")
        },
    },
    Scenario {
        name: "deploys again what was refused, which continues the run",
        does: &["store.reopen", "store.lock", "cluster.apply", "queue.send"],
        before: |play| {
            let because = "spec.replicas: must be a number".to_owned();
            play.world.cluster.decide("service-1", Fate::Refused { because });
            delivered(play);
            play.world.cluster.decide("service-1", Fate::Healthy { after: Duration::ZERO });
            again(play, "deploy/service-1@development")
        },
    },
    Scenario {
        name: "is refused and goes back to the verified release",
        does: &["cluster.apply", "store.write_task", "store.create_tasks", "queue.send"],
        before: |play| {
            a_bad_release(play, Fate::Refused { because: "spec.replicas: must be a number".to_owned() })
        },
    },
    Scenario {
        name: "applies the verified release again",
        does: &["artifacts.get", "store.set_current", "store.lock", "cluster.apply", "queue.send"],
        before: |play| {
            let verify = a_release_that_will_not_heal(play);
            play.invoke(&verify);
            play.until(DEPLOY, &["+rollback"])
        },
    },
    Scenario {
        name: "prunes what the manifests no longer name",
        does: &["store.set_current", "cluster.apply", "cluster.prune", "store.write_task", "queue.send"],
        before: |play| {
            play.push(1, &with_more());
            play.rest().expect("it comes to rest");
            play.push(2, &services(1));
            play.until(DEPLOY, &[SERVICE])
        },
    },
    Scenario {
        name: "prunes what only the bad release had",
        does: &["store.set_current", "cluster.apply", "cluster.prune", "store.write_task", "queue.send"],
        before: |play| {
            delivered(play);
            play.push(2, &with_more());
            let hopeless = Fate::Hopeless { evidence: vec!["it crashes".to_owned()] };
            play.world.cluster.decide("service-1", hopeless);
            let verify = play.until(VERIFY, &[a_sha(2).as_str()]);
            play.invoke(&verify);
            play.until(DEPLOY, &["+rollback"])
        },
    },
    Scenario {
        name: "says what merging a pull request would change",
        does: &["cluster.rehearse", "store.write_run", "queue.send"],
        before: |play| {
            offered(play, &with_more());
            play.until(DEPLOY, &["preview"])
        },
    },
    Scenario {
        name: "is asked what it would change",
        does: &["cluster.rehearse", "store.record"],
        before: |play| {
            delivered(play);
            rehearsed(play, "deploy/service-1@development")
        },
    },
    Scenario {
        name: "was stuck, and goes on when its letter is redriven",
        does: &["store.write_both", "cluster.apply"],
        before: |play| redriven(play, "cluster.apply"),
    },
];

/// One service with one manifest more.
fn with_more() -> Plan {
    let mut plan = services(1);
    plan.services[0].manifests.push(name("infrastructure/kubernetes/more.yaml"));
    plan
}

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
