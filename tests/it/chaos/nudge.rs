//! Waiting until every run has ended and been told.
//!
//! Nobody wants to wait for two minutes of silence a hundred times over. Where a run has not moved for some seconds, its
//! due time is brought forward and sweep is invoked, as it would be later by itself; and where the webhook did not take
//! a delivery, it is sent again, as people do with GitHub's button.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{bail, ensure};
use domain::ids::{RunId, Stage};
use domain::message::QueueName;
use domain::ports::{Lease, Told};
use domain::time::Timestamp;
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use super::pushes::Push;
use super::report::Report;
use crate::http::post;
use crate::world::World;

const LOOK: Duration = Duration::from_secs(1);
/// So long a run may stand still before it is nudged.
const QUIET: Duration = Duration::from_secs(6);
/// With more messages than these on their way, functions are busy and a run that stands still is no silent one.
const BACKLOG: u64 = 20;
/// A lease of notify that has less than this left is of an invocation that was killed: nobody tells for 20 seconds.
const LEASE_LEFT: Duration = Duration::from_secs(40);
/// Without any end for so long something is stuck for good.
const PATIENCE: Duration = Duration::from_mins(4);

/// What tells that a run has moved, and when it was last seen to.
#[derive(Debug, Clone, Copy)]
struct Standing {
    versions: u64,
    since: Instant,
}

/// Waits until all runs have ended and been told.
pub(super) async fn until_told(
    world: &World<'_>,
    pushed: &[Push],
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut open: Vec<&RunId> = pushed.iter().map(|push| &push.run).collect();
    let mut standing: HashMap<&RunId, Standing> = HashMap::new();
    let mut sent_again = BTreeSet::new();
    let mut last_end = Instant::now();
    let mut ticks = interval(LOOK);
    while !open.is_empty() {
        ticks.tick().await;
        report.redelivered += redeliver(world, &mut sent_again).await?;
        let is_idle = backlog(world).await? <= BACKLOG;
        let mut still = Vec::new();
        let mut nudged = 0;
        for run in open {
            let Some((head, tasks)) = world.watch.run(run).await? else {
                still.push(run);
                continue;
            };
            if head.is_finished() && head.due.is_none() {
                last_end = Instant::now();
                continue;
            }
            still.push(run);
            let versions = head.version + tasks.iter().map(|task| task.version).sum::<u64>();
            let fresh = Standing { versions, since: Instant::now() };
            let known = standing.entry(run).or_insert(fresh);
            if known.versions != versions {
                *known = fresh;
            } else if is_idle && known.since.elapsed() > QUIET {
                known.since = Instant::now();
                end_dead_lease(world, run).await?;
                bring_forward(world, run).await?;
                nudged += 1;
            }
        }
        if nudged > 0 {
            report.nudges += nudged;
            sweep(world).await?;
        }
        open = still;
        if last_end.elapsed() > PATIENCE {
            let mut standing = Vec::new();
            for run in &open {
                let picture = world.watch.run(run).await?;
                standing.push(format!("{run}: {}", told(picture)));
            }
            bail!("{} of {} runs do not end:\n{}", open.len(), pushed.len(), standing.join("\n"));
        }
    }
    Ok(())
}

fn told(picture: Option<(domain::run::Run, Vec<domain::task::Task>)>) -> String {
    let Some((head, tasks)) = picture else { return "not in the table".to_owned() };
    let open = tasks.iter().filter(|task| task.is_open());
    let open: Vec<String> = open.map(|task| format!("{} {:?}", task.id, task.state)).collect();
    format!("{:?} due {:?} opening {:?}\n  {}", head.state, head.due, head.opening, open.join("\n  "))
}

/// Waits until no queue holds anything, and checks that nothing was set aside.
pub(super) async fn until_empty(world: &World<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut ticks = interval(LOOK);
    loop {
        ticks.tick().await;
        let mut full = Vec::new();
        for queue in queues() {
            let held = world.queued(queue).await?;
            if held > 0 {
                full.push(format!("{queue:?}: {held}"));
            }
        }
        if full.is_empty() {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "queues do not get empty: {}", full.join(", "));
    }
    let mut letters = Vec::new();
    for queue in queues() {
        while let Some(letter) = world.take_dead_letter(queue).await? {
            letters.push(format!("{queue:?}: {letter:?}"));
        }
    }
    ensure!(letters.is_empty(), "{} dead letters:\n{}", letters.len(), letters.join("\n"));
    Ok(())
}

fn queues() -> impl Iterator<Item = QueueName> {
    [QueueName::Plan, QueueName::Notify].into_iter().chain(Stage::ALL.map(QueueName::Stage))
}

/// How many messages are on their way.
async fn backlog(world: &World<'_>) -> anyhow::Result<u64> {
    let mut messages = 0;
    for queue in queues() {
        messages += world.queued(queue).await?;
    }
    Ok(messages)
}

/// Wakes a run that has been silent, as sweep does after two minutes.
pub(crate) async fn wake_as_sweep_would(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    bring_forward(world, run).await?;
    sweep(world).await
}

/// Lets a run be due now; one that is no longer due at all stays so.
async fn bring_forward(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let key = json!({ "pk": { "S": format!("run#{run}") }, "sk": { "S": "head" } });
    let body = json!({
        "TableName": world.output("TableName")?, "Key": key, "UpdateExpression": "SET due_at = :past",
        "ConditionExpression": "attribute_exists(due_pk)", "ExpressionAttributeValues": { ":past": { "N": "1" } },
    });
    unless_raced(world.cloud.aws().json("dynamodb", "DynamoDB_20120810.UpdateItem", &body).await)
}

/// Ends the lease under which a notify that was killed wanted to tell the run: it would run out by itself in a minute.
async fn end_dead_lease(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let key = json!({ "pk": { "S": format!("run#{run}") }, "sk": { "S": "book" } });
    let table = world.output("TableName")?;
    let aws = world.cloud.aws();
    let get = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let item = aws.json("dynamodb", "DynamoDB_20120810.GetItem", &get).await?;
    let Some(body) = item["Item"]["body"]["S"].as_str() else { return Ok(()) };
    let mut told: Told = serde_json::from_str(body)?;
    let is_dead = |lease: &Lease| lease.until < Timestamp::now().after(LEASE_LEFT);
    if !told.lease.as_ref().is_some_and(is_dead) {
        return Ok(());
    }
    told.lease = None;
    let update = json!({
        "TableName": table, "Key": key, "UpdateExpression": "SET body = :body",
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {
            ":body": { "S": serde_json::to_string(&told)? }, ":version": item["Item"]["version"],
        },
    });
    unless_raced(aws.json("dynamodb", "DynamoDB_20120810.UpdateItem", &update).await)
}

/// A condition that does not hold means that the run has moved by itself.
fn unless_raced(result: anyhow::Result<Value>) -> anyhow::Result<()> {
    match result {
        Err(error) if !format!("{error:#}").contains("ConditionalCheckFailed") => Err(error),
        _ => Ok(()),
    }
}

async fn sweep(world: &World<'_>) -> anyhow::Result<()> {
    let path = format!("/2015-03-31/functions/{}-sweep/invocations", world.record.name);
    let event = std::fs::read(local::workspace().join("events/sweep.json"))?;
    // An invocation that dies is an invocation: the next one comes.
    let _answer = world.cloud.aws().rest(Method::POST, "lambda", &path, event).await;
    Ok(())
}

/// Sends every delivery again that the webhook did not take; says how many.
async fn redeliver(world: &World<'_>, sent_again: &mut BTreeSet<u64>) -> anyhow::Result<u64> {
    let bearer = format!("Bearer {}", world.record.credentials.github_token);
    let mut count = 0;
    for delivery in world.deliveries() {
        let (id, code) = (delivery["id"].as_u64().unwrap_or_default(), &delivery["status_code"]);
        let failed = code.as_u64().is_some_and(|code| code != 202) && delivery["event"] == "push";
        if failed && sent_again.insert(id) {
            let url = format!("{}/_local/deliveries/{id}/attempts", world.record.github_url());
            let (status, answer): (u16, Value) = post(&url, &[("authorization", &bearer)], "").await?;
            ensure!(status == 202, "{status} {answer}");
            count += 1;
        }
    }
    Ok(count)
}
