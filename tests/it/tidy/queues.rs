//! Queues, their dead letters, and who may send to them.

use domain::next::MOST_FAILURES;
use serde_json::Value;

use super::Findings;
use super::template::{FILE, Template, arn_of, list, statements, texts};

pub(super) fn check(template: &Template) -> Findings {
    let mut findings = Findings::new();
    for (id, properties) in template.of_type("AWS::SQS::Queue") {
        if properties["SqsManagedSseEnabled"] != Value::Bool(true) {
            findings.push(format!("{FILE}: queue `{id}` is not encrypted; set SqsManagedSseEnabled"));
        }
    }
    findings.extend(sources(template));
    findings.extend(alarms(template));
    findings.extend(rules(template));
    for (id, properties) in template.of_type("AWS::Scheduler::Schedule") {
        if !properties["Target"]["DeadLetterConfig"]["Arn"].is_string() {
            findings.push(format!("{FILE}: the target of schedule `{id}` has no dead-letter queue; add one"));
        }
    }
    findings
}

/// The queues that wake functions.
fn sources(template: &Template) -> Findings {
    let mut findings = Findings::new();
    for function in &template.functions {
        for (queue, reports) in &function.sources {
            let Some(properties) = template.properties(queue) else {
                findings
                    .push(format!("{FILE}: `{}` is woken by `{queue}`, which is no queue", function.name));
                continue;
            };
            let least = 6 * function.timeout;
            if properties["VisibilityTimeout"].as_u64().unwrap_or(30) < least {
                findings.push(format!("{FILE}: VisibilityTimeout of `{queue}` must be at least {least}, 6 × the timeout of `{}`", function.name));
            }
            if !reports {
                findings.push(format!(
                    "{FILE}: `{}` must report single messages of `{queue}`: ReportBatchItemFailures",
                    function.name
                ));
            }
            let redrive = &properties["RedrivePolicy"];
            let letters = redrive["deadLetterTargetArn"].as_str().and_then(arn_of);
            if letters.and_then(|letters| template.properties(letters)).is_none() {
                findings
                    .push(format!("{FILE}: queue `{queue}` has no dead-letter queue; add a RedrivePolicy"));
            }
            // A task is stuck, with its reason, before its message is gone.
            let least = 2 * u64::from(MOST_FAILURES);
            if redrive["maxReceiveCount"].as_u64().unwrap_or_default() < least {
                findings.push(format!("{FILE}: maxReceiveCount of `{queue}` must be at least {least}: tasks count their failures themselves"));
            }
        }
    }
    findings
}

/// Every queue of dead letters has an alarm for its depth and one for its age, and both tell whoever is named.
fn alarms(template: &Template) -> Findings {
    let mut findings = Findings::new();
    for (queue, properties) in template.of_type("AWS::SQS::Queue") {
        if !properties["QueueName"].as_str().is_some_and(|name| name.ends_with("-dead-letters")) {
            continue;
        }
        for metric in ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"] {
            let watches = |alarm: &Value| {
                let dimension = &alarm["Dimensions"][0];
                alarm["Namespace"] == "AWS/SQS"
                    && alarm["MetricName"] == metric
                    && dimension["Name"] == "QueueName"
                    && dimension["Value"] == format!("{queue}.QueueName")
                    && alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
                    && alarm["AlarmActions"][1][0] == "AlarmTopicArn"
            };
            if !template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| watches(alarm)) {
                findings.push(format!(
                    "{FILE}: no alarm watches `{metric}` of `{queue}` and tells `AlarmTopicArn`; add one"
                ));
            }
        }
    }
    findings
}

/// `EventBridge`'s rules and the policies of the queues that they send to.
fn rules(template: &Template) -> Findings {
    let mut findings = Findings::new();
    for (rule, properties) in template.of_type("AWS::Events::Rule") {
        for target in list(&properties["Targets"]) {
            let Some(letters) = target["DeadLetterConfig"]["Arn"].as_str() else {
                findings.push(format!(
                    "{FILE}: a target of rule `{rule}` has no dead-letter queue; add a DeadLetterConfig"
                ));
                continue;
            };
            for arn in [target["Arn"].as_str().unwrap_or_default(), letters] {
                if !may_send(template, rule, arn) {
                    findings.push(format!("{FILE}: no queue policy lets rule `{rule}` send to `{arn}`, limited to `{rule}.Arn`; add one"));
                }
            }
        }
    }
    for (policy, properties) in template.of_type("AWS::SQS::QueuePolicy") {
        let open = |source: &str| arn_of(source).is_none_or(|rule| template.properties(rule).is_none());
        if statements(&properties["PolicyDocument"]).iter().any(|statement| open(&statement.source)) {
            findings.push(format!(
                "{FILE}: queue policy `{policy}` is open to every rule; limit it by aws:SourceArn"
            ));
        }
    }
    findings
}

fn may_send(template: &Template, rule: &str, queue: &str) -> bool {
    template.of_type("AWS::SQS::QueuePolicy").any(|(_, properties)| {
        let covers =
            arn_of(queue).is_some_and(|id| texts(&properties["Queues"]).iter().any(|known| known == id));
        covers
            && statements(&properties["PolicyDocument"]).iter().any(|statement| {
                statement.principal == "events.amazonaws.com"
                    && statement.actions == ["sqs:SendMessage"]
                    && statement.resources.iter().any(|resource| resource == queue)
                    && arn_of(&statement.source) == Some(rule)
            })
    })
}
