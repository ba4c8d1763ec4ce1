//! The build function.

use artifacts::Artifacts;
use builds::Builds;
use domain::{ids::Stage, message::QueueName};
use images::{Images, Lifecycle};
use lambda::Variables;
use queue::{Queue, Redelivery};
use slipway_build::{BuildStage, ImageBuilds, ManifestBuilds};
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
    let (images, renders) = (variables.text("IMAGE_PROJECT"), variables.text("RENDER_PROJECT"));
    let (kept, days) = (variables.text("KEPT_IMAGES"), variables.text("UNTAGGED_IMAGE_DAYS"));
    let (bucket, secrets_prefix) = (variables.text("BUCKET_NAME"), variables.text("BUILD_SECRETS_PREFIX"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let (store, queue) = (Store::new(&aws, table), Queue::new(&aws, queues));
    let redelivery = Redelivery::new(&aws, own_queue, dead_letters);
    let registry = Images::new(&aws, Variables::optional("REGISTRY"));
    let registry = registry.with_lifecycle(Lifecycle::parse(&kept, &days)?);
    let [images, renders] = [images, renders].map(|project| Builds::new(&aws, project, &bucket));
    let (base_image, artifacts) = (Variables::optional("BASE_IMAGE"), Artifacts::new(&aws, bucket));
    let manifests = ManifestBuilds { builds: renders, artifacts: artifacts.clone() };
    let images = ImageBuilds { builds: images, artifacts, images: registry, base_image, secrets_prefix };
    lambda::serve_stage(Stage::Build, &store, &queue, &redelivery, &BuildStage { images, manifests }).await
}
