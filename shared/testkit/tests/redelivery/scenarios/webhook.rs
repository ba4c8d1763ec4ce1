//! webhook.

use serde_json::Value;
use testkit::builders::{a_plan, a_sha, a_webhook};
use testkit::fakes::Trouble;

use super::services;
use crate::harness::Scenario;
use crate::play::Call;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a new push",
        does: &["secrets.secret", "store.receive", "queue.send", "store.note"],
        before: |play| Call::Post(play.commit(1, &a_plan(1))),
    },
    Scenario {
        name: "a push of another commit while a run is under way",
        does: &["store.receive", "queue.send", "store.note"],
        before: |play| {
            play.push(1, &services(1));
            play.until(super::TEST, &["test/service-1"]);
            Call::Post(play.commit_on("feature", 2, &services(1)))
        },
    },
    Scenario {
        name: "a redelivery of a push that was sent unheard",
        does: &["store.receive", "queue.send", "store.note"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.world.wire.trouble_next("queue.send", Trouble::FailAfter);
            play.invoke(&Call::Post(push.clone()));
            Call::Post(push)
        },
    },
    Scenario {
        name: "a redelivery of a push that was taken",
        does: &["store.receive"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.invoke(&Call::Post(push.clone()));
            Call::Post(push)
        },
    },
    Scenario {
        name: "the id of a push that was taken, with another body",
        does: &["store.receive"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.invoke(&Call::Post(push));
            let other = body_of(&play.commit_on("feature", 2, &services(1)));
            Call::Post(a_webhook("push", &id_of_first(), &other))
        },
    },
    Scenario {
        name: "the body of a push that was taken, under another id",
        does: &["store.receive", "store.record"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.invoke(&Call::Post(push.clone()));
            Call::Post(a_webhook("push", "delivery-other", &body_of(&push)))
        },
    },
    Scenario {
        name: "the body of a push whose first delivery died, under another id",
        does: &["store.receive", "queue.send", "store.note", "store.record"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.world.wire.trouble_next("store.receive", Trouble::CrashAfter);
            play.invoke(&Call::Post(push.clone()));
            Call::Post(a_webhook("push", "delivery-other", &body_of(&push)))
        },
    },
    Scenario {
        name: "a redelivery of a push whose body came under another id meanwhile",
        does: &["store.receive"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.world.wire.trouble_next("store.receive", Trouble::CrashAfter);
            play.invoke(&Call::Post(push.clone()));
            play.invoke(&Call::Post(a_webhook("push", "delivery-other", &body_of(&push))));
            Call::Post(push)
        },
    },
    Scenario {
        name: "a push beside its own body under another id",
        does: &["store.receive", "queue.send", "store.note"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.beside = Some(Call::Post(push.clone()));
            play.world.wire.trouble_next("store.receive", Trouble::CrashAfter);
            play.invoke(&Call::Post(push.clone()));
            Call::Post(a_webhook("push", "delivery-other", &body_of(&push)))
        },
    },
    Scenario {
        name: "an event that nobody wants",
        does: &["secrets.secret"],
        before: |_| Call::Post(a_webhook("star", "delivery-1", "{\"action\":\"created\"}")),
    },
];

/// The body of a webhook's request.
fn body_of(request: &Value) -> String {
    request["body"].as_str().expect("a text").to_owned()
}

/// The id of commit 1's delivery.
fn id_of_first() -> String {
    format!("delivery-develop-{}", a_sha(1).short())
}
