//! notify: nothing is said twice, and nothing is left unsaid.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::message::{Message, QueueName};
use domain::run::{PhaseKind, Run};
use domain::spec::Notifications;
use domain::task::{Output, State, Task, Verdict};
use lambda::{Attributes, BatchResponse, Disposition, Record, SqsEvent, each};
use slipway_notify::Notifier;
use testkit::builders::{a_service, a_task};
use testkit::fakes::{Trouble, World};

use crate::a_run_at;

pub async fn notify(world: &World, head: &Run) -> Disposition {
    notify_as("invocation", world, head).await
}

async fn notify_as(holder: &str, world: &World, head: &Run) -> Disposition {
    let notifier = Notifier {
        store: world.store.clone(),
        queue: world.queue.clone(),
        github: world.github.clone(),
        web: None,
        chat: world.chat.clone(),
        post: Some(world.post.clone()),
    };
    let body = serde_json::to_string(&Message::Notify { run: head.id.clone() }).expect("plain data");
    notifier.handle(&body, holder, world.clock.now()).await
}

pub fn begin() -> (World, Run) {
    let world = World::new();
    let notifications =
        Notifications { slack: Some("#deploys".into()), email: vec!["team@vivesphere.example".into()] };
    let head = Run { notifications, ..a_run_at(PhaseKind::Test) };
    world.store.put(&head, &[a_task(&head, "test/authentication", &a_service("authentication"))]);
    (world, head)
}

#[tokio::test]
async fn the_same_state_is_told_once() {
    let (world, head) = begin();
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    let (checks, messages) = (world.github.check_runs(), world.chat.messages());
    assert!(!checks.is_empty());
    assert_eq!(messages.len(), 1);
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!((world.github.check_runs(), world.chat.messages()), (checks, messages));
    assert!(world.post.mails().is_empty(), "the mail comes at the end");
}

#[tokio::test]
async fn a_batch_of_wakes_of_one_run_is_told_once() {
    let (world, head) = begin();
    let body = serde_json::to_string(&Message::Notify { run: head.id.clone() }).expect("plain data");
    let record = |number: u32| Record {
        message_id: format!("m{number}"),
        receipt_handle: number.to_string(),
        body: body.clone(),
        attributes: Attributes::default(),
    };
    let event = SqsEvent { records: (0..10).map(record).collect() };
    let told = std::cell::Cell::new(0);
    let response = each(event, &world.queue, async |_| {
        told.set(told.get() + 1);
        notify(&world, &head).await
    });
    assert_eq!(response.await, BatchResponse::default(), "all are acknowledged");
    assert_eq!(told.get(), 1);
    assert_eq!(world.chat.messages().len(), 1);
}

#[tokio::test]
async fn a_message_that_slack_took_unheard_comes_twice_at_most() {
    let (world, head) = begin();
    world.wire.trouble_next("chat.post", Trouble::FailAfter);
    put_off(&world, &head).await;
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(world.chat.messages().len(), 2);
}

#[tokio::test]
async fn a_check_run_that_github_made_unheard_is_found_again() {
    let (world, head) = begin();
    world.wire.trouble_next("checks.create", Trouble::FailAfter);
    put_off(&world, &head).await;
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    let mut names: Vec<_> = world.github.check_runs().into_iter().map(|run| run.check.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[tokio::test]
async fn a_telling_asks_the_table_three_times_and_nothing_new_once() {
    let (world, head) = begin();
    let asked = async || {
        let before = world.wire.calls().len();
        assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
        let calls = world.wire.calls().split_off(before);
        calls.into_iter().filter(|call| call.starts_with("store.")).collect::<Vec<_>>()
    };
    let telling = ["store.picture", "store.write_told", "store.write_told"];
    assert_eq!(asked().await, telling, "the first");
    assert_eq!(asked().await, ["store.picture"]);
    becomes(&world, &head, "a change");
    assert_eq!(asked().await, telling);
    assert_eq!(asked().await, ["store.picture"]);
}

#[test]
fn who_finds_another_one_about_to_say_the_same_asks_nothing_of_him() {
    let (world, head) = begin();
    world.wire.interleave();
    let mut one: Hand<'_> = Box::pin(notify_as("one", &world, &head));
    assert_eq!(goes_on(&mut one, 3), Some(true), "it has the lease");
    let before = world.wire.calls().len();
    end(Box::pin(notify_as("two", &world, &head)));
    assert_eq!(world.wire.calls()[before..], ["store.picture"]);
    end(one);
    assert_eq!(world.chat.messages().len(), 1);
}

#[test]
fn what_one_who_died_or_failed_may_have_said_is_said_again() {
    for trouble in [Trouble::CrashAfter, Trouble::FailAfter] {
        let (world, head) = begin();
        world.wire.interleave();
        end(Box::pin(notify_as("one", &world, &head)));
        let titles = || world.github.check_runs().into_iter().map(|run| run.check.title).collect::<Vec<_>>();
        let told = titles();

        becomes(&world, &head, "a change");
        world.wire.trouble_next("checks.update", trouble);
        let mut other: Hand<'_> = Box::pin(notify_as("two", &world, &head));
        let is_done = goes_on(&mut other, 100) == Some(false);
        assert_eq!(is_done, trouble == Trouble::FailAfter, "its message comes again, or a delayed one");
        world.wire.take_crash();
        assert_ne!(titles(), told, "the first of them shows the change");

        world.store.put(&head, &[a_task(&head, "test/authentication", &a_service("authentication"))]);
        world.clock.advance(Duration::from_secs(61));
        end(Box::pin(notify_as("three", &world, &head)));
        assert_eq!(titles(), told, "{trouble:?}");
    }
}

#[test]
fn whatever_changes_while_others_tell_is_told() {
    // One begins, and stops before each of its calls in turn: the task changes, and another one is woken by that. One
    // goes on, and stops before each later call: the same again. Then one comes to his end.
    for stop in 1.. {
        for further in 1.. {
            let (world, head) = begin();
            world.wire.interleave();
            let mut one: Hand<'_> = Box::pin(notify_as("one", &world, &head));
            let Some(true) = goes_on(&mut one, stop) else {
                return assert!(stop > 8, "one makes {stop} calls only");
            };
            becomes(&world, &head, "first change");
            end(Box::pin(notify_as("two", &world, &head)));
            let is_under_way = goes_on(&mut one, further) == Some(true);
            becomes(&world, &head, "second change");
            end(Box::pin(notify_as("three", &world, &head)));
            if is_under_way {
                end(one);
            }
            let shown = |check: &str| {
                let runs = world.github.check_runs();
                runs.into_iter().find(|run| run.check.name == check).map(|run| run.check.title)
            };
            let title = shown("slipway / test authentication");
            assert_eq!(title.as_deref(), Some("Second change"), "stops before call {stop}, {further} later");
            let slack = world.chat.messages();
            assert_eq!(slack.len(), 1, "stops before call {stop}, {further} later: {slack:?}");
            if !is_under_way {
                break;
            }
        }
    }
}

/// Tells, and waits until what was put off is due again.
async fn put_off(world: &World, head: &Run) {
    assert_eq!(notify(world, head).await, Disposition::Acknowledge);
    assert_eq!(world.queue.waiting(QueueName::Notify).len(), 1, "a delayed message looks again");
    world.clock.advance(Duration::from_secs(5));
}

/// An invocation under way.
type Hand<'a> = Pin<Box<dyn Future<Output = Disposition> + 'a>>;

/// Lets an invocation come to the call after `calls - 1` further ones; none when its message is to come again, else
/// whether it is still under way.
fn goes_on(hand: &mut Hand<'_>, calls: usize) -> Option<bool> {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..calls {
        match hand.as_mut().poll(&mut context) {
            Poll::Pending => {}
            Poll::Ready(Disposition::Acknowledge) => return Some(false),
            Poll::Ready(_) => return None,
        }
    }
    Some(true)
}

/// Lets an invocation come to its end, which acknowledges its message.
fn end(mut hand: Hand<'_>) {
    assert_eq!(goes_on(&mut hand, 100), Some(false), "it is acknowledged");
}

/// The task passes, and says so.
pub fn becomes(world: &World, head: &Run, words: &str) {
    let task = a_task(head, "test/authentication", &a_service("authentication"));
    let state = State::Done { verdict: Verdict::passed(words, Output::None) };
    world.store.put(head, &[Task { state, ..task }]);
}
