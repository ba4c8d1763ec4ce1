//! The kubelet: what becomes of pods on real nodes, their logs, and traffic to them.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use domain::ports::Cluster as _;
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Answer, Fate, Space, deployment, job, service, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![of_nodes:
        a_pod_is_told_from_its_image_to_its_readiness,
        a_crash_is_shown_with_how_it_ended,
        an_image_that_nobody_has_is_tried_again,
        logs_are_read_from_their_end_and_of_the_run_before,
        a_service_carries_traffic_to_ready_pods,
        pods_reach_each_other_by_the_names_of_services,
        a_job_leaves_its_pods_log,
    ]
}

fn ready(replicas: i64) -> impl Fn(&Value) -> bool {
    move |web| web["status"]["readyReplicas"] == replicas
}

fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

async fn only_pod(space: &Space, what: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let pods = space.until_listed("Pod", what, |pods| pods.len() == 1 && holds(&pods[0])).await?;
    pods.into_iter().next().context("a pod")
}

async fn log(space: &Space, pod: &Value, query: &str) -> anyhow::Result<Answer> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{}/log?{query}", space.path("Pod", name));
    space.send(Method::GET, &path, "", String::new()).await
}

async fn a_pod_is_told_from_its_image_to_its_readiness(space: Arc<Space>) -> Told {
    space.apply(&deployment(&space.name, "1", space.lab.pod(Fate::Serves))).await?.expect(201)?;
    space.until("Deployment", "web", "a ready pod", ready(1)).await?;
    let pod = only_pod(&space, "the pod", |_| true).await?;
    let (status, container) = (&pod["status"], container(&pod));
    ensure!(
        status["phase"] == "Running" && status["podIP"].as_str().is_some_and(|ip| ip.contains('.')),
        "{status}"
    );
    ensure!(container["ready"] == true && container["restartCount"] == 0, "{container}");
    ensure!(container["state"]["running"]["startedAt"].is_string(), "{container}");
    ensure!(container["containerID"].as_str().is_some_and(|id| id.contains("://")), "{container}");
    let conditions = status["conditions"].as_array().context("conditions")?;
    for kind in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
        ensure!(
            conditions.iter().any(|one| one["type"] == kind && one["status"] == "True"),
            "{kind}: {status}"
        );
    }
    let reasons = ["Pulled", "Created", "Started"];
    space
        .until_listed("Event", "its events", |events| {
            let mine = |event: &&Value| {
                event["involvedObject"]["kind"] == "Pod" && event["source"]["component"] == "kubelet"
            };
            let seen: Vec<&Value> = events.iter().filter(mine).map(|event| &event["reason"]).collect();
            reasons.iter().all(|reason| seen.iter().any(|seen| *seen == reason))
        })
        .await?;
    Ok(None)
}

async fn a_crash_is_shown_with_how_it_ended(space: Arc<Space>) -> Told {
    space.apply(&deployment(&space.name, "1", space.lab.pod(Fate::Crashes))).await?.expect(201)?;
    let waiting = |pod: &Value| container(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff";
    let pod = only_pod(&space, "the pause after crashes", waiting).await?;
    let last = &container(&pod)["lastState"]["terminated"];
    ensure!(last["exitCode"] == 1 && last["reason"] == "Error", "{last}");
    ensure!(
        container(&pod)["restartCount"].as_i64() >= Some(1) && container(&pod)["ready"] == false,
        "{pod}"
    );
    ensure!(pod["status"]["phase"] == "Running", "{pod}");
    let told = |event: &Value| event["reason"] == "BackOff" && event["type"] == "Warning";
    space.until_listed("Event", "the event of it", |events| events.iter().any(told)).await?;
    let said = log(&space, &pod, "previous=true").await?;
    ensure!(said.code == 200 && said.text.contains("the configuration is wrong"), "{}", said.text);
    Ok(None)
}

async fn an_image_that_nobody_has_is_tried_again(space: Arc<Space>) -> Told {
    space.apply(&deployment(&space.name, "1", space.lab.pod(Fate::HasNoImage))).await?.expect(201)?;
    let waiting = |pod: &Value| container(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff";
    let pod = only_pod(&space, "the pause after a pull", waiting).await?;
    ensure!(pod["status"]["phase"] == "Pending", "{pod}");
    let message = container(&pod)["state"]["waiting"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("nopull"), "{message}");
    let refused = log(&space, &pod, "").await?;
    ensure!(refused.code == 400 && refused.text.contains("waiting to start"), "{}", refused.text);
    let told = |event: &Value| {
        event["reason"] == "Failed" && event["message"].as_str().is_some_and(|text| text.contains("pull"))
    };
    space.until_listed("Event", "the event of it", |events| events.iter().any(told)).await?;
    Ok(None)
}

async fn logs_are_read_from_their_end_and_of_the_run_before(space: Arc<Space>) -> Told {
    let script = json!(["python3", "-uc", "print('one'); print('two'); print('three')"]);
    let fields = [("/spec/template/spec/containers/0/command", script)];
    space.apply(&with(job(&space.name, space.lab.pod(Fate::Succeeds)), &fields)).await?.expect(201)?;
    let pod = only_pod(&space, "the end of the pod", |pod| pod["status"]["phase"] == "Succeeded").await?;
    ensure!(log(&space, &pod, "").await?.text == "one\ntwo\nthree\n");
    ensure!(log(&space, &pod, "tailLines=1").await?.text == "three\n");
    ensure!(log(&space, &pod, "container=app&follow=true").await?.text == "one\ntwo\nthree\n");
    let stamped = log(&space, &pod, "timestamps=true&tailLines=1").await?.text;
    ensure!(stamped.starts_with("20") && stamped.ends_with(" three\n"), "{stamped}");
    ensure!(log(&space, &pod, "container=other").await?.code == 400);
    ensure!(log(&space, &pod, "previous=true").await?.code == 400);
    Ok(None)
}

async fn a_service_carries_traffic_to_ready_pods(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    space.apply(&service(here)).await?.expect(201)?;
    let proxied = format!("{}:http/proxy/", space.path("Service", "web"));
    let nobody = space.send(Method::GET, &proxied, "", String::new()).await?;
    ensure!(nobody.code == 503, "{} {}", nobody.code, nobody.text);
    space.apply(&deployment(here, "1", space.lab.pod(Fate::Serves))).await?.expect(201)?;
    space.until("Deployment", "web", "a ready pod", ready(1)).await?;
    let addresses = |ends: &Value| ends["subsets"][0]["addresses"].is_array();
    space.until("Endpoints", "web", "an address", addresses).await?;
    let answer = cluster.probe(here, "web", 8000, "/").await?;
    ensure!(answer.status == 200 && answer.body.contains("Directory listing"), "{answer:?}");
    ensure!(cluster.probe(here, "web", 8000, "/absent").await?.status == 404);
    let by_name = space.send(Method::GET, &proxied, "", String::new()).await?;
    ensure!(by_name.code == 200 && by_name.text.contains("Directory listing"), "{}", by_name.text);
    Ok(None)
}

async fn pods_reach_each_other_by_the_names_of_services(space: Arc<Space>) -> Told {
    let here = &space.name;
    space.apply(&service(here)).await?.expect(201)?;
    space.apply(&deployment(here, "1", space.lab.pod(Fate::Serves))).await?.expect(201)?;
    space.until("Deployment", "web", "a ready pod", ready(1)).await?;
    let script = format!(
        "import time, urllib.request\nfor name in ('web', 'web.{here}', 'web.{here}.svc.cluster.local'):\n  \
         for attempt in range(60):\n    try:\n      print(name, urllib.request.urlopen('http://%s:8000/' % name, timeout=5).status)\n      \
         break\n    except OSError:\n      time.sleep(0.2)\n"
    );
    let fields = [
        ("/metadata/name", json!("client")),
        ("/spec/template/spec/containers/0/command", json!(["python3", "-uc", script])),
    ];
    space.apply(&with(job(here, space.lab.pod(Fate::Succeeds)), &fields)).await?.expect(201)?;
    space.until("Job", "client", "its end", |job| job["status"]["succeeded"] == 1).await?;
    let pods = space.list("Pod", "labelSelector=job-name%3Dclient").await?;
    let said = log(&space, &pods[0], "").await?.text;
    ensure!(said == format!("web 200\nweb.{here} 200\nweb.{here}.svc.cluster.local 200\n"), "{said}");
    Ok(None)
}

async fn a_job_leaves_its_pods_log(space: Arc<Space>) -> Told {
    let work = with(job(&space.name, space.lab.pod(Fate::Fails)), &[("/spec/backoffLimit", json!(0))]);
    space.apply(&work).await?.expect(201)?;
    space.until("Job", "web", "its failure", |job| job["status"]["failed"] == 1).await?;
    let pod = only_pod(&space, "its pod", |pod| pod["status"]["phase"] == "Failed").await?;
    let ended = &container(&pod)["state"]["terminated"];
    ensure!(ended["exitCode"] == 1 && ended["reason"] == "Error", "{ended}");
    ensure!(log(&space, &pod, "").await?.text.contains("the work cannot be done"));
    Ok(None)
}
