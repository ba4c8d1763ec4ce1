//! The sweep function.

use domain::ids::Stage;
use domain::message::QueueName;
use domain::time::Timestamp;
use lambda::Variables;
use queue::Queue;
use slipway_sweep::Sweep;
use store::Store;

const SENDS_TO: [QueueName; 7] = [
    QueueName::Plan,
    QueueName::Stage(Stage::Test),
    QueueName::Stage(Stage::Build),
    QueueName::Stage(Stage::Publish),
    QueueName::Stage(Stage::Deploy),
    QueueName::Stage(Stage::Verify),
    QueueName::Notify,
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    variables.complete()?;

    let aws = lambda::aws().await;
    let sweep = Sweep { store: Store::new(&aws, table), queue: Queue::new(&aws, queues) };
    lambda::run(async |_schedule: serde_json::Value| Ok(sweep.handle(Timestamp::now()).await?)).await
}
