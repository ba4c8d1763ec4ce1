//! The test function.

use artifacts::Artifacts;
use builds::Builds;
use domain::ids::Stage;
use domain::message::QueueName;
use lambda::Variables;
use queue::{Queue, Redelivery};
use slipway_test::Tests;
use store::Store;

const SENDS_TO: [QueueName; 4] = [
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
    let (own_queue, dead_letters) = (variables.text("TEST_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    let (bucket, secrets_prefix) = (variables.text("BUCKET_NAME"), variables.text("TEST_SECRETS_PREFIX"));
    let (trusted, untrusted) = (variables.text("TEST_PROJECT"), variables.text("UNTRUSTED_PROJECT"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let [builds, untrusted] = [trusted, untrusted].map(|project| Builds::new(&aws, project, &bucket));
    let (runs, artifacts) = (store.clone(), Artifacts::new(&aws, bucket));
    let work = Tests { runs, builds, untrusted, artifacts, secrets_prefix };
    lambda::serve_stage(Stage::Test, &store, &queue, &redelivery, &work).await
}
