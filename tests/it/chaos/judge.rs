//! The verdict over a chaos run: every ending, build, lock, delivery and check run, all before anything is reported.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, ensure};
use domain::ids::Stage;
use domain::ports::DeliveryState;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{Outcome, State, Task};
use local::{Aws, seen};
use serde_json::{Value, json};

use super::destiny::Destiny;
use super::pushes::Push;
use super::report::Report;
use crate::world::World;

/// Judges everything; the findings of all together are the failure.
pub(super) async fn all(world: &World<'_>, pushed: &[Push], report: &mut Report) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for push in pushed {
        let Some((head, tasks)) = world.watch.run(&push.run).await? else {
            findings.push(format!("{} is lost", push.run));
            continue;
        };
        let ending = match &head.state {
            RunState::Finished(RunOutcome::Invalid(_)) => "Invalid".to_owned(),
            RunState::Finished(outcome) => format!("{outcome:?}"),
            other => format!("{other:?}"),
        };
        *endings.entry(ending).or_default() += 1;
        let newer = |other: &&Push| {
            other.delivers && other.run.repository == push.run.repository && other.number > push.number
        };
        let overtaken = pushed.iter().find(newer).is_some();
        // A commit whose tests have failed on another branch before is not delivered either.
        let fails_early = matches!(push.destiny, Destiny::BrokenFile | Destiny::RedTests | Destiny::LostTest);
        if push.delivers && head.delivery.is_none() && !overtaken && !fails_early {
            findings.push(format!("{} is not delivered: {:?}", push.run, head.notes));
        }
        findings.extend(push.destiny.objection(&head, overtaken).map(|why| format!("{} {why}", push.run)));
        findings.extend(unfinished(&head, &tasks));
        findings.extend(checks(world, &head, &tasks).await?);
    }
    report.line(&format!("ended as {endings:?}"));
    findings.extend(builds(world, report).await?);
    findings.extend(locks(world).await?);
    findings.extend(deliveries(world).await?);
    ensure!(findings.is_empty(), "{} findings:\n- {}", findings.len(), findings.join("\n- "));
    report.line("every run ended right, nothing is lost, doubled or left behind");
    Ok(())
}

/// A task that still has something to do although its run has ended.
fn unfinished(head: &Run, tasks: &[Task]) -> Vec<String> {
    let open = tasks.iter().filter(|task| !matches!(task.state, State::Done { .. } | State::Pending));
    open.map(|task| format!("{} of {} is {:?}", task.id, head.id, task.state)).collect()
}

/// Each check run exists once and says what the table says.
async fn checks(world: &World<'_>, head: &Run, tasks: &[Task]) -> anyhow::Result<Vec<String>> {
    let checks = seen::check_runs(world.record, &head.id).await?;
    let mut conclusions: HashMap<&str, Option<&str>> = HashMap::new();
    let mut findings = Vec::new();
    for check in &checks {
        if conclusions.insert(&check.name, check.conclusion.as_deref()).is_some() {
            findings.push(format!("{} has two check runs `{}`", head.id, check.name));
        }
    }
    let mut expect = |name: &str, conclusion: &str| {
        let said = conclusions.get(name).copied().flatten();
        if said != Some(conclusion) {
            findings.push(format!("check run `{name}` of {} says {said:?}, not {conclusion}", head.id));
        }
    };
    expect(
        "slipway",
        match &head.state {
            RunState::Finished(RunOutcome::Passed) => "success",
            RunState::Finished(RunOutcome::Superseded) => "cancelled",
            RunState::Finished(RunOutcome::ActionRequired(_)) => "action_required",
            _ => "failure",
        },
    );
    let of_services = |task: &&Task| task.id.stage == Stage::Test && task.spec.service().is_some();
    for task in tasks.iter().filter(of_services) {
        if let Some(verdict) = task.verdict() {
            let conclusion = if verdict.outcome == Outcome::Passed { "success" } else { "failure" };
            expect(&format!("slipway / test {}", task.id.subject), conclusion);
        }
    }
    Ok(findings)
}

/// No attempt has more than one build that was not stopped.
async fn builds(world: &World<'_>, report: &Report) -> anyhow::Result<Vec<String>> {
    let codebuild = Aws::at(world.record.builds_url());
    let mut of_attempts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut token, mut stopped, mut all) = (Value::Null, 0, 0);
    loop {
        let mut ask = json!({});
        if !token.is_null() {
            ask["nextToken"] = token;
        }
        let page = codebuild.json("codebuild", "CodeBuild_20161006.ListBuilds", &ask).await?;
        if page["ids"].as_array().is_some_and(|ids| !ids.is_empty()) {
            let body = json!({ "ids": page["ids"] });
            let known = codebuild.json("codebuild", "CodeBuild_20161006.BatchGetBuilds", &body).await?;
            for build in known["builds"].as_array().context("builds")? {
                all += 1;
                if build["buildStatus"] == "STOPPED" {
                    stopped += 1;
                    continue;
                }
                let mut variables =
                    build["environment"]["environmentVariables"].as_array().into_iter().flatten();
                let attempt = variables.find(|variable| variable["name"] == "SLIPWAY_TASK");
                let attempt =
                    attempt.and_then(|variable| variable["value"].as_str()).context("an attempt")?;
                of_attempts.entry(attempt.to_owned()).or_default().push(build["id"].to_string());
            }
        }
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    report.line(&format!("{all} builds of {} attempts, {stopped} stopped", of_attempts.len()));
    let doubled = of_attempts.into_iter().filter(|(_, builds)| builds.len() > 1);
    Ok(doubled
        .map(|(attempt, builds)| format!("{attempt} was built {} times: {builds:?}", builds.len()))
        .collect())
}

/// No environment is locked.
async fn locks(world: &World<'_>) -> anyhow::Result<Vec<String>> {
    let body = json!({
        "TableName": world.output("TableName")?, "ConsistentRead": true,
        "FilterExpression": "sk = :lock AND attribute_exists(holder)",
        "ExpressionAttributeValues": { ":lock": { "S": "lock" } },
    });
    let answer = world.cloud.aws().json("dynamodb", "DynamoDB_20120810.Scan", &body).await?;
    let held = answer["Items"].as_array().context("items")?.iter();
    Ok(held.map(|item| format!("{} is still locked by {}", item["pk"]["S"], item["holder"]["S"])).collect())
}

/// Every delivery that GitHub made is recorded, and was handed on.
async fn deliveries(world: &World<'_>) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for delivery in world.deliveries().iter().filter(|delivery| delivery["event"] == "push") {
        let guid = delivery["guid"].as_str().context("a guid")?;
        match world.delivery(guid).await? {
            None => findings.push(format!("delivery {guid} is not recorded")),
            Some(DeliveryState::Received) => findings.push(format!("delivery {guid} was not handed on")),
            Some(_) => {}
        }
    }
    Ok(findings)
}
