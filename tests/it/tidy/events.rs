//! Every example event against the parser of the function that would get it.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use domain::github_event;
use domain::ids::Stage;
use domain::message::{Message, QueueName, Unreadable, parse_message, parse_stage_message};
use lambda::SqsEvent;
use serde_json::Value;
use slipway_webhook::Request;

use super::Findings;
use super::checkout::Checkout;
use super::template::Template;

/// Where the way to use an event stands.
const GUIDE: &str = "CONTRIBUTING.md";

/// Made of the domain's own words, which a test there compares.
const SCHEMA: &str = "events/messages.schema.json";

/// The function that an event belongs to stands in the file's name: `plan.json`, `codebuild-test-state-change.json`.
/// GitHub's are the webhook's.
pub(super) fn check(template: &Template, checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    let mut seen = BTreeSet::new();
    for path in checkout.below("events/", ".json") {
        let stem = path.trim_start_matches("events/").trim_end_matches(".json");
        if path == SCHEMA {
            continue;
        }
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
    findings.extend(check_guide(template, &checkout.text(GUIDE)?, |path| checkout.text(path)));
    findings.extend(check_commit(checkout)?);
    Ok(findings)
}

/// For every function the guide has a command for SAM local, with an event that the function understands.
fn check_guide(template: &Template, guide: &str, text: impl Fn(&str) -> anyhow::Result<String>) -> Findings {
    let mut findings = Findings::new();
    for function in &template.functions {
        let command = format!("sam local invoke {} -e events/", function.id);
        let named = guide.split(&command).nth(1).and_then(|rest| rest.split_once(".json"));
        let understood = named.map(|(stem, _)| parse(stem, &text(&format!("events/{stem}.json"))?));
        match understood {
            Some(Ok(name)) if name == function.name => {}
            Some(Ok(name)) => {
                findings.push(format!("{GUIDE}: the event for {} is one of {name}", function.id));
            }
            Some(Err(error)) => findings.push(format!("{GUIDE}: the event for {}: {error:#}", function.id)),
            None => findings.push(format!("{GUIDE}: no `{command}….json`; SAM local is for every function")),
        }
    }
    findings
}

/// The runs in the events are of the commit that infra/sam/commit.sh makes.
fn check_commit(checkout: &Checkout) -> anyhow::Result<Findings> {
    let folder = std::env::temp_dir().join(format!("slipway-tidy-{}", std::process::id()));
    let made = Command::new("sh")
        .args(["-c", "git init --quiet --bare && sh infra/sam/commit.sh"])
        .env("GIT_DIR", &folder)
        .current_dir(checkout.root())
        .output();
    let made = made.context("sh and git are needed")?;
    std::fs::remove_dir_all(folder)?;
    ensure!(made.status.success(), "infra/sam/commit.sh: {}", String::from_utf8_lossy(&made.stderr));
    let commit = String::from_utf8(made.stdout)?.trim().to_owned();
    let mut findings = Findings::new();
    for path in checkout.below("events/", ".json") {
        let text = checkout.text(path)?;
        let others = text.split("vive-sphere.bot-manager.").skip(1).any(|rest| !rest.starts_with(&commit));
        if others {
            findings.push(format!(
                "{path}: names a run of another commit than `{commit}`; `python3 infra/sam/events.py` fits it"
            ));
        }
    }
    Ok(findings)
}

/// Reads an event as its function would, and names the function.
fn parse(stem: &str, text: &str) -> anyhow::Result<String> {
    let words: Vec<&str> = stem.split('-').collect();
    if words.first() == Some(&"github") {
        return webhook(text).map(|()| "webhook".to_owned());
    }
    if stem.starts_with("messages/") {
        return body(text);
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
        // What people send: about a test, and with who sent it.
        ("rerun" | "revive", _) => QueueName::Stage(Stage::Test),
        (_, Some(stage)) => QueueName::Stage(stage),
        _ => bail!("its name tells no function"),
    };
    let event: SqsEvent = serde_json::from_str(text).context("not an SQS event")?;
    ensure!(!event.records.is_empty(), "an SQS event without records");
    for record in &event.records {
        let sent_by_people = matches!(stem, "rerun" | "revive");
        ensure!(!sent_by_people || record.attributes.sender_id.is_some(), "a request without `SenderId`");
        match queue {
            QueueName::Stage(stage) => drop(parse_stage_message(&record.body, stage)?),
            queue => {
                let message: Message = serde_json::from_str(&record.body)?;
                ensure!(message.queue() == queue, "a message of another queue");
            }
        }
    }
    Ok(queue.function().to_owned())
}

/// A message's body alone, as `aws sqs send-message --message-body file://…` takes it.
fn body(text: &str) -> anyhow::Result<String> {
    match parse_message(text, QueueName::Plan) {
        Ok(_) => Ok(QueueName::Plan.function().to_owned()),
        Err(Unreadable::Elsewhere(queue)) => {
            parse_message(text, queue)?;
            Ok(queue.function().to_owned())
        }
        Err(unreadable) => Err(unreadable.into()),
    }
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
    assert_eq!(parse("messages/task", wake).ok().as_deref(), Some("test"));
    for (stem, text) in [
        ("build", sqs(wake)),
        ("plan", sqs(wake)),
        ("test", sqs("{}")),
        ("test", "{}".to_owned()),
        ("github-push", "{}".to_owned()),
        ("sweep", "{}".to_owned()),
        ("other", sqs(wake)),
        ("rerun", sqs(wake)),
        ("messages/rerun", sqs(wake)),
        ("messages/rerun", r#"{"kind":"rerun","run":"a"}"#.to_owned()),
    ] {
        assert!(parse(stem, &text).is_err(), "{stem} {text}");
    }
}

#[test]
fn a_function_that_the_guide_forgets_is_found() -> anyhow::Result<()> {
    let checkout = Checkout::here()?;
    let template = Template::parse(&checkout.text("template.yaml")?)?;
    let guide = checkout.text(GUIDE)?;
    for (guide, found) in [
        (guide.replace("invoke PlanFunction", "invoke"), "invoke PlanFunction"),
        (
            guide.replace("-e events/build.json", "-e events/test.json"),
            "the event for BuildFunction is one of test",
        ),
        (guide.replace("-e events/deploy.json", "-e events/none.json"), "the event for DeployFunction"),
    ] {
        let findings = check_guide(&template, &guide, |path| checkout.text(path));
        assert!(findings.len() == 1 && findings[0].contains(found), "{findings:#?}");
    }
    Ok(())
}
