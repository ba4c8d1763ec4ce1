//! plan: what people ask from GitHub, and whose runs nobody waits for.

use std::time::Duration;

use domain::command::{About, Command};
use domain::ids::RunId;
use domain::message::{Gone, Message, PlanRequest};
use domain::ports::Pull;
use domain::spec::{Drafts, Plan};
use testkit::builders::{a_commit_of, a_sha, a_strangers_pull, a_strangers_request, name, recorded};

use super::people::{asks, asks_as};
use super::{PLAN, TEST, services};
use crate::harness::Scenario;
use crate::play::{Call, Play};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "GitHub does not answer, and planning is put off",
        does: &["store.write_run"],
        before: |play| {
            play.world.wire.down("source.download");
            play.push(1, &services(1));
            play.fail(PLAN, &[], 3)
        },
    },
    Scenario {
        name: "GitHub answers again, and what was put off is planned",
        does: &["source.download", "store.create_tasks", "store.write_run", "queue.send"],
        before: |play| {
            play.world.wire.down("source.download");
            play.push(1, &services(1));
            let last = play.fail(PLAN, &[], 3);
            play.invoke(&last);
            play.world.wire.up("source.download");
            let head = play.world.store.heads().pop().expect("a run is begun");
            play.put(PLAN, &serde_json::to_string(&Message::Plan(head.request())).expect("plain data"))
        },
    },
    Scenario {
        name: "what passed before is taken over",
        does: &["store.greens", "store.create_tasks", "store.write_run"],
        before: |play| {
            pushed(play, "feature", 1, None);
            play.rest().expect("it comes to rest");
            // The same content under another commit.
            play.world.github.push("feature", &a_sha(2), a_commit_of(1, &services(1)));
            post(play, "feature", 2, Some(1));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a draft that was left alone is ready for review",
        does: &["store.write_run", "differences.changes", "store.create_tasks", "queue.send", "store.note"],
        before: |play| {
            let file = Plan { drafts: Drafts::Skip, ..services(1) };
            play.world.github.push("develop", &a_sha(1), a_commit_of(1, &file));
            play.world.github.push("proposal", &a_sha(2), a_commit_of(2, &file));
            let own = Some(name("vive-sphere/bot-manager"));
            play.world.github.show_pull(Pull { head_repository: own, draft: true, ..a_strangers_pull() });
            post(play, "proposal", 2, Some(1));
            play.rest().expect("it comes to rest");
            let ready = PlanRequest { fork: None, delivery: name("ready"), ..a_strangers_request() };
            recorded(&play.world, &ready.delivery);
            play.put(PLAN, &serde_json::to_string(&Message::Plan(ready)).expect("plain data"))
        },
    },
    Scenario {
        name: "a newer commit of a branch that is delivered nowhere",
        does: &["store.front", "store.write_run", "queue.send", "store.write_front"],
        before: |play| {
            play.builds_take(Duration::from_mins(15));
            begun(play);
            pushed(play, "feature", 2, Some(1));
            play.until(PLAN, &[])
        },
    },
    Scenario {
        name: "a branch whose run is under way was deleted",
        does: &["store.front", "store.write_run", "queue.send", "store.note"],
        before: |play| {
            play.builds_take(Duration::from_mins(15));
            begun(play);
            let gone = Gone {
                delivery: name("deleted"),
                repository: name("vive-sphere/bot-manager"),
                installation: 1,
                line: name("branch:feature"),
                why: "the branch was deleted".to_owned(),
            };
            recorded(&play.world, &gone.delivery);
            play.put(PLAN, &serde_json::to_string(&Message::Gone(gone)).expect("plain data"))
        },
    },
    Scenario {
        name: "somebody cancels a run",
        does: &["people.permission", "store.write_run", "queue.send", "people.react", "store.note"],
        before: |play| {
            play.builds_take(Duration::from_mins(15));
            begun(play);
            asks(play, About::Run(run()), Command::Cancel)
        },
    },
    Scenario {
        name: "somebody has what failed tested again",
        does: &["people.permission", "store.reopen", "queue.send", "people.react", "store.note"],
        before: |play| {
            play.red("test/service-1");
            pushed(play, "feature", 1, None);
            play.rest().expect("it comes to rest");
            play.mend();
            asks(play, About::Run(run()), Command::Retest)
        },
    },
    Scenario {
        name: "somebody asks for a test that the commit does not have",
        does: &["people.react", "store.note"],
        before: |play| {
            pushed(play, "feature", 1, None);
            play.rest().expect("it comes to rest");
            asks(play, About::Run(run()), Command::Test(name("nobody")))
        },
    },
    Scenario {
        name: "somebody asks who may not",
        does: &["people.permission", "people.react", "store.note"],
        before: |play| {
            pushed(play, "feature", 1, None);
            play.rest().expect("it comes to rest");
            asks_as(play, "eve", About::Run(run()), Command::Cancel)
        },
    },
    Scenario {
        name: "a stranger's commit is admitted",
        does: &["people.pull", "source.download", "store.create_tasks", "store.write_run", "people.react"],
        before: |play| {
            proposed(play);
            asks(play, About::Pull(7), Command::OkToTest(a_sha(2)))
        },
    },
];

fn run() -> RunId {
    name(&format!("vive-sphere.bot-manager.{}", a_sha(1)))
}

fn pushed(play: &mut Play, branch: &str, number: u64, before: Option<u64>) {
    play.world.github.push(branch, &a_sha(number), a_commit_of(number, &services(1)));
    post(play, branch, number, before);
}

fn post(play: &mut Play, branch: &str, number: u64, before: Option<u64>) {
    let push = testkit::builders::a_push(branch, before.map(a_sha).as_ref(), &a_sha(number));
    play.invoke(&Call::Post(push));
}

/// Commit 1 of a branch, whose test is being built.
fn begun(play: &mut Play) {
    pushed(play, "feature", 1, None);
    let start = play.until(TEST, &["test/service-1"]);
    play.invoke(&start);
}

/// Pull request 7 of a fork with commit 2, which waits for a person.
fn proposed(play: &mut Play) {
    play.world.github.push("develop", &a_sha(1), a_commit_of(1, &services(1)));
    play.world.github.push("proposal", &a_sha(2), a_commit_of(2, &services(1)));
    play.world.github.show_pull(a_strangers_pull());
    let request = a_strangers_request();
    recorded(&play.world, &request.delivery);
    let message = play.put(PLAN, &serde_json::to_string(&Message::Plan(request)).expect("plain data"));
    play.invoke(&message);
    play.rest().expect("it comes to rest");
}
