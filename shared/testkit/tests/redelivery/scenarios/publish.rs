//! publish.

use super::people::{again, again_with_all, delivered, redriven};
use super::{PUBLISH, services};
use crate::harness::Scenario;

const SERVICE: &str = "publish/service-1";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tags the image, the last of its phase",
        does: &["images.holds", "images.tag", "store.write_both", "queue.send", "store.write_run"],
        before: |play| {
            play.push(1, &services(1));
            play.until(PUBLISH, &[SERVICE])
        },
    },
    Scenario {
        name: "two images end a phase at the same time",
        does: &["images.tag", "store.write_both"],
        before: |play| {
            play.push(1, &services(2));
            play.beside = Some(play.until(PUBLISH, &[SERVICE]));
            play.until(PUBLISH, &["publish/service-2"])
        },
    },
    Scenario {
        name: "misses the image",
        does: &["images.holds", "store.write_both", "store.unlock"],
        before: |play| {
            play.push(1, &services(1));
            let call = play.until(PUBLISH, &[SERVICE]);
            play.world.images.delete_all("vive-sphere/service-1");
            call
        },
    },
    Scenario {
        name: "fails for the fifth time and is stuck",
        does: &["store.write_task", "queue.send"],
        before: |play| {
            play.world.wire.down("images.holds");
            play.push(1, &services(1));
            play.fail(PUBLISH, &[SERVICE], 4)
        },
    },
    Scenario {
        name: "tags an image again, alone",
        does: &["store.reopen", "images.tag", "store.write_run"],
        before: |play| {
            delivered(play);
            again(play, SERVICE)
        },
    },
    Scenario {
        name: "tags an image again with everything that follows",
        does: &["store.reopen", "images.tag", "queue.send"],
        before: |play| {
            delivered(play);
            again_with_all(play, SERVICE)
        },
    },
    Scenario {
        name: "was stuck, and goes on when its letter is redriven",
        does: &["store.write_both"],
        before: |play| redriven(play, "images.holds"),
    },
];
