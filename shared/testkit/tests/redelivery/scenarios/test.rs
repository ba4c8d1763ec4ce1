//! test.

use std::time::Duration;

use domain::spec::Plan;
use testkit::builders::{a_plan, name};
use testkit::fakes::Trouble;

use super::people::{again, delivered, redriven};
use super::{EVENT, TEST, TIMER, services};
use crate::harness::Scenario;
use crate::play::Play;

const SERVICE: &str = "test/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "starts a build",
        does: &["store.write_task", "builds.start", "queue.send"],
        before: |play| {
            play.push(1, &a_plan(1));
            play.until(TEST, &[SERVICE])
        },
    },
    Scenario {
        name: "reads a green build, the last of its phase",
        does: &[
            "builds.status",
            "artifacts.get",
            "store.write_both",
            "store.tasks",
            "queue.send",
            "store.write_run",
        ],
        before: |play| {
            play.push(1, &services(1));
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "reads a green build, others go on",
        does: &["builds.status", "store.write_both", "queue.send"],
        before: |play| {
            play.push(1, &a_plan(1));
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "reads a red build",
        does: &["builds.status", "store.write_both"],
        before: |play| {
            play.red(SERVICE);
            play.push(1, &services(1));
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "starts a build that two share",
        does: &["store.write_task", "builds.start", "queue.send"],
        before: |play| {
            play.push(1, &sharing());
            play.until(TEST, &[SERVICE])
        },
    },
    Scenario {
        name: "finds the build that another has started for both",
        does: &["store.write_task"],
        before: |play| {
            play.push(1, &sharing());
            let first = play.until(TEST, &[SERVICE]);
            play.invoke(&first);
            play.until(TEST, &["test/service-2"])
        },
    },
    Scenario {
        name: "died after its start, and finds the build with the one that shares it",
        does: &["store.write_task"],
        before: |play| {
            play.builds_take(Duration::from_mins(10));
            play.push(1, &sharing());
            let start = play.until(TEST, &[SERVICE]);
            play.world.wire.trouble_next("builds.start", Trouble::CrashAfter);
            play.invoke(&start);
            play.until(TEST, &[SERVICE])
        },
    },
    Scenario {
        name: "reads a build that two share, green and red",
        does: &["builds.status", "artifacts.get", "store.write_both", "queue.send"],
        before: |play| {
            play.red("test/service-2");
            play.push(1, &sharing());
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "two tests end a phase at the same time",
        does: &["store.write_both"],
        before: |play| {
            play.push(1, &services(2));
            play.beside = Some(play.until(TEST, &[SERVICE, EVENT]));
            play.until(TEST, &["test/service-2", EVENT])
        },
    },
    Scenario {
        name: "finds CodeBuild busy and arms a timer",
        does: &["builds.start", "store.write_task", "queue.send"],
        before: |play| {
            busy(play);
            play.until(TEST, &[SERVICE])
        },
    },
    Scenario {
        name: "starts a build on its timer",
        does: &["builds.start"],
        before: |play| {
            busy(play);
            play.later(Duration::from_secs(20), |world| world.tests.limit(usize::MAX));
            play.until(TEST, &[SERVICE, TIMER])
        },
    },
    Scenario {
        name: "adopts the build of one who died",
        does: &["builds.find", "store.write_task"],
        before: |play| {
            play.builds_take(Duration::from_mins(10));
            play.push(1, &services(1));
            let start = play.until(TEST, &[SERVICE]);
            play.world.wire.trouble_next("builds.start", Trouble::CrashAfter);
            play.invoke(&start);
            play.until(TEST, &[SERVICE])
        },
    },
    Scenario {
        name: "fails for the fifth time and is stuck",
        does: &["store.write_task", "queue.send"],
        before: |play| {
            play.world.wire.down("builds.start");
            play.push(1, &services(1));
            play.fail(TEST, &[SERVICE], 4)
        },
    },
    Scenario {
        name: "runs a red test again, which continues the run",
        does: &["store.reopen", "builds.start"],
        before: |play| {
            play.red(SERVICE);
            delivered(play);
            play.mend();
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "reads the green build of a second attempt, the last of its phase",
        does: &["builds.status", "store.write_both", "queue.send", "store.write_run"],
        before: |play| {
            play.red(SERVICE);
            delivered(play);
            play.mend();
            let asked = again(play, SERVICE);
            play.invoke(&asked);
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "runs a test alone that had passed",
        does: &["store.reopen", "builds.start"],
        before: |play| {
            delivered(play);
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "reads the build of a test that runs alone",
        does: &["builds.status", "store.write_run"],
        before: |play| {
            delivered(play);
            let asked = again(play, SERVICE);
            play.invoke(&asked);
            play.until(TEST, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "refuses to run what is not there",
        does: &["store.record", "queue.set_aside"],
        before: |play| {
            delivered(play);
            again(play, "test/service-9")
        },
    },
    Scenario {
        name: "is asked twice with the same request",
        does: &["store.entry", "store.reopen"],
        before: |play| {
            delivered(play);
            play.beside = Some(again(play, SERVICE));
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "is asked again with a request that is known",
        does: &["store.entry"],
        before: |play| {
            delivered(play);
            let first = again(play, SERVICE);
            play.invoke(&first);
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "was stuck, and goes on when its letter is redriven",
        does: &["store.write_both", "builds.start"],
        before: |play| redriven(play, "builds.start"),
    },
];

/// Two services whose tests share a build.
fn sharing() -> Plan {
    Plan { shared_builds: vec![vec![name("service-1"), name("service-2")]], ..services(2) }
}

/// Only one build at a time, for a while.
fn busy(play: &mut Play) {
    play.world.tests.limit(0);
    play.later(Duration::from_secs(40), |world| world.tests.limit(usize::MAX));
    play.push(1, &services(1));
}
