//! Stage messages as they come from the queue.

use domain::ids::Stage;
use domain::message::{Message, QueueName};
use domain::run::PhaseKind;
use lambda::{Attributes, Disposition, Record, SqsEvent, StageFunction, StageMessage, each_stage_message};
use testkit::builders::{a_run, a_service, a_task};
use testkit::fakes::{DeadLetter, Trouble, World};

use crate::{a_run_at, tests_of};

/// What the event source mapping is answered.
async fn handle(world: &World, bodies: &[&str]) -> String {
    let record = |(number, body): (usize, &&str)| {
        world.queue.put(QueueName::Stage(Stage::Test), body, std::time::Duration::ZERO);
        Record {
            message_id: format!("m{number}"),
            receipt_handle: number.to_string(),
            body: (*body).to_owned(),
            attributes: Attributes::default(),
        }
    };
    let event = SqsEvent { records: bodies.iter().enumerate().map(record).collect() };
    let work = tests_of(world);
    let response = each_stage_message(event, &world.queue, Stage::Test, async |message| {
        StageFunction::new(&world.store, &world.queue, &world.queue, &work)
            .attend(&message, || world.clock.now())
            .await
    });
    serde_json::to_string(&response.await).expect("plain data")
}

#[tokio::test]
async fn only_what_cannot_be_read_is_set_aside_with_its_reason() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let task = a_task(&head, "test/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let body = |message: &Message| serde_json::to_string(message).expect("plain data");
    let known = body(&Message::wake(&task.run, &task.id));
    let unknown = body(&Message::wake(&a_run().id, &testkit::builders::name("test/nobody")));
    let elsewhere = body(&Message::Notify { run: head.id.clone() });
    let answer = handle(&world, &[&known, "{", &unknown, &elsewhere]).await;
    insta::assert_snapshot!(answer, @r#"{"batchItemFailures":[]}"#);
    let queue = QueueName::Stage(Stage::Test);
    let letter = |body: &str, reason: &str| DeadLetter {
        queue,
        body: body.to_owned(),
        reason: Some(reason.to_owned()),
    };
    let expected = [
        letter(
            "{",
            "the body is not a JSON object with a field `kind`: EOF while parsing an object at line 1 column 1",
        ),
        letter(&elsewhere, "a message of this kind and stage belongs on the `notify` queue"),
    ];
    let mut dead = world.queue.dead();
    dead.sort_by(|one, other| one.body.cmp(&other.body));
    assert_eq!(dead, expected);
    assert_eq!(world.tests.running().len(), 1, "the good one was handled");
}

#[tokio::test]
async fn what_cannot_be_set_aside_comes_back_so_that_nothing_is_lost() {
    let world = World::new();
    world.wire.trouble_next("queue.set_aside", Trouble::FailBefore);
    let answer = handle(&world, &["{"]).await;
    insta::assert_snapshot!(answer, @r#"{"batchItemFailures":[{"itemIdentifier":"m0"}]}"#);
    assert_eq!(world.queue.dead(), []);

    let answer = handle(&world, &["{"]).await;
    insta::assert_snapshot!(answer, @r#"{"batchItemFailures":[]}"#);
    assert_eq!(world.queue.dead().len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_acknowledgement_leaves_a_second_copy() {
    let world = World::new();
    world.wire.trouble_next("queue.set_aside", Trouble::FailAfter);
    for expected in [r#"{"batchItemFailures":[{"itemIdentifier":"m0"}]}"#, r#"{"batchItemFailures":[]}"#] {
        assert_eq!(handle(&world, &["{"]).await, expected);
    }
    assert_eq!(world.queue.dead().len(), 2);
}

/// The whole record, as Lambda hands it over: who sent a message is known to its handler.
#[tokio::test]
async fn a_stage_learns_the_id_and_the_sender_of_its_message() {
    let world = World::new();
    let wake = Message::wake(&a_run().id, &testkit::builders::name("test/authentication"));
    let body = serde_json::to_string(&wake).expect("plain data");
    let record = serde_json::json!({
        "messageId": "one", "receiptHandle": "1", "body": body,
        "attributes": { "ApproximateReceiveCount": "1", "SenderId": "AIDAEXAMPLE", "SentTimestamp": "1" },
        "eventSource": "aws:sqs",
    });
    let by_hand = serde_json::json!({ "messageId": "two", "receiptHandle": "2", "body": format!("{body} ") });
    let event = serde_json::json!({ "Records": [record, by_hand] });
    let event: SqsEvent = serde_json::from_value(event).expect("an event");
    let seen = std::cell::RefCell::new(Vec::new());
    each_stage_message(event, &world.queue, Stage::Test, async |message: StageMessage| {
        seen.borrow_mut().push((message.message_id, message.sender));
        Disposition::Acknowledge
    })
    .await;
    let mut seen = seen.into_inner();
    seen.sort();
    let expected = [("one", Some("AIDAEXAMPLE")), ("two", None)];
    assert_eq!(seen, expected.map(|(id, sender)| (id.to_owned(), sender.map(str::to_owned))));
}
