//! What lies in the table, and what the table's refusals become.

use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::RunId;
use domain::message::PlanRequest;
use domain::ports::{Advice, Deliveries, Delivery, DeliveryState, Runs, Written};
use domain::run::Run;
use domain::spec::ChecksSpec;
use domain::task::{Task, TaskSpec};
use domain::time::Timestamp;
use serde_json::{Value, json};
use store::Store;
use testkit::aws;
use testkit::aws_json::JsonService;

type Outcome = Result<(), Box<dyn Error>>;

const DAY: u64 = 24 * 60 * 60;

fn run() -> Result<Run, Box<dyn Error>> {
    let request = PlanRequest {
        delivery: "first".parse()?,
        repository: "vive-sphere/bot-manager".parse()?,
        installation: 1,
        sha: "0123456789abcdef0123456789abcdef01234567".parse()?,
        before: None,
        branch: "develop".to_owned(),
        fork: None,
        pull_request: None,
        sender: "someone".to_owned(),
        title: "A commit".to_owned(),
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    };
    Ok(Run::new(&request, Timestamp::now()))
}

fn task(run: &RunId, id: &str) -> Result<Task, Box<dyn Error>> {
    let spec = TaskSpec::Checks(ChecksSpec::default());
    Ok(Task::new(run.clone(), id.parse()?, spec))
}

/// An attribute of an item as text, whatever its type.
async fn attribute(
    (client, table): &(Client, String),
    (pk, sk): (&str, &str),
    name: &str,
) -> Result<Option<String>, Box<dyn Error>> {
    let answer = client
        .get_item()
        .table_name(table)
        .key("pk", AttributeValue::S(pk.to_owned()))
        .key("sk", AttributeValue::S(sk.to_owned()))
        .send()
        .await?;
    let item = answer.item.ok_or_else(|| format!("there is no `{pk}` `{sk}`"))?;
    Ok(item.get(name).and_then(|value| value.as_s().or(value.as_n()).ok()).cloned())
}

#[tokio::test]
async fn items_lie_under_their_keys_and_expire() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let table = (Client::new(&config), aws::unique("items"));
    aws::create_table(&config, &table.1).await?;
    let store = Store::new(&config, &table.1);
    let (head, now) = (run()?, Timestamp::now());
    let pk = format!("run#{}", head.id);
    let tasks = [task(&head.id, "test/+checks")?, task(&head.id, "deploy/a_b@development")?];
    let delivery = Delivery {
        id: "first".parse()?,
        event: "push".to_owned(),
        body: "ab".repeat(32),
        received: now,
        state: DeliveryState::Received,
    };

    assert_eq!(store.create_run(&head).await?, Written::Yes);
    store.create_tasks(&tasks).await?;
    store.record(&delivery).await?;

    for (key, days) in [
        ((pk.as_str(), "head"), 90),
        ((&pk, "task#test#+checks"), 90),
        ((&pk, "task#deploy#a_b@development"), 90),
        (("delivery#first", "delivery"), 30),
    ] {
        let expires: u64 = attribute(&table, key, "expires_at").await?.ok_or("it expires")?.parse()?;
        let expected = now.seconds() + days * DAY;
        assert!((expected..expected + 60).contains(&expires), "{key:?} expires at {expires}");
    }
    let due = attribute(&table, (&pk, "head"), "due_at").await?;
    assert_eq!(due, head.due.map(|due| due.0.to_string()));
    assert_eq!(attribute(&table, (&pk, "head"), "due_pk").await?.as_deref(), Some("due"));

    assert_eq!(store.write_run(&head.at_rest()).await?, Written::Yes);
    assert_eq!(attribute(&table, (&pk, "head"), "due_pk").await?, None, "the index must stay sparse");
    assert_eq!(attribute(&table, (&pk, "head"), "due_at").await?, None);
    Ok(())
}

#[tokio::test]
async fn tasks_are_created_a_hundred_at_a_time() -> Outcome {
    let service = JsonService::start(|_, _| (200, json!({}))).await?;
    let id = run()?.id;
    let tasks: Vec<Task> =
        (0..201).map(|number| task(&id, &format!("test/service-{number}"))).collect::<Result<_, _>>()?;

    Store::new(&service.config(), "table").create_tasks(&tasks).await?;

    let sizes: Vec<usize> = service
        .requests()
        .iter()
        .map(|(_, input)| input["TransactItems"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(sizes, [100, 100, 1]);
    Ok(())
}

/// A table that cancels every transaction, its items for these reasons.
async fn cancelling(reasons: [&'static str; 2]) -> Result<JsonService, Box<dyn Error>> {
    let reasons: Vec<Value> =
        reasons.iter().map(|code| json!({ "Code": code, "Message": "so it is" })).collect();
    let cancelled = json!({ "__type": "TransactionCanceledException", "CancellationReasons": reasons });
    Ok(JsonService::start(move |_, _| (400, cancelled.clone())).await?)
}

#[tokio::test]
async fn a_cancelled_transaction_is_judged_by_its_reasons() -> Outcome {
    let (head, check) = (run()?, task(&run()?.id, "test/+checks")?);
    for (reasons, expect) in [
        (["None", "ConditionalCheckFailed"], Ok(Written::Conflict)),
        (["TransactionConflict", "None"], Ok(Written::Conflict)),
        (["None", "ThrottlingError"], Err(Advice::Retry(None))),
        (["ProvisionedThroughputExceeded", "None"], Err(Advice::Retry(None))),
        (["ThrottlingError", "ValidationError"], Err(Advice::Reject)),
    ] {
        let service = cancelling(reasons).await?;
        let written = Store::new(&service.config(), "table").write_both(&check, &head).await;
        assert_eq!(written.map_err(|fault| fault.advice), expect, "{reasons:?}");
    }
    Ok(())
}

#[tokio::test]
async fn tasks_that_others_keep_writing_are_left_to_the_caller() -> Outcome {
    let service = cancelling(["TransactionConflict", "None"]).await?;
    let id = run()?.id;
    let tasks = [task(&id, "test/a")?, task(&id, "test/b")?];
    let created = Store::new(&service.config(), "table").create_tasks(&tasks).await;
    assert_eq!(created.map_err(|fault| fault.advice), Err(Advice::Retry(None)));
    assert_eq!(service.requests().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_refused() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let read = Store::new(&config, "no-such-table").run(&run()?.id).await;
    let fault = read.err().ok_or("it was read")?;
    assert_eq!(fault.advice, Advice::Reject, "{}", fault.chain());
    assert!(fault.chain().contains("ResourceNotFoundException"), "{}", fault.chain());
    Ok(())
}
