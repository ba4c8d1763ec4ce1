//! Stage messages as they come from the queue.

use domain::ids::Stage;
use domain::message::{Message, QueueName};
use domain::run::PhaseKind;
use lambda::{Record, SqsEvent, drive, each_stage_message};
use slipway_test::Tests;
use testkit::builders::{a_run, a_service, a_task};
use testkit::fakes::World;

use crate::a_run_at;

/// What the event source mapping is answered.
async fn handle(world: &World, bodies: &[&str]) -> String {
    let record = |(number, body): (usize, &&str)| {
        world.queue.put(QueueName::Stage(Stage::Test), body, std::time::Duration::ZERO);
        Record {
            message_id: format!("m{number}"),
            receipt_handle: number.to_string(),
            body: (*body).to_owned(),
        }
    };
    let event = SqsEvent { records: bodies.iter().enumerate().map(record).collect() };
    let work = Tests { builds: world.tests.clone(), artifacts: world.artifacts.clone() };
    let response = each_stage_message(event, &world.queue, Stage::Test, async |wake| {
        drive(&world.store, &world.queue, &work, &wake, || world.clock.now()).await
    });
    serde_json::to_string(&response.await).expect("plain data")
}

#[tokio::test]
async fn only_what_cannot_be_read_comes_back() {
    let world = World::new();
    let head = a_run_at(PhaseKind::Test);
    let task = a_task(&head, "test/authentication", &a_service("authentication"));
    world.store.put(&head, std::slice::from_ref(&task));
    let body = |message: &Message| serde_json::to_string(message).expect("plain data");
    let known = body(&Message::wake(&task.run, &task.id));
    let unknown = body(&Message::wake(&a_run().id, &testkit::builders::name("test/nobody")));
    let elsewhere = body(&Message::Notify { run: head.id.clone() });
    let answer = handle(&world, &[&known, "{", &unknown, &elsewhere]).await;
    insta::assert_snapshot!(answer, @r#"{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m3"}]}"#);
    assert_eq!(world.tests.running().len(), 1, "the good one was handled");
}
