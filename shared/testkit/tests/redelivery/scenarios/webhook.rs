//! webhook.

use testkit::builders::{a_plan, a_webhook};
use testkit::fakes::Trouble;

use super::services;
use crate::harness::Scenario;
use crate::play::Call;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a new push",
        does: &["secrets.secret", "store.record", "queue.send", "store.note"],
        before: |play| Call::Post(play.commit(1, &a_plan(1))),
    },
    Scenario {
        name: "a push of another commit while a run is under way",
        does: &["store.record", "queue.send", "store.note"],
        before: |play| {
            play.push(1, &services(1));
            play.until(super::TEST, &["test/service-1"]);
            Call::Post(play.commit_on("feature", 2, &services(1)))
        },
    },
    Scenario {
        name: "a redelivery of a push that was sent unheard",
        does: &["store.record", "queue.send", "store.note"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.world.wire.trouble_next("queue.send", Trouble::FailAfter);
            play.invoke(&Call::Post(push.clone()));
            Call::Post(push)
        },
    },
    Scenario {
        name: "a redelivery of a push that was taken",
        does: &["store.record"],
        before: |play| {
            let push = play.commit(1, &services(1));
            play.invoke(&Call::Post(push.clone()));
            Call::Post(push)
        },
    },
    Scenario {
        name: "an event that nobody wants",
        does: &["store.record"],
        before: |_| Call::Post(a_webhook("star", "delivery-1", "{\"action\":\"created\"}")),
    },
];
