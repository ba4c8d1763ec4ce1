//! The verify function.

use cluster::Cluster;
use domain::ids::Stage;
use domain::message::QueueName;
use domain::ports::Secrets as _;
use lambda::Variables;
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_verify::Verification;
use store::Store;

const SENDS_TO: [QueueName; 3] =
    [QueueName::Stage(Stage::Verify), QueueName::Stage(Stage::Deploy), QueueName::Notify];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (own_queue, dead_letters) = (variables.text("VERIFY_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    let kubeconfig_id = variables.text("KUBECONFIG_SECRET_ID");
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let kubeconfig = Secrets::new(&aws).secret(&kubeconfig_id).await?;
    let work =
        Verification { store: store.clone(), cluster: Cluster::from_kubeconfig(kubeconfig.reveal()).await? };
    lambda::serve_stage(Stage::Verify, &store, &queue, &redelivery, &work).await
}
