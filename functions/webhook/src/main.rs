//! The webhook function.

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
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&[QueueName::Plan]));
    let secret_id = variables.text("WEBHOOK_SECRET_ID");
    variables.complete()?;

    let aws = lambda::aws().await;
    let webhook = Webhook {
        deliveries: Store::new(&aws, table),
        queue: Queue::new(&aws, queues),
        secrets: Secrets::new(&aws),
        secret_id,
    };
    lambda::run(async |request: Request| Ok(webhook.handle(&request, Timestamp::now()).await)).await
}
