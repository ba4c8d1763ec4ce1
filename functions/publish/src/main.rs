//! The publish function.

use domain::ids::Stage;
use domain::message::QueueName;
use images::Images;
use lambda::Variables;
use queue::{Queue, Redelivery};
use slipway_publish::Publishing;
use store::Store;

const SENDS_TO: [QueueName; 3] =
    [QueueName::Stage(Stage::Publish), QueueName::Stage(Stage::Deploy), QueueName::Notify];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (own_queue, dead_letters) = (variables.text("PUBLISH_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let images = Images::new(&aws, Variables::optional("REGISTRY"));
    let work = Publishing { store: store.clone(), images };
    lambda::serve_stage(Stage::Publish, &store, &queue, &redelivery, &work).await
}
