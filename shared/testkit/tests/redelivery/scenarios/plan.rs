//! plan.

use std::time::Duration;

use domain::spec::Plan;
use serde_json::{Value, json};
use testkit::builders::{a_commit_of, a_plan, a_push, a_sha, a_webhook, a_zip};
use testkit::fakes::Trouble;

use super::people::{delivered, redriven_plan};
use super::{PLAN, TEST, services};
use crate::harness::Scenario;
use crate::play::{Call, Play};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a new commit of a delivered branch",
        does: &[
            "store.write_run",
            "source.download",
            "store.draw",
            "store.create_tasks",
            "queue.send",
            "store.note",
        ],
        before: |play| {
            play.push(1, &a_plan(1));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a new commit of another branch",
        does: &["store.create_tasks", "store.write_run"],
        before: |play| {
            let push = play.commit_on("feature", 1, &services(2));
            play.invoke(&Call::Post(push));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a commit whose pipeline file is invalid",
        does: &["store.write_run", "store.note"],
        before: |play| pushed(play, &a_zip(&[("top/infrastructure/ci_cd/pipeline.yaml", "services: [")])),
    },
    Scenario {
        name: "a commit with nothing to run",
        does: &["store.write_run", "store.note"],
        before: |play| pushed(play, &a_zip(&[("top/README.md", "")])),
    },
    Scenario {
        name: "a fork's commit",
        does: &["store.write_run", "store.note"],
        before: |play| {
            play.invoke(&Call::Post(a_pull_request("mallory/bot-manager")));
            play.until(PLAN, &["mallory"])
        },
    },
    Scenario {
        name: "a pull request that touches manifests",
        does: &["artifacts.put", "store.write_run", "queue.send"],
        before: |play| {
            offered(play, &services(1));
            play.until(PLAN, &["\"pull_request\":42"])
        },
    },
    Scenario {
        name: "a repository that nobody serves",
        does: &["store.note"],
        before: |play| {
            let body = json!({
                "ref": "refs/heads/develop", "before": "0".repeat(40), "after": a_sha(1).as_str(),
                "created": true, "deleted": false, "forced": false,
                "repository": {"full_name": "stranger/thing"}, "installation": {"id": 1},
                "sender": {"login": "ada"}, "head_commit": {"id": a_sha(1).as_str(), "message": "Change"},
            });
            play.invoke(&Call::Post(a_webhook("push", "delivery-1", &body.to_string())));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a tested commit reaches a delivered branch",
        does: &["store.draw", "store.create_tasks", "store.write_run", "queue.send"],
        before: |play| {
            let push = play.commit_on("feature", 1, &services(1));
            play.invoke(&Call::Post(push));
            play.rest().expect("it comes to rest");
            reaches_develop(play)
        },
    },
    Scenario {
        name: "a commit reaches a delivered branch while it is tested",
        does: &["store.draw", "store.create_tasks", "store.write_run"],
        before: |play| {
            // Longer than a plan that died stays away.
            play.builds_take(Duration::from_mins(15));
            let push = play.commit_on("feature", 1, &services(1));
            play.invoke(&Call::Post(push));
            let start = play.until(TEST, &["test/service-1"]);
            play.invoke(&start);
            reaches_develop(play)
        },
    },
    Scenario {
        name: "a commit that was planned comes again on its branch",
        does: &["store.run", "store.note"],
        before: |play| {
            play.push(1, &services(1));
            play.rest().expect("it comes to rest");
            // Another push of the same commit: not the same body again.
            let push = a_push("develop", Some(&a_sha(2)), &a_sha(1));
            let body = push["body"].as_str().expect("a text");
            play.invoke(&Call::Post(a_webhook("push", "delivery-again", body)));
            play.until(PLAN, &["delivery-again"])
        },
    },
    Scenario {
        name: "an older commit than the one delivered",
        does: &["source.compare", "store.create_tasks"],
        before: |play| {
            let older = play.commit(1, &services(1));
            play.push(2, &services(1));
            play.rest().expect("it comes to rest");
            play.invoke(&Call::Post(older));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a plan that died in the midst",
        does: &["store.write_run", "queue.send"],
        before: |play| {
            play.push(1, &services(2));
            let plan = play.until(PLAN, &[]);
            play.world.wire.trouble_next("store.create_tasks", Trouble::CrashAfter);
            play.invoke(&plan);
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "fails for the fifth time and is given up",
        does: &["store.write_run", "queue.send", "queue.set_aside"],
        before: |play| {
            play.world.wire.refuse("source.download");
            play.push(1, &services(1));
            play.fail(PLAN, &[], 4)
        },
    },
    Scenario {
        name: "was given up, and goes on when its letter is redriven",
        does: &["store.write_run", "store.create_tasks", "queue.send"],
        before: |play| redriven_plan(play, "source.download"),
    },
    Scenario {
        name: "the first look at the branches",
        does: &["branches.list", "store.write_tips"],
        before: |play| {
            delivered(play);
            play.put(PLAN, TIPS)
        },
    },
    Scenario {
        name: "a look that finds a push whose webhook was lost",
        does: &["branches.list", "store.record", "queue.send", "store.write_tips"],
        before: a_lost_push,
    },
    Scenario {
        name: "a commit that a look has found",
        does: &["store.draw", "store.create_tasks", "queue.send", "store.note"],
        before: |play| {
            let look = a_lost_push(play);
            play.invoke(&look);
            play.until(PLAN, &["tip-"])
        },
    },
];

/// A message by which sweep lets the branches be looked at.
const TIPS: &str = r#"{"kind":"tips","repository":"vive-sphere/bot-manager"}"#;

/// The branches were looked at before commit 2 came, of which GitHub tells nobody.
fn a_lost_push(play: &mut Play) -> Call {
    delivered(play);
    let first = play.put(PLAN, TIPS);
    play.invoke(&first);
    drop(play.commit(2, &services(1)));
    play.put(PLAN, TIPS)
}

fn pushed(play: &mut Play, zip: &[u8]) -> Call {
    play.world.github.push("develop", &a_sha(1), zip.to_vec());
    play.invoke(&Call::Post(a_push("develop", None, &a_sha(1))));
    play.until(PLAN, &[])
}

/// The commit, tested on another branch, is in plan's hands for `develop`.
pub fn reaches_develop(play: &mut Play) -> Call {
    play.world.github.push("develop", &a_sha(1), a_commit_of(1, &services(1)));
    play.invoke(&Call::Post(a_push("develop", None, &a_sha(1))));
    play.until(PLAN, &["develop"])
}

/// Commit 2 on the branch of the fixture's pull request, and the pull request itself.
pub fn offered(play: &mut Play, file: &Plan) {
    delivered(play);
    play.world.github.move_branch("avatar-limit", &a_sha(1));
    let push = play.commit_on("avatar-limit", 2, file);
    play.world.github.changes_paths(&a_sha(2), &["infrastructure/kubernetes/service-1-deployment.yaml"]);
    play.invoke(&Call::Post(push));
    play.rest().expect("it comes to rest");
    play.invoke(&Call::Post(a_pull_request("vive-sphere/bot-manager")));
}

/// The fixture's pull request, from that repository.
fn a_pull_request(from: &str) -> Value {
    let event: Value = serde_json::from_str(include_str!("../../../../../events/github-pull-request.json"))
        .expect("the fixture is JSON");
    let mut body: Value =
        serde_json::from_str(event["body"].as_str().expect("a text")).expect("the body is JSON");
    body["pull_request"]["head"]["repo"]["full_name"] = json!(from);
    if from == "vive-sphere/bot-manager" {
        body["pull_request"]["head"]["sha"] = json!(a_sha(2).as_str());
        body["pull_request"]["base"]["sha"] = json!(a_sha(1).as_str());
    }
    body["installation"]["id"] = json!(1);
    a_webhook("pull_request", "delivery-fork", &body.to_string())
}
