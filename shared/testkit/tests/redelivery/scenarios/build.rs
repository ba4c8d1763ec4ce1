//! build.

use std::time::Duration;

use testkit::builders::{a_commit_of, a_digest, a_push, a_sha};
use testkit::fakes::Trouble;

use super::people::{again, again_with_all, delivered, redriven};
use super::{BUILD, EVENT, services};
use crate::harness::Scenario;
use crate::play::Call;

const SERVICE: &str = "build/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "starts a build",
        does: &["images.ensure_repository", "images.digest", "builds.start"],
        before: |play| {
            play.push(1, &services(1));
            play.until(BUILD, &[SERVICE])
        },
    },
    Scenario {
        name: "finds the image of a green build and wakes publish",
        does: &["builds.status", "images.digest", "store.write_task", "queue.send"],
        before: |play| {
            play.push(1, &services(2));
            play.until(BUILD, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "reads a red build, which ends the run",
        does: &["builds.status", "store.write_both", "store.unlock", "store.write_run"],
        before: |play| {
            play.red(SERVICE);
            play.push(1, &services(1));
            play.until(BUILD, &[SERVICE, EVENT])
        },
    },
    Scenario {
        name: "finds the image in the registry",
        does: &["images.digest", "store.write_task", "queue.send"],
        before: |play| {
            play.world.images.push("vive-sphere/service-1", a_sha(1).as_str(), &a_digest(7));
            play.push(1, &services(1));
            play.until(BUILD, &[SERVICE])
        },
    },
    Scenario {
        name: "finds CodeBuild busy and arms a timer",
        does: &["builds.start", "queue.send"],
        before: |play| {
            play.world.image_builds.limit(0);
            play.later(Duration::from_mins(1), |world| world.image_builds.limit(usize::MAX));
            play.push(1, &services(1));
            play.until(BUILD, &[SERVICE])
        },
    },
    Scenario {
        name: "adopts the build of one who died",
        does: &["builds.find", "store.write_task"],
        before: |play| {
            play.builds_take(Duration::from_mins(10));
            play.push(1, &services(1));
            let start = play.until(BUILD, &[SERVICE]);
            play.world.wire.trouble_next("builds.start", Trouble::CrashAfter);
            play.invoke(&start);
            play.until(BUILD, &[SERVICE])
        },
    },
    Scenario {
        name: "fails for the fifth time and is stuck",
        does: &["store.write_task", "queue.send"],
        before: |play| {
            play.world.wire.down("images.ensure_repository");
            play.push(1, &services(1));
            play.fail(BUILD, &[SERVICE], 4)
        },
    },
    Scenario {
        name: "takes the image of the same content",
        does: &["images.digest", "images.tag", "store.write_task"],
        before: |play| {
            delivered(play);
            let content = a_commit_of(1, &services(1));
            play.world.github.push("develop", &a_sha(2), content);
            play.invoke(&Call::Post(a_push("develop", Some(&a_sha(1)), &a_sha(2))));
            play.until(BUILD, &[SERVICE])
        },
    },
    Scenario {
        name: "builds a red image again, which continues the run",
        does: &["store.reopen", "builds.start"],
        before: |play| {
            play.red(SERVICE);
            delivered(play);
            play.mend();
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "builds again with everything that follows",
        does: &["store.reopen", "images.digest", "queue.send"],
        before: |play| {
            delivered(play);
            again_with_all(play, SERVICE)
        },
    },
    Scenario {
        name: "refuses to build before the tests have passed",
        does: &["store.record", "queue.set_aside"],
        before: |play| {
            play.red("test/service-1");
            delivered(play);
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "was stuck, and goes on when its letter is redriven",
        does: &["store.write_both"],
        before: |play| redriven(play, "images.ensure_repository"),
    },
];
