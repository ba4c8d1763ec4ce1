//! What a story looks at and reaches into: the table, the queues, the logs, GitHub.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::message::QueueName;
use domain::ports::DeliveryState;
use local::seen::{self, CheckRun};
use local::{Aws, Cloud, Record, Watch, Workbench};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, interval};

/// Everything short happens within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// The repository that the local operator's file serves.
pub(crate) const REPOSITORY: &str = "vive-sphere/bot-manager";

/// A message that a function has set aside.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A cloud seen from outside.
pub(crate) struct World<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) record: &'a Record,
    pub(crate) watch: Watch,
    aws: Aws,
    builds: Aws,
}

impl<'a> World<'a> {
    pub(crate) async fn of(cloud: &'a Cloud) -> anyhow::Result<Self> {
        let record = cloud.record();
        let builds = Aws::at(record.builds_url());
        Ok(Self { cloud, record, watch: Watch::of(record).await?, aws: cloud.aws(), builds })
    }

    pub(crate) fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.record.outputs.get(name).map(String::as_str).with_context(|| format!("no output `{name}`"))
    }

    /// A checkout of these files in the cloud's folder.
    pub(crate) async fn bench(&self, files: &Path) -> anyhow::Result<Workbench> {
        let folder = local::workspace().join(".slipway").join(&self.record.name).join("checkout");
        Workbench::of_example(files, &folder, self.record, &REPOSITORY.parse()?).await
    }

    // ---- the table

    /// How many items the table holds.
    pub(crate) async fn items(&self) -> anyhow::Result<u64> {
        let body =
            json!({ "TableName": self.output("TableName")?, "Select": "COUNT", "ConsistentRead": true });
        let answer = self.aws.json("dynamodb", "DynamoDB_20120810.Scan", &body).await?;
        answer["Count"].as_u64().context("a count")
    }

    /// What became of a delivery; none where it was never recorded.
    pub(crate) async fn delivery(&self, id: &str) -> anyhow::Result<Option<DeliveryState>> {
        let key = json!({ "pk": { "S": format!("delivery#{id}") }, "sk": { "S": "delivery" } });
        let body = json!({ "TableName": self.output("TableName")?, "Key": key, "ConsistentRead": true });
        let answer = self.aws.json("dynamodb", "DynamoDB_20120810.GetItem", &body).await?;
        let state = answer["Item"]["state"]["S"].as_str();
        Ok(state.map(serde_json::from_str).transpose()?)
    }

    // ---- queues

    pub(crate) async fn send(&self, queue: QueueName, body: &str) -> anyhow::Result<()> {
        let body = json!({ "QueueUrl": self.queue_url(queue)?, "MessageBody": body });
        self.aws.json("sqs", "AmazonSQS.SendMessage", &body).await?;
        Ok(())
    }

    /// Messages in a queue: waiting, delayed or in the hands of its function.
    pub(crate) async fn queued(&self, queue: QueueName) -> anyhow::Result<u64> {
        self.messages(self.queue_url(queue)?).await
    }

    /// Messages in the queue of its dead letters.
    pub(crate) async fn dead_letters(&self, queue: QueueName) -> anyhow::Result<u64> {
        self.messages(&self.dead_letter_url(queue).await?).await
    }

    /// Takes one dead letter out: its body, and its attributes that are texts.
    pub(crate) async fn take_dead_letter(&self, queue: QueueName) -> anyhow::Result<Option<DeadLetter>> {
        let url = self.dead_letter_url(queue).await?;
        let receive = json!({ "QueueUrl": url, "MessageAttributeNames": ["All"] });
        let received = self.aws.json("sqs", "AmazonSQS.ReceiveMessage", &receive).await?;
        let message = &received["Messages"][0];
        let (Some(body), Some(receipt)) = (message["Body"].as_str(), message["ReceiptHandle"].as_str())
        else {
            return Ok(None);
        };
        let delete = json!({ "QueueUrl": url, "ReceiptHandle": receipt });
        self.aws.json("sqs", "AmazonSQS.DeleteMessage", &delete).await?;
        let attribute = |(name, value): (&String, &Value)| {
            value["StringValue"].as_str().map(|value| (name.clone(), value.to_owned()))
        };
        let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
        Ok(Some(DeadLetter { body: body.to_owned(), attributes: attributes.filter_map(attribute).collect() }))
    }

    async fn messages(&self, url: &str) -> anyhow::Result<u64> {
        let body = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let answer = self.aws.json("sqs", "AmazonSQS.GetQueueAttributes", &body).await?;
        let number =
            |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
        let names = ["", "NotVisible", "Delayed"].map(|kind| format!("ApproximateNumberOfMessages{kind}"));
        let numbers = names.iter().map(|name| number(name).with_context(|| format!("no `{name}`")));
        Ok(numbers.collect::<anyhow::Result<Vec<_>>>()?.into_iter().sum())
    }

    fn queue_url(&self, queue: QueueName) -> anyhow::Result<&str> {
        self.output(&format!("{}QueueUrl", capital(queue.function())))
    }

    async fn dead_letter_url(&self, queue: QueueName) -> anyhow::Result<String> {
        let name = format!("{}-{}-dead-letters", self.record.name, queue.function());
        let answer = self.aws.json("sqs", "AmazonSQS.GetQueueUrl", &json!({ "QueueName": name })).await?;
        Ok(answer["QueueUrl"].as_str().context("a queue's URL")?.to_owned())
    }

    // ---- builds, logs

    /// The ids of all builds that were ever started, or those of the image project.
    pub(crate) async fn builds(&self) -> anyhow::Result<usize> {
        let answer = self.builds.json("codebuild", "CodeBuild_20161006.ListBuilds", &json!({})).await?;
        Ok(answer["ids"].as_array().context("ids")?.len())
    }

    /// The builds of images that were ever started.
    pub(crate) async fn image_builds(&self) -> anyhow::Result<usize> {
        let body = json!({ "projectName": self.output("ImageProjectName")? });
        let answer = self.builds.json("codebuild", "CodeBuild_20161006.ListBuildsForProject", &body).await?;
        Ok(answer["ids"].as_array().context("ids")?.len())
    }

    /// What a function has logged.
    pub(crate) async fn log(&self, function: &str) -> anyhow::Result<Vec<String>> {
        let body = json!({ "logGroupName": format!("/aws/lambda/{}-{function}", self.record.name) });
        let answer = self.aws.json("logs", "Logs_20140328.FilterLogEvents", &body).await?;
        let events = answer["events"].as_array().context("events")?.iter();
        Ok(events.filter_map(|event| event["message"].as_str()).map(str::to_owned).collect())
    }

    /// Warnings and errors of all functions, for whoever must find out why a story failed.
    pub(crate) async fn complaints(&self) -> String {
        let mut complaints = Vec::new();
        for function in ["webhook", "plan", "test", "build", "publish", "deploy", "verify", "notify", "sweep"]
        {
            let is_one = |line: &String| {
                ["\"WARN\"", "\"ERROR\"", "errorMessage"].iter().any(|mark| line.contains(mark))
            };
            let lines = self.log(function).await.unwrap_or_default();
            complaints.extend(
                lines
                    .iter()
                    .filter(|line| is_one(line))
                    .map(|line| format!("{function}: {}", line.trim_end())),
            );
        }
        complaints.join("\n")
    }

    // ---- GitHub

    /// The check run of this name on a run's commit.
    pub(crate) async fn check(&self, run: &RunId, name: &str) -> anyhow::Result<CheckRun> {
        let checks = seen::check_runs(self.record, run).await?;
        let names: Vec<_> = checks.iter().map(|check| check.name.clone()).collect();
        checks
            .into_iter()
            .find(|check| check.name == name)
            .with_context(|| format!("no check `{name}` in {names:?}"))
    }

    /// The attempts to deliver, newest last, as GitHub lists them.
    pub(crate) fn deliveries(&self) -> Vec<Value> {
        self.cloud.github().snapshot()["deliveries"].as_array().cloned().unwrap_or_default()
    }

    /// Runs git in a folder.
    pub(crate) async fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("git")
            .args(["-c", "user.name=Mallory", "-c", "user.email=mallory@elsewhere.example"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
            .args(arguments)
            .current_dir(folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .await?;
        ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = interval(POLL);
    loop {
        ticks.tick().await;
        if let Some(seen) = look().await.with_context(|| what.to_owned())? {
            return Ok(seen);
        }
        ensure!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}
