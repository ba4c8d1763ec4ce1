//! What is looked at to see an invocation's effect: the table, the queues, the builds, the cluster, GitHub.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use cluster::Cluster;
use domain::ids::{RunId, Sha, TaskId, Trust};
use domain::message::QueueName;
use domain::ports::{Cluster as _, DeliveryState, Rollout, Runs};
use domain::run::Run;
use domain::task::{ObjectName, Outcome, State, Task, Verdict};
use local::{Aws, Cloud, Record};
use serde_json::{Value, json};
use store::Store;
use tokio::time::{Instant, interval};

/// The repository of the example events.
pub(crate) const REPOSITORY: &str = "vive-sphere/bot-manager";

/// How long the builds of the little commit may take on a busy machine.
const BUILDS: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(200);

/// A cloud seen from outside, and the run of the events' commit.
pub(crate) struct Look {
    pub(crate) record: Record,
    pub(crate) run: RunId,
    pub(crate) store: Store,
    aws: Aws,
    builds: Aws,
}

impl Look {
    pub(crate) async fn at(cloud: &Cloud) -> anyhow::Result<Self> {
        let record = cloud.record().clone();
        let event = std::fs::read_to_string(local::workspace().join("events/plan.json"))?;
        let event: Value = serde_json::from_str(&event)?;
        let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().context("a body")?)?;
        let sha: Sha = body["sha"].as_str().context("a commit")?.parse()?;
        let run = RunId { repository: REPOSITORY.parse()?, sha, trust: Trust::Trusted };
        let table = record.outputs.get("TableName").context("the table's name")?;
        let store = Store::new(&local::sdk_config(&record).await, table);
        Ok(Self { aws: cloud.aws(), builds: Aws::at(record.builds_url()), record, run, store })
    }

    /// What became of a delivery; none where it was never recorded.
    pub(crate) async fn delivery(&self, id: &str) -> anyhow::Result<Option<DeliveryState>> {
        let key = json!({ "pk": { "S": format!("delivery#{id}") }, "sk": { "S": "delivery" } });
        let table = self.record.outputs.get("TableName").context("the table's name")?;
        let body = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let answer = self.aws.json("dynamodb", "DynamoDB_20120810.GetItem", &body).await?;
        let state = answer["Item"]["state"]["S"].as_str();
        Ok(state.map(serde_json::from_str).transpose()?)
    }

    /// Whether the registry has an image of the service under the tag.
    pub(crate) async fn is_tagged(&self, tag: &str) -> anyhow::Result<bool> {
        let body =
            json!({ "repositoryName": "vive-sphere/authentication", "imageIds": [{ "imageTag": tag }] });
        let target = "AmazonEC2ContainerRegistry_V20150921.DescribeImages";
        let answer = self.aws.json("ecr", target, &body).await?;
        Ok(answer["imageDetails"].as_array().is_some_and(|images| !images.is_empty()))
    }

    /// How many messages wait in a queue.
    pub(crate) async fn waiting(&self, queue: QueueName) -> anyhow::Result<u64> {
        let variable = queue.variable();
        let name = variable.strip_suffix("_QUEUE_URL").context("a queue's variable")?.to_lowercase();
        let (first, rest) = name.split_at(1);
        let output = format!("{}{rest}QueueUrl", first.to_uppercase());
        let url = self.record.outputs.get(&output).with_context(|| format!("no output `{output}`"))?;
        let body = json!({ "QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"] });
        let answer = self.aws.json("sqs", "AmazonSQS.GetQueueAttributes", &body).await?;
        let number = answer["Attributes"]["ApproximateNumberOfMessages"].as_str();
        Ok(number.context("a number of messages")?.parse()?)
    }

    /// The run's head.
    pub(crate) async fn head(&self) -> anyhow::Result<Run> {
        self.store.run(&self.run).await?.context("the run is not in the table")
    }

    /// One of the run's tasks.
    pub(crate) async fn task(&self, id: &str) -> anyhow::Result<Task> {
        let id: TaskId = id.parse()?;
        self.store
            .case(&self.run, std::slice::from_ref(&id))
            .await?
            .1
            .pop()
            .with_context(|| format!("no task `{id}` in the table"))
    }

    /// The build that a task waits for.
    pub(crate) async fn build_of(&self, id: &str) -> anyhow::Result<String> {
        match self.task(id).await?.state {
            State::Running { handle, .. } => Ok(handle),
            state => bail!("no build was started for `{id}`: {state:?}"),
        }
    }

    /// Follows a build to its end.
    pub(crate) async fn build_ends(&self, build: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + BUILDS;
        let mut ticks = interval(POLL);
        loop {
            ticks.tick().await;
            let body = json!({ "ids": [build] });
            let answer = self.builds.json("codebuild", "CodeBuild_20161006.BatchGetBuilds", &body).await?;
            let status =
                answer["builds"][0]["buildStatus"].as_str().context("CodeBuild knows no such build")?;
            if status != "IN_PROGRESS" {
                ensure!(status == "SUCCEEDED", "build `{build}` is {status}");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "build `{build}` does not end");
        }
    }

    /// A task's verdict, which must be that it passed.
    pub(crate) async fn passed(&self, id: &str) -> anyhow::Result<Verdict> {
        let task = self.task(id).await?;
        let verdict = task.verdict().with_context(|| format!("`{id}` has no verdict: {:?}", task.state))?;
        ensure!(verdict.outcome == Outcome::Passed, "`{id}`: {}", verdict.summary);
        Ok(verdict.clone())
    }

    /// How a Deployment fares; an error where the cluster holds none.
    pub(crate) async fn rollout(&self, namespace: &str, name: &str) -> anyhow::Result<Rollout> {
        let kubeconfig = self.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
        let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
        let object = ObjectName {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Ok(cluster.rollout(&object, Duration::ZERO).await?)
    }
}
