//! The cloud's own functions, held back and let go again: whoever invokes a function by hand wants to see what that
//! invocation does, and not to race for its messages.

use anyhow::Context;
use hyper::Method;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::record::Record;

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

/// Lets the cloud's functions take no message and sweep not begin by itself, or lets them do so again.
///
/// # Errors
/// When the local AWS refuses.
pub async fn hold(record: &Record, held: bool) -> anyhow::Result<()> {
    let aws = Aws::at(record.aws_url());
    for id in mappings(&aws, &record.name).await? {
        let body = json!({ "Enabled": !held }).to_string();
        aws.rest(Method::PUT, "lambda", &format!("{MAPPINGS}/{id}"), body).await?;
    }
    let path = format!("/schedules/{}-sweep", record.name);
    let mut schedule: Value = serde_json::from_slice(&aws.rest(Method::GET, "scheduler", &path, "").await?)?;
    schedule["State"] = if held { "DISABLED" } else { "ENABLED" }.into();
    aws.rest(Method::PUT, "scheduler", &path, schedule.to_string()).await?;
    Ok(())
}

/// The ids of what hands messages to the cloud's functions.
async fn mappings(aws: &Aws, stack: &str) -> anyhow::Result<Vec<String>> {
    let answer: Value = serde_json::from_slice(&aws.rest(Method::GET, "lambda", MAPPINGS, "").await?)?;
    let all = answer["EventSourceMappings"].as_array().context("the local AWS lists no mappings")?;
    let of_stack = |mapping: &&Value| {
        let queue = mapping["EventSourceArn"].as_str().and_then(|arn| arn.rsplit(':').next());
        queue.and_then(|queue| queue.strip_prefix(stack)).is_some_and(|rest| rest.starts_with('-'))
    };
    let ids = all.iter().filter(of_stack).map(|mapping| mapping["UUID"].as_str());
    ids.map(|id| Ok(id.context("a mapping without an id")?.to_owned())).collect()
}
