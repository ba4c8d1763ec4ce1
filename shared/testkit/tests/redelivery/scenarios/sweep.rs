//! sweep: what was lost, and is repaired by it alone.

use std::time::Duration;

use domain::message::QueueName;
use testkit::builders::{a_push, a_sha};
use testkit::fakes::{Fate, Trouble};

use super::people::delivered;
use super::{BUILD, DEPLOY, EVENT, NOTIFY, PLAN, TEST, TIMER, VERIFY, services};
use crate::harness::Scenario;
use crate::play::{Call, Play};

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "nothing is due", does: &["store.due"], before: |_| Call::Sweep },
    Scenario {
        name: "the wake of a test was lost",
        does: &["store.due", "store.tasks", "queue.send", "store.write_run"],
        before: |play| lost(play, TEST, &["test/service-1"]),
    },
    Scenario {
        name: "the event of a test's build was lost",
        does: &["queue.send", "store.write_run"],
        before: |play| lost(play, TEST, &["test/service-1", EVENT]),
    },
    Scenario {
        name: "the event of an image's build was lost",
        does: &["queue.send"],
        before: |play| lost(play, BUILD, &[EVENT]),
    },
    Scenario {
        name: "the wake of a deploy was lost",
        does: &["queue.send"],
        before: |play| lost(play, DEPLOY, &[]),
    },
    Scenario {
        name: "the timer of a verify was lost",
        does: &["queue.send"],
        before: |play| {
            play.world.cluster.decide("service-1", Fate::Healthy { after: Duration::from_secs(3) });
            lost(play, VERIFY, &[TIMER])
        },
    },
    Scenario {
        name: "plan died, and its message was lost",
        does: &["queue.send", "store.write_run"],
        before: |play| died(play, PLAN, &[], "store.create_tasks"),
    },
    Scenario {
        name: "plan died before it opened the first phase",
        does: &["queue.send", "store.write_run"],
        before: |play| died(play, PLAN, &[], "store.tasks"),
    },
    Scenario {
        name: "a test died between its verdict and the next phase",
        does: &["queue.send", "store.write_run"],
        before: |play| died(play, TEST, &[EVENT], "store.write_both"),
    },
    Scenario {
        name: "deploy died with the lock",
        does: &["queue.send", "store.write_run"],
        before: |play| died(play, DEPLOY, &[], "cluster.apply"),
    },
    Scenario {
        name: "verify died before the lock was free",
        does: &["queue.send", "store.write_run"],
        before: |play| died(play, VERIFY, &[], "store.write_both"),
    },
    Scenario {
        name: "notify died with its lease, and the end was not told",
        does: &["queue.send", "store.write_run"],
        before: |play| {
            play.push(1, &services(1));
            play.until_finished();
            let telling = play.until(NOTIFY, &[]);
            play.world.wire.trouble_next("store.write_told", Trouble::CrashAfter);
            play.invoke(&telling);
            play.lose_all();
            silent(play)
        },
    },
    Scenario {
        name: "two silent runs",
        does: &["queue.send", "store.write_run"],
        before: |play| {
            play.push(1, &services(1));
            play.lose(TEST, &["test/service-1"]);
            // Of another branch, which begins with it: nothing of the first one is known when it is judged.
            drop(play.commit_on("feature", 2, &services(1)));
            play.invoke(&Call::Post(a_push("feature", None, &a_sha(2))));
            play.lose(TEST, &["test/service-1", EVENT]);
            silent(play)
        },
    },
    Scenario {
        name: "the time to look at a repository has come",
        does: &["store.due", "queue.send", "store.postpone"],
        before: |play| {
            delivered(play);
            play.wait(Duration::from_mins(3));
            Call::Sweep
        },
    },
    Scenario {
        name: "a push was lost, which a look finds",
        does: &["store.due", "queue.send", "store.postpone"],
        before: |play| {
            delivered(play);
            play.wait(Duration::from_mins(3));
            play.invoke(&Call::Sweep);
            play.rest().expect("it comes to rest");
            drop(play.commit(2, &services(1)));
            play.wait(Duration::from_mins(16));
            Call::Sweep
        },
    },
];

/// A message of the run is lost.
fn lost(play: &mut Play, queue: QueueName, words: &[&str]) -> Call {
    play.push(1, &services(1));
    play.lose(queue, words);
    silent(play)
}

/// An invocation dies after that port call, and its message is lost.
fn died(play: &mut Play, queue: QueueName, words: &[&str], call: &'static str) -> Call {
    play.push(1, &services(1));
    dead(play, queue, words, call)
}

fn dead(play: &mut Play, queue: QueueName, words: &[&str], call: &'static str) -> Call {
    let invocation = play.until(queue, words);
    play.world.wire.trouble_next(call, Trouble::CrashAfter);
    play.invoke(&invocation);
    if let Call::Messages(batch) = invocation {
        for received in batch {
            play.world.queue.delete(received.number);
        }
    }
    silent(play)
}

/// Everything else comes to rest, and the run is silent for longer than it may.
fn silent(play: &mut Play) -> Call {
    play.rest().expect("it comes to rest");
    play.wait(Duration::from_mins(3));
    Call::Sweep
}
