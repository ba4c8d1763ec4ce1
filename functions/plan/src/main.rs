//! The plan function.

use std::collections::BTreeMap;

use artifacts::Artifacts;
use domain::ids::Stage;
use domain::message::QueueName;
use domain::time::Timestamp;
use github::GitHub;
use lambda::{SqsEvent, Variables};
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_plan::Planner;
use store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, bucket) = (variables.text("TABLE_NAME"), variables.text("BUCKET_NAME"));
    let (api, secret_id) = (variables.text("GITHUB_API_URL"), variables.text("GITHUB_SECRET_ID"));
    let own_queue = variables.text("PLAN_QUEUE_URL");
    let queues = BTreeMap::from([
        (QueueName::Stage(Stage::Test), variables.text("TEST_QUEUE_URL")),
        (QueueName::Stage(Stage::Build), variables.text("BUILD_QUEUE_URL")),
        (QueueName::Stage(Stage::Deploy), variables.text("DEPLOY_QUEUE_URL")),
        (QueueName::Notify, variables.text("NOTIFY_QUEUE_URL")),
    ]);
    variables.complete()?;

    let aws = lambda::aws().await;
    let source = GitHub::new(&api, Secrets::new(&aws), secret_id)?;
    let planner = Planner { store: Store::new(&aws, table), queue: Queue::new(&aws, queues), artifacts: Artifacts::new(&aws, bucket), source };
    let redelivery = Redelivery::new(&aws, own_queue);
    lambda::run(async |event: SqsEvent| Ok(lambda::each(event, &redelivery, async |record| planner.handle(&record.body, Timestamp::now()).await).await)).await
}
