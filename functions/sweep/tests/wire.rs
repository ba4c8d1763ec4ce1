//! What a sweep asks of AWS.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use domain::message::QueueName;
use domain::ports::{Repositories as _, Runs as _};
use domain::time::Timestamp;
use domain::tips::INTERVAL;
use queue::Queue;
use serde_json::json;
use slipway_sweep::Sweep;
use store::Store;
use testkit::aws;
use testkit::aws_json::JsonService;

type Outcome = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp(1_795_435_200_000);

/// A table in whose index lies `item`, or nothing; everything else succeeds.
async fn table(item: Option<serde_json::Value>) -> Result<JsonService, Box<dyn Error>> {
    Ok(JsonService::start(move |operation, _| match operation {
        "Query" => (200, json!({ "Items": item.iter().collect::<Vec<_>>(), "Count": 0, "ScannedCount": 0 })),
        "SendMessageBatch" => (200, json!({ "Successful": [], "Failed": [] })),
        _ => (200, json!({})),
    })
    .await?)
}

fn sweep(service: &JsonService) -> Sweep<Store, Queue> {
    let urls = BTreeMap::from([(QueueName::Plan, "http://127.0.0.1/plan".to_owned())]);
    Sweep { store: Store::new(&service.config(), "table"), queue: Queue::new(&service.config(), urls) }
}

#[tokio::test]
async fn an_idle_sweep_costs_one_query() -> Outcome {
    let service = table(None).await?;
    assert_eq!(sweep(&service).handle(NOW).await?, 0);
    let requests = service.requests();
    let [(operation, input)] = requests.as_slice() else { return Err(format!("{requests:?}").into()) };
    assert_eq!((operation.as_str(), &input["IndexName"]), ("Query", &json!("due")));
    assert_eq!(input["KeyConditionExpression"], "due_pk = :due AND due_at < :now");
    Ok(())
}

#[tokio::test]
async fn a_repository_costs_a_message_and_a_small_update() -> Outcome {
    let item = json!({
        "pk": { "S": "repository#vive-sphere/bot-manager" }, "sk": { "S": "watch" },
        "due_pk": { "S": "due" }, "due_at": { "N": "1" },
    });
    let service = table(Some(item)).await?;
    assert_eq!(sweep(&service).handle(NOW).await?, 1);
    assert_eq!(service.operations(), ["Query", "SendMessageBatch", "UpdateItem"]);
    let requests = service.requests();
    assert_eq!(
        requests[1].1["Entries"][0]["MessageBody"],
        r#"{"kind":"tips","repository":"vive-sphere/bot-manager"}"#
    );
    let update = &requests[2].1;
    assert_eq!(update["Key"]["sk"], json!({ "S": "watch" }));
    assert_eq!(update["ConditionExpression"], "attribute_exists(due_at)");
    let until = NOW.after(INTERVAL).0.to_string();
    assert_eq!(update["ExpressionAttributeValues"][":until"], json!({ "N": until }));
    Ok(())
}

#[tokio::test]
async fn the_local_aws_finds_a_repository_due_again_after_the_interval() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (table, queue) = (aws::unique("sweep"), aws::unique("sweep"));
    aws::create_table(&config, &table).await?;
    let store = Store::new(&config, &table);
    let created = aws_sdk_sqs::Client::new(&config).create_queue().queue_name(&queue).send().await?;
    let url = created.queue_url.ok_or("a queue has a URL")?;
    let sweep = Sweep { store: store.clone(), queue: Queue::new(&config, [(QueueName::Plan, url)].into()) };
    store.watch(&"vive-sphere/bot-manager".parse()?, NOW).await?;
    for (minutes, due) in [(0, 0), (1, 1), (2, 0), (16, 0), (17, 1)] {
        let now = NOW.after(Duration::from_mins(minutes));
        assert_eq!(sweep.handle(now).await?, due, "after {minutes} minutes");
    }
    assert_eq!(store.due(NOW.after(Duration::from_hours(1)), 10).await?.len(), 1);
    Ok(())
}
