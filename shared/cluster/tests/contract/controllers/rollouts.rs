//! Rollouts as the adapter follows them: to the end, or to the evidence that they will not get there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use cluster::Cluster;
use domain::ports::{Cluster as _, Rollout};
use serde_json::{Value, json};

use crate::adapter::applied;
use crate::lab::{
    Fate, PATIENCE, Space, config_map, daemon_set, deployment, job, name_of, service, stateful_set, with,
};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        a_delivery_is_followed_to_its_end_and_repeats,
        a_missing_image_is_evidence,
        a_crash_is_evidence,
        patience_ends,
        a_workload_that_does_not_exist_is_told,
        a_stateful_set_is_followed,
        a_daemon_set_is_followed,
        a_job_is_followed,
    ]
}

/// A rollout right after an apply must speak of the new generation, so it is asked at once.
async fn followed(cluster: &Cluster, workload: &Value) -> anyhow::Result<Rollout> {
    let begun = Instant::now();
    loop {
        match cluster.rollout(&name_of(workload), Duration::from_secs(20)).await? {
            Rollout::Progressing(how_far) => ensure!(begun.elapsed() < PATIENCE, "{how_far}"),
            known => return Ok(known),
        }
    }
}

async fn complete(cluster: &Cluster, workload: &Value) -> anyhow::Result<()> {
    applied(cluster, std::slice::from_ref(workload)).await?;
    let rollout = followed(cluster, workload).await?;
    ensure!(rollout == Rollout::Complete, "{rollout:?}");
    Ok(())
}

async fn evidence(cluster: &Cluster, workload: &Value) -> anyhow::Result<Vec<String>> {
    applied(cluster, std::slice::from_ref(workload)).await?;
    match followed(cluster, workload).await? {
        Rollout::Hopeless(evidence) => Ok(evidence),
        other => bail!("expected evidence, not {other:?}"),
    }
}

async fn a_delivery_is_followed_to_its_end_and_repeats(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let web = |version: &str| deployment(here, version, space.lab.pod(Fate::Serves));
    // In an order that works only if the adapter sorts them.
    let objects = [web("1"), service(here), config_map(here, "a")];
    for _ in 0..2 {
        applied(&cluster, &objects).await?;
    }
    ensure!(followed(&cluster, &objects[0]).await? == Rollout::Complete);
    // The next generation, and the applied ConfigMap changes in place.
    let objects = [web("2"), config_map(here, "b")];
    applied(&cluster, &objects).await?;
    ensure!(followed(&cluster, &objects[0]).await? == Rollout::Complete);
    ensure!(space.get("ConfigMap", "web").await?.expect(200)?["data"]["key"] == "b");
    let web = space.get("Deployment", "web").await?.expect(200)?;
    ensure!(
        web["status"]["updatedReplicas"] == 1
            && web["spec"]["template"]["metadata"]["labels"]["version"] == "2"
    );
    Ok(None)
}

async fn a_missing_image_is_evidence(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let serving = deployment(here, "1", space.lab.pod(Fate::Serves));
    complete(&cluster, &serving).await?;
    // The old version goes on serving, and must not be taken for the new one.
    let evidence = evidence(&cluster, &deployment(here, "2", space.lab.pod(Fate::HasNoImage))).await?;
    ensure!(evidence[0].contains("the image `127.0.0.1:9/nopull:1` cannot be pulled"), "{evidence:?}");
    // Back to the version that worked: its pods still run.
    complete(&cluster, &serving).await?;
    Ok(None)
}

async fn a_crash_is_evidence(space: Arc<Space>) -> Told {
    let cluster = space.lab.cluster().await?;
    let evidence = evidence(&cluster, &deployment(&space.name, "1", space.lab.pod(Fate::Crashes))).await?;
    ensure!(evidence[0].contains("container `app`") && evidence[0].contains("exit code 1"), "{evidence:?}");
    ensure!(evidence.iter().any(|line| line.starts_with("log: ")), "{evidence:?}");
    Ok(None)
}

/// A pod that no node takes, or that is not ready, is no evidence: it may heal.
async fn patience_ends(space: Arc<Space>) -> Told {
    let cluster = space.lab.cluster().await?;
    let fields = [
        ("/spec/template/spec/nodeSelector", json!({ "no-such": "node" })),
        ("/spec/template/spec/containers/0/readinessProbe/httpGet/path", json!("/absent")),
    ];
    let never_ready = with(deployment(&space.name, "1", space.lab.pod(Fate::Serves)), &fields);
    applied(&cluster, std::slice::from_ref(&never_ready)).await?;
    let begun = Instant::now();
    let rollout = cluster.rollout(&name_of(&never_ready), Duration::from_secs(3)).await?;
    ensure!(matches!(rollout, Rollout::Progressing(_)), "{rollout:?}");
    ensure!((2..15).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    Ok(None)
}

async fn a_workload_that_does_not_exist_is_told(space: Arc<Space>) -> Told {
    let cluster = space.lab.cluster().await?;
    let web = name_of(&deployment(&space.name, "1", Value::Null));
    let absent = cluster.rollout(&web, Duration::from_secs(5)).await?;
    let words = format!("Deployment `{}/web` does not exist", space.name);
    ensure!(absent == Rollout::Hopeless(vec![words]), "{absent:?}");
    Ok(None)
}

async fn a_stateful_set_is_followed(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let web = |version: &str, fate| {
        with(stateful_set(here, version, space.lab.pod(fate)), &[("/spec/replicas", json!(2))])
    };
    complete(&cluster, &web("1", Fate::Serves)).await?;
    complete(&cluster, &web("2", Fate::Serves)).await?;
    let set = space.get("StatefulSet", "web").await?.expect(200)?;
    ensure!(set["status"]["currentRevision"] == set["status"]["updateRevision"], "{set}");
    // One pod goes on serving while the last one of the next version does not start.
    let evidence = evidence(&cluster, &web("3", Fate::HasNoImage)).await?;
    ensure!(evidence[0].contains("pod `web-1`") && evidence[0].contains("cannot be pulled"), "{evidence:?}");
    let set = space.get("StatefulSet", "web").await?.expect(200)?;
    ensure!(set["status"]["readyReplicas"] == 1, "{set}");
    // With a partition it is complete when the pods from there on are.
    let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 2 } });
    let partitioned = with(web("2", Fate::Serves), &[("/spec/updateStrategy", strategy)]);
    applied(&cluster, std::slice::from_ref(&partitioned)).await?;
    space.delete("Pod", "web-1", "").await?.expect(200)?;
    complete(&cluster, &partitioned).await?;
    Ok(None)
}

async fn a_daemon_set_is_followed(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    complete(&cluster, &daemon_set(here, "1", space.lab.pod(Fate::Serves))).await?;
    complete(&cluster, &daemon_set(here, "2", space.lab.pod(Fate::Serves))).await?;
    let set = space.get("DaemonSet", "web").await?.expect(200)?;
    ensure!(set["status"]["updatedNumberScheduled"] == set["status"]["desiredNumberScheduled"], "{set}");
    let evidence = evidence(&cluster, &daemon_set(here, "3", space.lab.pod(Fate::Crashes))).await?;
    ensure!(evidence[0].contains("container `app`") && evidence[0].contains("exit code 1"), "{evidence:?}");
    complete(&cluster, &daemon_set(here, "2", space.lab.pod(Fate::Serves))).await?;
    Ok(None)
}

async fn a_job_is_followed(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let called = |name: &str, fate| with(job(here, space.lab.pod(fate)), &[("/metadata/name", json!(name))]);
    complete(&cluster, &called("good", Fate::Succeeds)).await?;
    complete(&cluster, &called("good", Fate::Succeeds)).await?;
    let bad = with(called("bad", Fate::Fails), &[("/spec/backoffLimit", json!(0))]);
    let evidence = evidence(&cluster, &bad).await?;
    ensure!(evidence[0].contains("the Job has failed: BackoffLimitExceeded"), "{evidence:?}");
    Ok(None)
}
