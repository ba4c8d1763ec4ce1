//! verify.

use std::time::Duration;

use testkit::fakes::Fate;

use super::people::{a_release_that_will_not_heal, again, delivered, redriven};
use super::{TIMER, VERIFY, services};
use crate::harness::Scenario;
use crate::play::{Call, Play};

const SERVICE: &str = "verify/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "sees it healthy, which ends the run and frees the lock",
        does: &["cluster.rollout", "cluster.probe", "store.set_verified", "store.write_both", "store.unlock"],
        before: |play| {
            play.push(1, &services(1));
            play.until(VERIFY, &[SERVICE])
        },
    },
    Scenario {
        name: "two services end the run at the same time",
        does: &["store.write_both"],
        before: |play| {
            play.push(1, &services(2));
            play.beside = Some(play.until(VERIFY, &[SERVICE]));
            play.until(VERIFY, &["verify/service-2"])
        },
    },
    Scenario {
        name: "sees it roll out and arms a timer",
        does: &["cluster.rollout", "store.write_task", "queue.send"],
        before: |play| {
            play.world.cluster.decide("service-1", Fate::Healthy { after: Duration::from_secs(3) });
            play.push(1, &services(1));
            play.until(VERIFY, &[SERVICE])
        },
    },
    Scenario {
        name: "sees it roll out still on its timer",
        does: &["cluster.rollout", "store.write_task", "queue.send"],
        before: |play| {
            play.world.cluster.decide("service-1", Fate::Healthy { after: Duration::from_secs(4) });
            play.push(1, &services(1));
            play.until(VERIFY, &[SERVICE, TIMER])
        },
    },
    Scenario {
        name: "sees that it will not heal",
        does: &["cluster.rollout", "store.write_both"],
        before: |play| {
            let evidence = vec!["container `app` is in CrashLoopBackOff".to_owned()];
            play.world.cluster.decide("service-1", Fate::Hopeless { evidence });
            play.push(1, &services(1));
            play.until(VERIFY, &[SERVICE])
        },
    },
    Scenario {
        name: "bears bad health for a while",
        does: &["cluster.probe", "store.write_task", "queue.send"],
        before: |play| {
            play.world.cluster.decide("service-1", Fate::Unhealthy);
            play.later(Duration::from_secs(30), |world| {
                world.cluster.decide("service-1", Fate::Healthy { after: Duration::ZERO });
            });
            play.push(1, &services(1));
            play.until(VERIFY, &[SERVICE])
        },
    },
    Scenario {
        name: "fails for the fifth time and is stuck",
        does: &["store.write_task", "queue.send"],
        before: |play| {
            play.world.wire.down("cluster.rollout");
            play.push(1, &services(1));
            play.fail(VERIFY, &[SERVICE], 4)
        },
    },
    Scenario {
        name: "looks again at what had not healed, which continues the run",
        does: &["store.reopen", "cluster.rollout", "store.write_both", "store.unlock"],
        before: |play| {
            let evidence = vec!["container `app` is in CrashLoopBackOff".to_owned()];
            play.world.cluster.decide("service-1", Fate::Hopeless { evidence });
            delivered(play);
            play.world.cluster.decide("service-1", Fate::Healthy { after: Duration::ZERO });
            again(play, "verify/service-1@development")
        },
    },
    Scenario {
        name: "sees that it will not heal and goes back to the verified release",
        does: &["cluster.rollout", "store.write_task", "store.create_tasks", "queue.send"],
        before: a_release_that_will_not_heal,
    },
    Scenario {
        name: "sees the verified release healthy again, which ends the run",
        does: &["cluster.rollout", "store.write_both", "store.unlock", "store.write_run"],
        before: way_back,
    },
    Scenario {
        name: "sees the way back fail, which ends the run",
        does: &["cluster.rollout", "store.write_both", "store.unlock", "store.write_run"],
        before: |play| {
            let call = way_back(play);
            let evidence = vec!["container `app` is in CrashLoopBackOff".to_owned()];
            play.world.cluster.decide("service-1", Fate::Hopeless { evidence });
            call
        },
    },
    Scenario {
        name: "was stuck, and goes on when its letter is redriven",
        does: &["store.write_both", "cluster.rollout"],
        before: |play| redriven(play, "cluster.rollout"),
    },
];

/// The verified release is applied again, and verify has it in hands.
fn way_back(play: &mut Play) -> Call {
    let verify = a_release_that_will_not_heal(play);
    play.invoke(&verify);
    play.until(VERIFY, &["+rollback"])
}
