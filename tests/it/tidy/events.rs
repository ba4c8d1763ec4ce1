//! Every example event against the parser of the function that would get it.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use domain::github_event;
use domain::ids::Stage;
use domain::message::{Message, QueueName, parse_stage_message};
use lambda::SqsEvent;
use serde_json::Value;
use slipway_webhook::Request;

use super::Findings;
use super::checkout::Checkout;
use super::template::Template;

/// The function that an event belongs to stands in the file's name: `plan.json`, `codebuild-test-state-change.json`.
/// GitHub's are the webhook's.
pub(super) fn check(template: &Template, checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    let mut seen = BTreeSet::new();
    for path in checkout.below("events/", ".json") {
        let stem = path.trim_start_matches("events/").trim_end_matches(".json");
        match parse(stem, &checkout.text(path)?) {
            Ok(function) => {
                seen.insert(function);
            }
            Err(error) => findings.push(format!("{path}: {error:#}; correct the event or its parser")),
        }
    }
    for function in template.functions.iter().filter(|function| !seen.contains(&function.name)) {
        findings.push(format!("events/{}.json: missing; add an example event for SAM local", function.name));
    }
    Ok(findings)
}

/// Reads an event as its function would, and names the function.
fn parse(stem: &str, text: &str) -> anyhow::Result<String> {
    let words: Vec<&str> = stem.split('-').collect();
    if words.first() == Some(&"github") {
        return webhook(text).map(|()| "webhook".to_owned());
    }
    if stem == "sweep" {
        let schedule: Value = serde_json::from_str(text)?;
        ensure!(schedule["source"] == "aws.scheduler", "not an event of EventBridge Scheduler");
        return Ok(stem.to_owned());
    }
    let stage = Stage::ALL.into_iter().find(|stage| words.contains(&stage.as_str()));
    let queue = match (stem, stage) {
        ("plan" | "plan-tips", _) => QueueName::Plan,
        ("notify", _) => QueueName::Notify,
        (_, Some(stage)) => QueueName::Stage(stage),
        _ => bail!("its name tells no function"),
    };
    let event: SqsEvent = serde_json::from_str(text).context("not an SQS event")?;
    ensure!(!event.records.is_empty(), "an SQS event without records");
    for record in &event.records {
        match queue {
            QueueName::Stage(stage) => drop(parse_stage_message(&record.body, stage)?),
            queue => {
                let message: Message = serde_json::from_str(&record.body)?;
                ensure!(message.queue() == queue, "a message of another queue");
            }
        }
    }
    Ok(stage.map_or_else(|| words[0].to_owned(), |stage| stage.to_string()))
}

fn webhook(text: &str) -> anyhow::Result<()> {
    let request: Request = serde_json::from_str(text).context("not a request of API Gateway")?;
    let event = request.header("x-github-event").context("no header `x-github-event`")?;
    let body = request.bytes().context("the body's base64 is broken")?;
    github_event::parse(event, &body)?;
    Ok(())
}

#[test]
fn what_a_function_would_refuse_is_found() {
    let sqs = |body: &str| {
        serde_json::json!({ "Records": [{ "messageId": "1", "receiptHandle": "r", "body": body }] })
            .to_string()
    };
    let wake = r#"{"kind":"task","run":"a.b.0123456789abcdef0123456789abcdef01234567","task":"test/one"}"#;
    assert_eq!(parse("test", &sqs(wake)).ok().as_deref(), Some("test"));
    for (stem, text) in [
        ("build", sqs(wake)),
        ("plan", sqs(wake)),
        ("test", sqs("{}")),
        ("test", "{}".to_owned()),
        ("github-push", "{}".to_owned()),
        ("sweep", "{}".to_owned()),
        ("other", sqs(wake)),
    ] {
        assert!(parse(stem, &text).is_err(), "{stem} {text}");
    }
}
