//! The deploy function.

use artifacts::Artifacts;
use cluster::Cluster;
use domain::ids::Stage;
use domain::message::QueueName;
use domain::ports::Secrets as _;
use lambda::Variables;
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_deploy::Deployment;
use store::Store;

const SENDS_TO: [QueueName; 3] =
    [QueueName::Stage(Stage::Deploy), QueueName::Stage(Stage::Verify), QueueName::Notify];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, queues) = (variables.text("TABLE_NAME"), variables.queues(&SENDS_TO));
    let (own_queue, dead_letters) = (variables.text("DEPLOY_QUEUE_URL"), variables.text("DEAD_LETTERS_URL"));
    let (bucket, kubeconfig_id) = (variables.text("BUCKET_NAME"), variables.text("KUBECONFIG_SECRET_ID"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue, redelivery) =
        (Store::new(&aws, table), Queue::new(&aws, queues), Redelivery::new(&aws, own_queue, dead_letters));
    let kubeconfig = Secrets::new(&aws).secret(&kubeconfig_id).await?;
    let cluster = Cluster::from_kubeconfig(kubeconfig.reveal()).await?;
    let work = Deployment { store: store.clone(), artifacts: Artifacts::new(&aws, bucket), cluster };
    lambda::serve_stage(Stage::Deploy, &store, &queue, &redelivery, &work).await
}
