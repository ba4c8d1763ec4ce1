//! The real functions over the fakes, wired as their `main.rs` wires them.

use std::future::Future;

use domain::ids::Stage;
use domain::message::QueueName;
use domain::time::Timestamp;
use lambda::{
    Attributes, BatchResponse, Record, SqsEvent, StageFunction, StageWork, each, each_stage_message,
};
use serde_json::Value;
use slipway_build::{BuildStage, ImageBuilds, ManifestBuilds};
use slipway_deploy::Deployment;
use slipway_notify::Notifier;
use slipway_plan::Planner;
use slipway_publish::Publishing;
use slipway_sweep::Sweep;
use slipway_test::Tests;
use slipway_verify::Verification;
use slipway_webhook::{Request, Webhook};
use testkit::fakes::{
    MemoryArtifacts, MemoryBuilds, MemoryChat, MemoryCluster, MemoryGitHub, MemoryImages, MemoryPost,
    MemoryQueue, MemorySecrets, MemoryStore, Received, WEBHOOK_SECRET, World,
};

/// All nine.
pub struct Functions {
    world: World,
    webhook: Webhook<MemoryStore, MemoryQueue, MemorySecrets>,
    plan: Planner<MemoryStore, MemoryQueue, MemoryArtifacts, MemoryGitHub>,
    test: Tests<MemoryStore, MemoryBuilds, MemoryArtifacts>,
    build: BuildStage<MemoryBuilds, MemoryArtifacts, MemoryImages>,
    publish: Publishing<MemoryStore, MemoryImages>,
    deploy: Deployment<MemoryStore, MemoryArtifacts, MemoryCluster>,
    verify: Verification<MemoryStore, MemoryCluster>,
    notify: Notifier<MemoryStore, MemoryQueue, MemoryGitHub, MemoryChat, MemoryPost>,
    sweep: Sweep<MemoryStore, MemoryQueue>,
}

impl Functions {
    pub fn new(world: &World) -> Self {
        let World {
            store,
            queue,
            artifacts,
            tests,
            untrusted,
            image_builds,
            renders,
            images,
            github,
            chat,
            post,
            cluster,
            secrets,
            ..
        } = world.clone();
        Self {
            world: world.clone(),
            webhook: Webhook {
                deliveries: store.clone(),
                queue: queue.clone(),
                secrets,
                secret_id: WEBHOOK_SECRET.to_owned(),
            },
            plan: Planner {
                store: store.clone(),
                queue: queue.clone(),
                artifacts: artifacts.clone(),
                source: github.clone(),
                build_image: "standard:5.0".to_owned(),
            },
            test: Tests {
                runs: store.clone(),
                builds: tests,
                untrusted,
                artifacts: artifacts.clone(),
                secrets_prefix: "slipway/test/".to_owned(),
            },
            build: BuildStage {
                images: ImageBuilds {
                    builds: image_builds,
                    artifacts: artifacts.clone(),
                    images: images.clone(),
                    base_image: None,
                    secrets_prefix: "slipway/build/".to_owned(),
                },
                manifests: ManifestBuilds { builds: renders, artifacts: artifacts.clone() },
            },
            publish: Publishing { store: store.clone(), images },
            deploy: Deployment { store: store.clone(), artifacts, cluster: cluster.clone() },
            verify: Verification { store: store.clone(), cluster },
            notify: Notifier {
                store: store.clone(),
                queue: queue.clone(),
                github,
                web: Some("https://github.com".to_owned()),
                chat,
                post: Some(post),
            },
            sweep: Sweep { store, queue },
        }
    }

    /// One webhook; false when its answer asks people to press `Redeliver`.
    pub async fn post(&self, request: &Value) -> bool {
        let request: Request = serde_json::from_value(request.clone()).expect("a webhook of the test");
        self.webhook.handle(&request, self.now()).await.status_code != 503
    }

    /// One invocation with some messages of one queue; those that are not to come again are deleted.
    pub async fn handle(&self, name: QueueName, batch: Vec<Received>) {
        let record = |received: &Received| Record {
            message_id: received.message_id(),
            receipt_handle: received.receipt(),
            body: received.body.clone(),
            attributes: Attributes::default(),
        };
        let event = SqsEvent { records: batch.iter().map(record).collect() };
        let queue = &self.world.queue;
        let response = match name {
            QueueName::Plan => {
                each(event, queue, async |record| self.plan.handle(&record.body, self.now()).await).await
            }
            QueueName::Notify => {
                let handle = async |record: Record| {
                    self.notify.handle(&record.body, &record.message_id, self.now()).await
                };
                each(event, queue, handle).await
            }
            QueueName::Stage(Stage::Test) => self.stage(event, Stage::Test, &self.test).await,
            QueueName::Stage(Stage::Build) => self.stage(event, Stage::Build, &self.build).await,
            QueueName::Stage(Stage::Publish) => self.stage(event, Stage::Publish, &self.publish).await,
            QueueName::Stage(Stage::Deploy) => self.stage(event, Stage::Deploy, &self.deploy).await,
            QueueName::Stage(Stage::Verify) => self.stage(event, Stage::Verify, &self.verify).await,
        };
        let response = serde_json::to_value(response).expect("plain data");
        let again: Vec<_> = response["batchItemFailures"].as_array().into_iter().flatten().collect();
        for received in batch {
            if !again.iter().any(|failure| failure["itemIdentifier"] == received.message_id()) {
                queue.delete(received.number);
            }
        }
    }

    /// One sweep.
    pub async fn sweep(&self) {
        // Lambda does not repeat a failed schedule; the next minute does.
        drop(self.sweep.handle(self.now()).await);
    }

    fn stage<'a>(
        &'a self,
        event: SqsEvent,
        stage: Stage,
        work: &'a impl StageWork,
    ) -> impl Future<Output = BatchResponse> + 'a {
        let (store, queue) = (&self.world.store, &self.world.queue);
        each_stage_message(event, queue, stage, async move |message| {
            StageFunction::new(store, queue, queue, work).attend(&message, || self.now()).await
        })
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }
}
