//! Deployments: how far an update goes at a time, its deadline, its history.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::lab::{Fate, PATIENCE, Space, deployment, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        an_update_keeps_to_its_surge_and_unavailability,
        recreating_ends_the_old_before_the_new,
        an_update_without_progress_ends_at_its_deadline,
        old_replica_sets_are_kept_as_far_as_the_history_goes,
    ]
}

/// Whether a Deployment's newest template is rolled out.
fn is_rolled_out(web: &Value) -> bool {
    let (spec, status) = (&web["spec"], &web["status"]);
    status["observedGeneration"] == web["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas"]
            .iter()
            .all(|field| status[*field] == spec["replicas"])
}

async fn an_update_keeps_to_its_surge_and_unavailability(space: Arc<Space>) -> Told {
    let rolling = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 1 } });
    let fields = [("/spec/replicas", json!(3)), ("/spec/strategy", rolling)];
    let web = |version: &str| with(deployment(&space.name, version, space.lab.pod(Fate::Serves)), &fields);
    space.apply(&web("1")).await?.expect(201)?;
    let ready = space.until("Deployment", "web", "the first version", is_rolled_out).await?;
    let revision = ready["metadata"]["resourceVersion"].as_str().context("a revision")?;
    let deployments: Api<Deployment> = Api::namespaced(space.lab.client().await?, &space.name);
    let mut events = deployments.watch(&WatchParams::default().timeout(120), revision).await?.boxed();
    space.apply(&web("2")).await?.expect(200)?;
    let mut mixed = false;
    loop {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.context("an event")?;
        let WatchEvent::Modified(seen) = event.context("the watch goes on")?? else {
            bail!("expected a change")
        };
        let seen = serde_json::to_value(seen)?;
        let count = |field: &str| seen["status"][field].as_i64().unwrap_or(0);
        // Its own status tells of pods that its sets have already been told to end.
        let sets = space.list("ReplicaSet", "").await?;
        let asked: i64 = sets.iter().filter_map(|set| set["spec"]["replicas"].as_i64()).sum();
        ensure!(asked <= 4, "more than one pod too many: {sets:?}");
        ensure!(count("availableReplicas") >= 2, "more than one pod too few: {seen}");
        mixed |= (1..3).contains(&count("updatedReplicas"));
        if is_rolled_out(&seen) && seen["metadata"]["generation"] != ready["metadata"]["generation"] {
            break;
        }
    }
    ensure!(mixed, "old and new pods were never seen together");
    let conditions = space.get("Deployment", "web").await?.body["status"]["conditions"].clone();
    let progressing = condition(&conditions, "Progressing");
    ensure!(progressing["reason"] == "NewReplicaSetAvailable", "{progressing}");
    Ok(None)
}

fn condition(conditions: &Value, kind: &str) -> Value {
    let found = conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
    found.cloned().unwrap_or_default()
}

async fn recreating_ends_the_old_before_the_new(space: Arc<Space>) -> Told {
    let recreate = [("/spec/strategy", json!({ "type": "Recreate" }))];
    let web = |version: &str| with(deployment(&space.name, version, space.lab.pod(Fate::Serves)), &recreate);
    space.apply(&web("1")).await?.expect(201)?;
    space.until("Deployment", "web", "the first version", is_rolled_out).await?;
    space.apply(&web("2")).await?.expect(200)?;
    let version = |pod: &Value| pod["metadata"]["labels"]["version"].as_str().unwrap_or_default().to_owned();
    let both = |pods: &[Value]| {
        pods.iter().any(|pod| version(pod) == "1") && pods.iter().any(|pod| version(pod) == "2")
    };
    let mixed = std::cell::Cell::new(false);
    space
        .until_listed("Pod", "the second version", |pods| {
            mixed.set(mixed.get() || both(pods));
            !pods.is_empty() && pods.iter().all(|pod| version(pod) == "2")
        })
        .await?;
    ensure!(!mixed.get(), "old and new pods were there together");
    space.until("Deployment", "web", "the second version", is_rolled_out).await?;
    Ok(None)
}

async fn an_update_without_progress_ends_at_its_deadline(space: Arc<Space>) -> Told {
    let here = &space.name;
    let serving = with(deployment(here, "1", space.lab.pod(Fate::Serves)), &[("/spec/replicas", json!(2))]);
    space.apply(&serving).await?.expect(201)?;
    space.until("Deployment", "web", "the first version", is_rolled_out).await?;
    let fields = [("/spec/replicas", json!(2)), ("/spec/progressDeadlineSeconds", json!(2))];
    space.apply(&with(deployment(here, "2", space.lab.pod(Fate::HasNoImage)), &fields)).await?.expect(200)?;
    let late = space
        .until("Deployment", "web", "the deadline", |web| {
            condition(&web["status"]["conditions"], "Progressing")["reason"] == "ProgressDeadlineExceeded"
        })
        .await?;
    ensure!(condition(&late["status"]["conditions"], "Progressing")["status"] == "False", "{late}");
    // With the usual quarter of two replicas none may be missing.
    ensure!(late["status"]["availableReplicas"] == 2, "the old pods go on serving: {late}");
    Ok(None)
}

async fn old_replica_sets_are_kept_as_far_as_the_history_goes(space: Arc<Space>) -> Told {
    let limited = [("/spec/revisionHistoryLimit", json!(1))];
    for version in ["1", "2", "3"] {
        let web = with(deployment(&space.name, version, space.lab.pod(Fate::Serves)), &limited);
        space.apply(&web).await?;
        space.until("Deployment", "web", "its rollout", is_rolled_out).await?;
    }
    let sets = space.until_listed("ReplicaSet", "the end of the oldest", |sets| sets.len() == 2).await?;
    let revision = |object: &Value| {
        let text = object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
        text.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0)
    };
    let mut revisions: Vec<u32> = sets.iter().map(revision).collect();
    revisions.sort_unstable();
    ensure!(revisions == [2, 3], "{revisions:?}");
    ensure!(revision(&space.get("Deployment", "web").await?.body) == 3);
    // Back to the second one: the same set with a new number.
    let web = with(deployment(&space.name, "2", space.lab.pod(Fate::Serves)), &limited);
    space.apply(&web).await?.expect(200)?;
    space.until("Deployment", "web", "its rollout", |web| is_rolled_out(web) && revision(web) == 4).await?;
    let sets = space.list("ReplicaSet", "").await?;
    let mut revisions: Vec<u32> = sets.iter().map(revision).collect();
    revisions.sort_unstable();
    ensure!(revisions == [3, 4], "{revisions:?}");
    Ok(None)
}
