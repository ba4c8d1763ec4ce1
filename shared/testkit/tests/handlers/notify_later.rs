//! notify while a channel is down or wants fewer requests: it is told later, and nothing fails.

use std::time::Duration;

use domain::message::QueueName;
use domain::ports::{NoticeBook as _, Parked};
use domain::run::Run;
use lambda::Disposition;
use testkit::fakes::World;

use crate::notify::{becomes, begin, notify};

const DAY: Duration = Duration::from_hours(24);

async fn parked(world: &World, head: &Run) -> Option<Parked> {
    let picture = world.store.picture(&head.id).await.expect("the store answers");
    picture.expect("there is such a run").told.parked
}

/// Takes the delayed message at the time at which it comes; nothing else waits.
async fn next(world: &World, head: &Run) -> Disposition {
    let time = world.queue.next_visible().expect("a delayed message waits");
    world.clock.advance_to(time);
    let visible = world.queue.visible_on(QueueName::Notify);
    assert_eq!(visible.len(), 1, "one message");
    let disposition = notify(world, head).await;
    if disposition == Disposition::Acknowledge {
        world.queue.delete(visible[0]);
    }
    disposition
}

#[tokio::test]
async fn an_outage_of_hours_fails_nothing_and_is_told_after_it() {
    let (world, head) = begin();
    for call in ["checks.find", "checks.create", "checks.update"] {
        world.wire.down(call);
    }
    let begun = world.clock.now();
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(world.chat.messages().len(), 1, "Slack does not wait for GitHub");
    let mut tries = 0;
    while world.clock.now().since(begun) < Duration::from_hours(23) {
        assert_eq!(next(&world, &head).await, Disposition::Acknowledge);
        assert_eq!(world.queue.waiting(QueueName::Notify).len(), 1, "one message, however long it lasts");
        tries += 1;
    }
    assert!((135..150).contains(&tries), "{tries}: about every ten minutes");
    assert!(world.queue.dead().is_empty() && world.github.check_runs().is_empty());
    assert_eq!(world.chat.messages().len(), 1, "and nothing is said twice meanwhile");

    for call in ["checks.find", "checks.create", "checks.update"] {
        world.wire.up(call);
    }
    becomes(&world, &head, "a change");
    assert_eq!(next(&world, &head).await, Disposition::Acknowledge);
    let titles: Vec<_> = world.github.check_runs().into_iter().map(|run| run.check.title).collect();
    assert!(titles.contains(&"A change".to_owned()), "{titles:?}");
    assert_eq!(parked(&world, &head).await, None);
    assert!(world.queue.is_empty());
}

#[tokio::test]
async fn what_comes_meanwhile_finds_it_put_off() {
    let (world, head) = begin();
    world.wire.down("checks.find");
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    becomes(&world, &head, "a change");
    let (before, sent) = (world.wire.calls().len(), world.queue.sent());
    for _ in 0..10 {
        assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    }
    assert_eq!(world.wire.calls()[before..], ["store.picture"; 10], "they look, and try nothing");
    assert_eq!(world.queue.sent(), sent);
}

#[tokio::test]
async fn a_wait_that_github_names_is_waited_for_without_a_try() {
    let (world, head) = begin();
    world.wire.limit("checks.find", Duration::from_mins(40));
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    let begun = world.clock.now();
    let tried = world.wire.count("checks.find");
    for minutes in [15, 30] {
        assert_eq!(next(&world, &head).await, Disposition::Acknowledge);
        assert_eq!(world.clock.now().since(begun), Duration::from_mins(minutes), "SQS delays no longer");
    }
    assert_eq!(world.wire.count("checks.find"), tried, "nothing is tried before");
    world.wire.up("checks.find");
    assert_eq!(next(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(world.clock.now().since(begun), Duration::from_mins(40));
    assert!(!world.github.check_runs().is_empty() && world.queue.is_empty());
}

#[tokio::test]
async fn refusals_and_more_than_a_day_of_failures_are_set_aside() {
    let (world, head) = begin();
    world.wire.refuse("checks.create");
    for _ in 0..4 {
        assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    }
    let Disposition::Refuse { reason } = notify(&world, &head).await else { panic!("it is set aside") };
    assert!(reason.contains("`checks.create` is refused"), "{reason}");

    let (world, head) = begin();
    world.wire.down("checks.find");
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    world.clock.advance(DAY);
    for _ in 0..4 {
        assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    }
    assert!(matches!(notify(&world, &head).await, Disposition::Refuse { .. }));
    // Redriven, it has another day.
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert!(parked(&world, &head).await.is_some());
}

#[tokio::test]
async fn where_the_delayed_message_cannot_be_sent_the_own_one_comes_again() {
    let (world, head) = begin();
    world.wire.down("checks.find");
    world.wire.down("queue.send");
    assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    // Nobody looks after it: whoever comes does not take it for put off, the own message least of all.
    assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    world.wire.up("queue.send");
    world.wire.up("checks.find");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert!(!world.github.check_runs().is_empty());
    assert_eq!(parked(&world, &head).await, None);
}
