//! The verify function.

use cluster::Clusters;
use domain::ids::Stage;
use domain::message::QueueName;
use lambda::{Delivered, Variables};
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_verify::Verification;
use store::Store;

const SENDS_TO: [QueueName; 4] = [
    QueueName::Stage(Stage::Verify),
    QueueName::Stage(Stage::Deploy),
    QueueName::Stage(Stage::Publish),
    QueueName::Notify,
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (own_queue, dead_letters) = (variables.text("VERIFY_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    let (own, named) = (variables.text("KUBECONFIG_SECRET_ID"), variables.text("CLUSTERS_SECRET_PREFIX"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let clusters = Clusters::new(&aws, Secrets::new(&aws), own, named);
    let work = Delivered::new(clusters, |cluster| Verification { store: store.clone(), cluster });
    lambda::serve_stage(Stage::Verify, &store, &queue, &redelivery, &work).await
}
