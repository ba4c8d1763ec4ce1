//! The webhook function.

use std::collections::BTreeMap;

use domain::message::QueueName;
use domain::time::Timestamp;
use lambda::Variables;
use queue::Queue;
use secrets::Secrets;
use slipway_webhook::{Request, Webhook};
use store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, plan_queue) = (variables.text("TABLE_NAME"), variables.text("PLAN_QUEUE_URL"));
    let secret_id = variables.text("WEBHOOK_SECRET_ID");
    variables.complete()?;

    let aws = lambda::aws().await;
    let webhook = Webhook {
        deliveries: Store::new(&aws, table),
        queue: Queue::new(&aws, BTreeMap::from([(QueueName::Plan, plan_queue)])),
        secrets: Secrets::new(&aws),
        secret_id,
    };
    lambda::run(async |request: Request| Ok(webhook.handle(&request, Timestamp::now()).await)).await
}
