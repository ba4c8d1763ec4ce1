//! notify.

use std::time::Duration;

use domain::run::Run;
use testkit::builders::{a_plan, a_push, a_sha, a_zip};
use testkit::fakes::Trouble;

use super::people::{again, delivered};
use super::plan::reaches_develop;
use super::{EVENT, NOTIFY, TEST, services};
use crate::harness::Scenario;
use crate::play::{Call, Play};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the first telling",
        does: &["store.write_told", "checks.find", "checks.create", "chat.post"],
        before: |play| {
            play.push(1, &services(1));
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "what has changed",
        does: &["store.write_told", "checks.update", "chat.update"],
        before: |play| {
            play.push(1, &services(1));
            let first = play.until(NOTIFY, &[]);
            play.invoke(&first);
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "the end, with Slack and mail",
        does: &["checks.update", "chat.update", "chat.post", "post.send", "store.write_run"],
        before: |play| {
            play.push(1, &services(1));
            the_end(play)
        },
    },
    Scenario {
        name: "the end of a failed run",
        does: &["checks.update", "chat.post", "post.send", "store.write_run"],
        before: |play| {
            play.red("test/service-1");
            play.push(1, &a_plan(1));
            the_end(play)
        },
    },
    Scenario {
        name: "an invalid commit, told at once",
        does: &["checks.create", "store.write_run"],
        before: |play| {
            invalid(play);
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "the lease of one who died",
        does: &["store.picture"],
        before: |play| {
            play.push(1, &services(1));
            let first = play.until(NOTIFY, &[]);
            play.world.wire.trouble_next("checks.create", Trouble::CrashBefore);
            play.invoke(&first);
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "a second end, because the commit reached a delivered branch after the first",
        does: &["checks.update", "chat.post", "post.send", "store.write_run"],
        before: |play| {
            let push = play.commit_on("feature", 1, &services(1));
            play.invoke(&Call::Post(push));
            play.rest().expect("it comes to rest");
            let joining = reaches_develop(play);
            play.invoke(&joining);
            the_end(play)
        },
    },
    Scenario {
        name: "a second end, because a person ran a task again",
        does: &["checks.update", "chat.post", "post.send", "store.write_run"],
        before: |play| {
            delivered(play);
            let asked = again(play, "test/service-1");
            play.invoke(&asked);
            let ended = play.until(TEST, &[EVENT]);
            play.invoke(&ended);
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "fails for the fifth time and is given up",
        does: &["store.write_told", "queue.set_aside"],
        before: |play| {
            play.world.wire.refuse("checks.create");
            invalid(play);
            play.fail(NOTIFY, &[], 4)
        },
    },
    Scenario {
        name: "GitHub is down, and telling is put off",
        does: &["store.write_told", "queue.send"],
        before: |play| {
            play.world.wire.down("checks.create");
            play.later(Duration::from_mins(30), |world| world.wire.up("checks.create"));
            invalid(play);
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "GitHub is up again, and what was put off is told",
        does: &["store.write_told", "checks.create", "store.write_run"],
        before: |play| {
            play.world.wire.down("checks.create");
            invalid(play);
            let first = play.until(NOTIFY, &[]);
            play.invoke(&first);
            play.world.wire.up("checks.create");
            play.until(NOTIFY, &[])
        },
    },
    Scenario {
        name: "the first comment on a pull request",
        does: &["store.front", "comments.find", "comments.create"],
        before: proposed,
    },
    Scenario {
        name: "a comment that is edited",
        does: &["store.front", "comments.update"],
        before: |play| {
            let first = proposed(play);
            play.invoke(&first);
            play.until(NOTIFY, &[])
        },
    },
];

/// A commit whose run ends at once, which is told once.
fn invalid(play: &mut Play) {
    let zip = a_zip(&[("top/infrastructure/ci_cd/pipeline.yaml", "services: [")]);
    play.world.github.push("develop", &a_sha(1), zip);
    play.invoke(&Call::Post(a_push("develop", None, &a_sha(1))));
}

/// A run under way that judges a pull request beside its branch, about to be told for the first time.
fn proposed(play: &mut Play) -> Call {
    play.push(1, &services(1));
    let planned = play.until(NOTIFY, &[]);
    let head = play.world.store.heads().pop().expect("a run");
    play.world.store.put(&Run { pulls: vec![12], ..head }, &[]);
    planned
}

/// The message that lies there when the run is finished.
fn the_end(play: &mut Play) -> Call {
    play.until_finished();
    play.until(NOTIFY, &[])
}
