//! Follows a workload's newest generation until the answer is known or patience ends.

use std::time::Duration;

use domain::ports::{Answer, Rollout};
use domain::task::ObjectName;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client};
use tokio::time::Instant;

use crate::evidence::{Finding, last_lines};
use crate::fault::ask;
use crate::refusal::tidy;
use crate::scene::{Judgement, Scene};
use crate::workload::Workload;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const LOG_LINES: usize = 10;
const MOST_EVENTS_READ: u32 = 100;
const EVENTS_SHOWN: usize = 3;

/// Kinds without a rollout are complete once they are applied.
pub(crate) async fn follow(client: &Client, target: &ObjectName, patience: Duration) -> Answer<Rollout> {
    match target.kind.as_str() {
        "Deployment" => follow_kind::<Deployment>(client, target, patience).await,
        "StatefulSet" => follow_kind::<StatefulSet>(client, target, patience).await,
        "DaemonSet" => follow_kind::<DaemonSet>(client, target, patience).await,
        "Job" => follow_kind::<Job>(client, target, patience).await,
        _ => Ok(Rollout::Complete),
    }
}

async fn follow_kind<W: Workload>(
    client: &Client,
    target: &ObjectName,
    patience: Duration,
) -> Answer<Rollout> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let read = Scene::<W>::read(client, target).await;
        let read = read.map_err(|failure| failure.fault(&format!("could not read {}", label(target))))?;
        let Some(mut scene) = read else {
            return Ok(Rollout::Hopeless(vec![format!("{} does not exist", label(target))]));
        };
        let mut judgement = scene.judge(Timestamp::now());
        if let Judgement::Going(_) = judgement {
            judgement = watch(client, target, &mut scene, deadline).await;
        }
        match judgement {
            Judgement::Lost(findings) => {
                return Ok(Rollout::Hopeless(in_their_words(client, target, findings).await));
            }
            Judgement::Going(_) if Instant::now() + pause < deadline => {}
            known => return Ok(known.plain()),
        }
        // The watch ended early; a server that keeps ending it is not asked in a hot loop.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Takes changes in until the answer is known, the watch ends or the deadline comes.
async fn watch<W: Workload>(
    client: &Client,
    target: &ObjectName,
    scene: &mut Scene<W>,
    deadline: Instant,
) -> Judgement {
    let left = deadline.saturating_duration_since(Instant::now());
    let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).clamp(1, 290);
    let following = async {
        let mut changes = match scene.watch(client, target, seconds).await {
            Ok(changes) => changes,
            Err(error) => return tracing::debug!(%error, "could not watch; reading again"),
        };
        while let Some(change) = changes.next().await {
            let Ok(change) = change else { return };
            if !scene.take(change) || !matches!(scene.judge(Timestamp::now()), Judgement::Going(_)) {
                return;
            }
        }
    };
    // An elapsed deadline is judged like everything else: by what was seen last.
    let _ = tokio::time::timeout_at(deadline, following).await;
    scene.judge(Timestamp::now())
}

/// Adds what the cluster says of crashed pods, and their containers' last lines; without them the evidence still stands.
async fn in_their_words(client: &Client, target: &ObjectName, findings: Vec<Finding>) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &target.namespace);
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(finding.line);
        let Some((pod, container)) = finding.crashed else { continue };
        lines.extend(warnings(client, target, &pod).await);
        for previous in [true, false] {
            let parameters = LogParams {
                container: Some(container.clone()),
                previous,
                tail_lines: Some(50),
                limit_bytes: Some(16 * 1024),
                ..LogParams::default()
            };
            let log = ask(|| pods.logs(&pod, &parameters)).await.unwrap_or_default();
            let tail = last_lines(&log, LOG_LINES);
            if !tail.is_empty() {
                lines.extend(tail.into_iter().map(|line| format!("log: {line}")));
                break;
            }
        }
    }
    lines
}

/// The newest warnings about a pod, one line each.
async fn warnings(client: &Client, target: &ObjectName, pod: &str) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(client.clone(), &target.namespace);
    let about = ListParams::default()
        .fields(&format!("involvedObject.kind=Pod,involvedObject.name={pod},type=Warning"))
        .limit(MOST_EVENTS_READ);
    let mut found = ask(|| events.list(&about)).await.map(|list| list.items).unwrap_or_default();
    found.sort_by_key(|event| std::cmp::Reverse(event.last_timestamp.as_ref().map(|time| time.0)));
    found
        .iter()
        .take(EVENTS_SHOWN)
        .map(|event| {
            let times = event.count.filter(|count| *count > 1).map(|count| format!(", {count} times"));
            let reason = event.reason.as_deref().unwrap_or("Warning");
            let message = event.message.as_deref().unwrap_or("no message");
            tidy(&format!("event {reason}{}: {message}", times.unwrap_or_default()))
        })
        .collect()
}

fn label(target: &ObjectName) -> String {
    format!("{} `{}/{}`", target.kind, target.namespace, target.name)
}
