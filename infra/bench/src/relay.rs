//! Plays the event source mappings: takes messages off the queues and hands them to functions one by one, so that
//! each invocation is measured alone.

use anyhow::Context;
use hyper::Method;
use local::{Aws, Record};
use serde_json::{Value, json};

use crate::scene::output_of;

/// The functions that are fed by a queue, in the order of a commit's way.
pub(crate) const FED: [&str; 7] = ["plan", "test", "build", "publish", "deploy", "verify", "notify"];

/// The queues of a cloud whose own mappings are switched off.
#[derive(Debug)]
pub(crate) struct Relay {
    aws: Aws,
    stack: String,
    urls: Vec<(&'static str, String)>,
}

/// Messages for one invocation.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The function.
    pub(crate) function: &'static str,
    /// What the mapping would invoke it with.
    pub(crate) event: Value,
    url: String,
}

impl Relay {
    /// Switches the cloud's mappings off and stands in their place.
    ///
    /// # Errors
    /// When the local AWS refuses.
    pub(crate) async fn instead_of_mappings(aws: Aws, record: &Record) -> anyhow::Result<Self> {
        let list = aws.rest(Method::GET, "lambda", "/2015-03-31/event-source-mappings/", "").await?;
        let list: Value = serde_json::from_slice(&list)?;
        for mapping in list["EventSourceMappings"].as_array().context("the mappings")? {
            let id = mapping["UUID"].as_str().context("a mapping's id")?;
            let path = format!("/2015-03-31/event-source-mappings/{id}");
            aws.rest(Method::PUT, "lambda", &path, json!({ "Enabled": false }).to_string()).await?;
        }
        let url = |name: &'static str| {
            let (first, rest) = name.split_at(1);
            let output = format!("{}{rest}QueueUrl", first.to_uppercase());
            Ok((name, output_of(record, &output)?.to_owned()))
        };
        let urls = FED.into_iter().map(url).collect::<anyhow::Result<_>>()?;
        Ok(Self { aws, stack: record.name.clone(), urls })
    }

    /// The next messages of a function's queue, as its mapping would bring them; none where it is empty.
    ///
    /// # Errors
    /// When the local AWS refuses.
    pub(crate) async fn receive(&self, function: &'static str) -> anyhow::Result<Option<Batch>> {
        let (_, url) = self.urls.iter().find(|(name, _)| *name == function).context("a function's queue")?;
        // plan takes one commit at a time (template.yaml).
        let most = if function == "plan" { 1 } else { 10 };
        let body = json!({ "QueueUrl": url, "MaxNumberOfMessages": most, "AttributeNames": ["All"] });
        let answer = self.aws.json("sqs", "AmazonSQS.ReceiveMessage", &body).await?;
        let messages = answer["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if messages.is_empty() {
            return Ok(None);
        }
        let records: Vec<Value> = messages.iter().map(|message| self.record(function, message)).collect();
        Ok(Some(Batch { function, event: json!({ "Records": records }), url: url.clone() }))
    }

    /// A record as `events/test.json` shows it.
    fn record(&self, function: &str, message: &Value) -> Value {
        json!({
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": format!(
                "arn:aws:sqs:us-east-1:000000000000:{}-{function}", self.stack
            ),
            "awsRegion": "us-east-1",
        })
    }

    /// Deletes what the function has not reported as failed.
    ///
    /// # Errors
    /// When the local AWS refuses.
    pub(crate) async fn acknowledge(&self, batch: &Batch, answer: &Value) -> anyhow::Result<()> {
        let failures = answer["batchItemFailures"].as_array().map(Vec::as_slice).unwrap_or_default();
        let failed: Vec<&Value> = failures.iter().map(|failure| &failure["itemIdentifier"]).collect();
        let records = batch.event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
        let done = records.iter().filter(|record| !failed.contains(&&record["messageId"]));
        for record in done {
            let body = json!({ "QueueUrl": batch.url, "ReceiptHandle": record["receiptHandle"] });
            self.aws.json("sqs", "AmazonSQS.DeleteMessage", &body).await?;
        }
        Ok(())
    }

    /// The variables that a function runs with on the local AWS.
    ///
    /// # Errors
    /// When the local AWS does not know it.
    pub(crate) async fn variables(&self, function: &str) -> anyhow::Result<Vec<(String, String)>> {
        let path = format!("/2015-03-31/functions/{}-{function}/configuration", self.stack);
        let answer = self.aws.rest(Method::GET, "lambda", &path, "").await?;
        let configuration: Value = serde_json::from_slice(&answer)?;
        let variables = configuration["Environment"]["Variables"].as_object().context("variables")?;
        let text =
            |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap_or_default().to_owned());
        Ok(variables.iter().map(text).collect())
    }
}
