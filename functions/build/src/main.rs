//! The build function.

use artifacts::Artifacts;
use builds::Builds;
use domain::ids::Stage;
use domain::message::QueueName;
use images::Images;
use lambda::Variables;
use queue::{Queue, Redelivery};
use slipway_build::ImageBuilds;
use store::Store;

const SENDS_TO: [QueueName; 4] = [
    QueueName::Stage(Stage::Build),
    QueueName::Stage(Stage::Publish),
    QueueName::Stage(Stage::Deploy),
    QueueName::Notify,
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (own_queue, dead_letters) = (variables.text("BUILD_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    let (bucket, project) = (variables.text("BUCKET_NAME"), variables.text("IMAGE_PROJECT"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let images = Images::new(&aws, Variables::optional("REGISTRY"));
    let work = ImageBuilds {
        builds: Builds::new(&aws, project, &bucket),
        artifacts: Artifacts::new(&aws, bucket),
        images,
        base_image: Variables::optional("BASE_IMAGE"),
    };
    lambda::serve_stage(Stage::Build, &store, &queue, &redelivery, &work).await
}
