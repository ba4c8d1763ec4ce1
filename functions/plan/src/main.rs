//! The plan function.

use artifacts::Artifacts;
use domain::ids::Stage;
use domain::message::QueueName;
use domain::ports::Secrets as _;
use domain::time::Timestamp;
use github::{Credentials, GitHub};
use lambda::{SqsEvent, Variables};
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_plan::Planner;
use store::Store;

const SENDS_TO: [QueueName; 5] = [
    QueueName::Plan,
    QueueName::Stage(Stage::Test),
    QueueName::Stage(Stage::Build),
    QueueName::Stage(Stage::Deploy),
    QueueName::Notify,
];
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (dead_letters, bucket) = (variables.text("DEAD_LETTERS_URL"), variables.text("BUCKET_NAME"));
    let (api, secret_id) = (variables.text("GITHUB_API_URL"), variables.text("GITHUB_SECRET_ID"));
    let build_image = variables.text("BUILD_IMAGE");
    variables.complete()?;
    let aws = lambda::aws().await;
    let credentials = Credentials::parse(&Secrets::new(&aws).secret(&secret_id).await?)?;
    let source = GitHub::new(&api, credentials.app_id, &credentials.private_key)?;
    let redelivery = Redelivery::new(&aws, &queues[&QueueName::Plan], dead_letters);
    let (queue, artifacts) = (Queue::new(&aws, queues), Artifacts::new(&aws, bucket));
    let planner = Planner { store: Store::new(&aws, table), queue, artifacts, source, build_image };
    let handle =
        async |record: lambda::Record| Box::pin(planner.handle(&record.body, Timestamp::now())).await;
    lambda::run(async |event: SqsEvent| Ok(lambda::each(event, &redelivery, handle).await)).await
}
