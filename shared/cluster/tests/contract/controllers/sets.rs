//! Stateful sets and daemon sets.

use std::cell::Cell;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Fate, Space, daemon_set, stateful_set, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        a_stateful_set_starts_in_order_and_shrinks_from_the_end,
        a_stateful_set_in_parallel_waits_for_nobody,
        a_stateful_set_updates_from_the_end_down_to_its_partition,
        a_stateful_sets_pod_comes_back_under_its_name,
        a_daemon_set_has_a_pod_on_every_node_and_replaces_it,
    ]
}

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

fn revision(pod: &Value) -> &str {
    pod["metadata"]["labels"]["controller-revision-hash"].as_str().unwrap_or_default()
}

/// Whether so many replicas are ready, seen of the newest generation.
fn has_ready(replicas: i64) -> impl Fn(&Value) -> bool {
    move |web| {
        let status = &web["status"];
        status["observedGeneration"] == web["metadata"]["generation"]
            && status["replicas"] == replicas
            && status["readyReplicas"].as_i64().unwrap_or(0) == replicas
    }
}

async fn a_stateful_set_starts_in_order_and_shrinks_from_the_end(space: Arc<Space>) -> Told {
    let web = stateful_set(&space.name, "1", space.lab.pod(Fate::Serves));
    space.apply(&web).await?.expect(201)?;
    let in_order = Cell::new(true);
    let pods = space
        .until_listed("Pod", "three pods", |pods| {
            // One that is not ready is the last one.
            let mut names: Vec<_> = pods.iter().map(|pod| (name(pod), is_ready(pod))).collect();
            names.sort_unstable();
            let waits = names.iter().position(|(_, ready)| !ready);
            in_order.set(in_order.get() && waits.is_none_or(|waits| waits + 1 == names.len()));
            names.len() == 3 && waits.is_none()
        })
        .await?;
    ensure!(in_order.get(), "a pod began before the one before it was ready");
    let last = pods.iter().find(|pod| name(pod) == "web-2").context("the last pod")?;
    ensure!(last["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "web-2", "{last}");
    ensure!(last["spec"]["hostname"] == "web-2" && last["spec"]["subdomain"] == "web", "{last}");
    let set = space.until("StatefulSet", "web", "its status", has_ready(3)).await?;
    let status = &set["status"];
    ensure!(status["currentRevision"] == status["updateRevision"], "{status}");
    ensure!(status["currentRevision"] == revision(last), "{status}");
    space.apply(&with(web, &[("/spec/replicas", json!(1))])).await?.expect(200)?;
    let from_the_end = Cell::new(true);
    space
        .until_listed("Pod", "one pod", |pods| {
            let left: Vec<&str> = pods.iter().map(name).collect();
            from_the_end.set(from_the_end.get() && (!left.contains(&"web-2") || left.contains(&"web-1")));
            left == ["web-0"]
        })
        .await?;
    ensure!(from_the_end.get(), "web-1 went before web-2");
    Ok(None)
}

async fn a_stateful_set_in_parallel_waits_for_nobody(space: Arc<Space>) -> Told {
    let fields = [("/spec/podManagementPolicy", json!("Parallel"))];
    let web = with(stateful_set(&space.name, "1", space.lab.pod(Fate::HasNoImage)), &fields);
    space.apply(&web).await?.expect(201)?;
    space.until_listed("Pod", "three pods of which none is ready", |pods| pods.len() == 3).await?;
    let changed = with(web, &[("/spec/podManagementPolicy", json!("OrderedReady"))]);
    let refused = space.apply(&changed).await?.expect(422)?;
    ensure!(refused["message"].as_str().is_some_and(|text| text.contains("are forbidden")), "{refused}");
    Ok(None)
}

async fn a_stateful_set_updates_from_the_end_down_to_its_partition(space: Arc<Space>) -> Told {
    let web = |version: &str, partition: i64| {
        let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": partition } });
        with(
            stateful_set(&space.name, version, space.lab.pod(Fate::Serves)),
            &[("/spec/updateStrategy", strategy)],
        )
    };
    space.apply(&web("1", 2)).await?.expect(201)?;
    let before = space.until("StatefulSet", "web", "the first version", has_ready(3)).await?;
    let old = before["status"]["updateRevision"].clone();
    space.apply(&web("2", 2)).await?.expect(200)?;
    let partly = space
        .until("StatefulSet", "web", "the last pod's update", |web| {
            has_ready(3)(web) && web["status"]["updatedReplicas"] == 1
        })
        .await?;
    ensure!(
        partly["status"]["currentRevision"] == old && partly["status"]["updateRevision"] != old,
        "{partly}"
    );
    let version = |pod: &Value| pod["metadata"]["labels"]["version"].as_str().unwrap_or_default().to_owned();
    let mut versions: Vec<(String, String)> =
        space.list("Pod", "").await?.iter().map(|pod| (name(pod).to_owned(), version(pod))).collect();
    versions.sort_unstable();
    let versions: Vec<&str> = versions.iter().map(|(_, version)| version.as_str()).collect();
    ensure!(versions == ["1", "1", "2"], "{versions:?}");
    // Below the partition a pod comes back as it was.
    let uid = space.get("Pod", "web-0").await?.expect(200)?["metadata"]["uid"].clone();
    space.delete("Pod", "web-0", "").await?.expect(200)?;
    let back = space
        .until("Pod", "web-0", "the pod again", |pod| pod["metadata"]["uid"] != uid && is_ready(pod))
        .await?;
    ensure!(version(&back) == "1", "{back}");
    space.apply(&web("2", 0)).await?.expect(200)?;
    let done = space
        .until("StatefulSet", "web", "the whole update", |web| {
            has_ready(3)(web) && web["status"]["currentRevision"] == web["status"]["updateRevision"]
        })
        .await?;
    ensure!(done["status"]["currentRevision"] == partly["status"]["updateRevision"], "{done}");
    ensure!(space.list("Pod", "").await?.iter().all(|pod| version(pod) == "2"));
    let kept = space.list("ControllerRevision", "").await?;
    let mut numbers: Vec<i64> = kept.iter().filter_map(|one| one["revision"].as_i64()).collect();
    numbers.sort_unstable();
    ensure!(numbers == [1, 2], "{numbers:?}");
    Ok(None)
}

async fn a_stateful_sets_pod_comes_back_under_its_name(space: Arc<Space>) -> Told {
    let fields = [("/spec/replicas", json!(1))];
    space
        .apply(&with(stateful_set(&space.name, "1", space.lab.pod(Fate::Serves)), &fields))
        .await?
        .expect(201)?;
    let first = space.until("Pod", "web-0", "the pod", is_ready).await?;
    let uid = first["metadata"]["uid"].clone();
    // The set goes without its pod; a new one takes the pod in.
    space.delete("StatefulSet", "web", "Orphan").await?.expect(200)?;
    space.until("Pod", "web-0", "the pod alone", |pod| pod["metadata"]["ownerReferences"].is_null()).await?;
    space.until_listed("StatefulSet", "the end of the set", <[Value]>::is_empty).await?;
    space
        .apply(&with(stateful_set(&space.name, "1", space.lab.pod(Fate::Serves)), &fields))
        .await?
        .expect(201)?;
    let taken =
        space.until("Pod", "web-0", "an owner", |pod| !pod["metadata"]["ownerReferences"].is_null()).await?;
    ensure!(taken["metadata"]["uid"] == uid, "{taken}");
    space.until("StatefulSet", "web", "the new set", has_ready(1)).await?;
    space.delete("Pod", "web-0", "").await?.expect(200)?;
    space
        .until("Pod", "web-0", "the pod again", |pod| pod["metadata"]["uid"] != uid && is_ready(pod))
        .await?;
    Ok(None)
}

async fn a_daemon_set_has_a_pod_on_every_node_and_replaces_it(space: Arc<Space>) -> Told {
    let nodes = space.send(Method::GET, "/api/v1/nodes", "", String::new()).await?.expect(200)?;
    let nodes = nodes["items"].as_array().context("nodes")?.len();
    let done = |web: &Value| {
        let status = &web["status"];
        status["observedGeneration"] == web["metadata"]["generation"]
            && ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"]
                .iter()
                .all(|field| status[*field] == nodes)
    };
    let web = |version: &str| daemon_set(&space.name, version, space.lab.pod(Fate::Serves));
    space.apply(&web("1")).await?.expect(201)?;
    let first = space.until("DaemonSet", "web", "a pod on every node", done).await?;
    ensure!(first["metadata"]["annotations"]["deprecated.daemonset.template.generation"] == "1", "{first}");
    ensure!(first["status"]["numberReady"] == nodes && first["status"]["numberMisscheduled"] == 0, "{first}");
    let pods = space.list("Pod", "").await?;
    let mut hosts: Vec<&str> = pods.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    ensure!(hosts.len() == nodes && pods.len() == nodes, "{hosts:?}");
    let old = revision(&pods[0]).to_owned();
    space.apply(&web("2")).await?.expect(200)?;
    let second = space.until("DaemonSet", "web", "the second version", done).await?;
    ensure!(second["metadata"]["annotations"]["deprecated.daemonset.template.generation"] == "2", "{second}");
    let pods = space.until_listed("Pod", "the end of the old pods", |pods| pods.len() == nodes).await?;
    ensure!(
        pods.iter()
            .all(|pod| revision(pod) != old && pod["metadata"]["labels"]["pod-template-generation"] == "2")
    );
    // One that no node is meant by has none.
    let nowhere = with(web("2"), &[("/spec/template/spec/nodeSelector", json!({ "no-such": "node" }))]);
    space.apply(&nowhere).await?.expect(200)?;
    space.until_listed("Pod", "no pod", <[Value]>::is_empty).await?;
    let none = |web: &Value| {
        web["status"]["desiredNumberScheduled"] == 0 && web["status"]["currentNumberScheduled"] == 0
    };
    space.until("DaemonSet", "web", "no node", none).await?;
    Ok(None)
}
