//! notify: nothing is said twice.

use domain::message::Message;
use domain::run::{PhaseKind, Run};
use domain::spec::Notifications;
use lambda::{Attributes, BatchResponse, Disposition, Record, SqsEvent, each};
use slipway_notify::Notifier;
use testkit::builders::{a_service, a_task};
use testkit::fakes::{Trouble, World};

use crate::a_run_at;

pub async fn notify(world: &World, head: &Run) -> Disposition {
    let (store, checks, chat) = (world.store.clone(), world.github.clone(), world.chat.clone());
    let notifier = Notifier { store, checks, chat, post: Some(world.post.clone()) };
    let body = serde_json::to_string(&Message::Notify { run: head.id.clone() }).expect("plain data");
    notifier.handle(&body, "invocation", world.clock.now()).await
}

fn begin() -> (World, Run) {
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
    assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    assert_eq!(world.chat.messages().len(), 2);
}

#[tokio::test]
async fn a_check_run_that_github_made_unheard_is_found_again() {
    let (world, head) = begin();
    world.wire.trouble_next("checks.create", Trouble::FailAfter);
    assert!(matches!(notify(&world, &head).await, Disposition::GiveBack { .. }));
    assert_eq!(notify(&world, &head).await, Disposition::Acknowledge);
    let mut names: Vec<_> = world.github.check_runs().into_iter().map(|run| run.check.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}
