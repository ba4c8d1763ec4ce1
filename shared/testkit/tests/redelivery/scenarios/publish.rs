//! publish.

use std::time::Duration;

use domain::scan::{Finding, FindingSeverity, Findings, Scan};
use serde_json::json;
use testkit::builders::a_sha;
use testkit::fakes::World;

use super::people::{again, again_with_all, delivered, redriven};
use super::{PUBLISH, TIMER, services};
use crate::harness::Scenario;
use crate::play::Play;

const SERVICE: &str = "publish/service-1";
const REPOSITORY: &str = "vive-sphere/service-1";
const SCAN: &str = "ECR Image Scan";
const VERIFIED: &str = "\"verified\"";

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
        name: "finds a scan under way and waits for it",
        does: &["images.scan", "store.write_task", "store.await_scan", "queue.send"],
        before: |play| {
            a_slow_scan(play);
            play.push(1, &services(1));
            play.until(PUBLISH, &[SERVICE])
        },
    },
    Scenario {
        name: "hears that the scan has ended",
        does: &["store.awaiting_scan", "images.scan", "images.tag", "store.write_both", "queue.send"],
        before: |play| {
            a_slow_scan(play);
            play.push(1, &services(1));
            play.until(PUBLISH, &[SCAN])
        },
    },
    Scenario {
        name: "asks for the scan on its timer, as its event is lost",
        does: &["store.await_scan", "images.scan", "images.tag", "store.write_both"],
        before: |play| {
            a_slow_scan(play);
            play.push(1, &services(1));
            play.lose(PUBLISH, &[SCAN]);
            play.until(PUBLISH, &[SERVICE, TIMER])
        },
    },
    Scenario {
        name: "hears of a scan that nobody waits for",
        does: &["store.awaiting_scan"],
        before: |play| {
            delivered(play);
            tell(&play.world);
            play.until(PUBLISH, &[SCAN])
        },
    },
    Scenario {
        name: "keeps an image back, which ends the run",
        does: &["images.scan", "store.write_both", "store.unlock"],
        before: |play| {
            let worst = Finding::new("CVE-2026-1", FindingSeverity::Critical, Some("openssl 3.0.1"), None);
            let found = Findings::new([(FindingSeverity::Critical, 1)], vec![worst]);
            play.world.images.scans(REPOSITORY, Scan::Complete(found));
            play.push(1, &services(1));
            play.until(PUBLISH, &[SERVICE])
        },
    },
    Scenario {
        name: "tags the image of a verified release",
        does: &["store.releases", "images.tag"],
        before: |play| {
            play.push(1, &services(1));
            play.until(PUBLISH, &[VERIFIED])
        },
    },
    Scenario {
        name: "hears late of a verified release, when a newer one is verified",
        does: &["store.releases", "images.tag"],
        before: |play| {
            play.push(1, &services(1));
            let late = play.until(PUBLISH, &[VERIFIED]);
            play.push(2, &services(1));
            play.rest().expect("it comes to rest");
            late
        },
    },
    Scenario {
        name: "tags the image of a verified release while a newer one is on its way",
        does: &["store.releases", "images.tag"],
        before: |play| {
            play.push(1, &services(1));
            let verified = play.until(PUBLISH, &[VERIFIED]);
            play.push(2, &services(1));
            verified
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

/// The scan of the first commit's image takes ten minutes, and its event tells its end.
fn a_slow_scan(play: &mut Play) {
    play.world.images.scans(REPOSITORY, Scan::InProgress);
    play.later(Duration::from_mins(10), |world| {
        world.images.scans(REPOSITORY, Scan::Complete(Findings::default()));
        tell(world);
    });
}

/// ECR tells that the image of the first commit is scanned.
fn tell(world: &World) {
    let digest = &world.images.tags(REPOSITORY)[a_sha(1).as_str()];
    let detail = json!({
        "scan-status": "COMPLETE", "repository-name": REPOSITORY, "image-digest": digest, "image-tags": [a_sha(1)],
    });
    let event = json!({ "detail-type": SCAN, "source": "aws.ecr", "detail": detail });
    world.queue.put(PUBLISH, &event.to_string(), Duration::ZERO);
}
