//! Jobs: completions, failures, deadlines, and the pods they leave.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::lab::{Fate, Space, job, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        a_job_ends_when_enough_pods_have_succeeded,
        a_job_fails_when_too_many_pods_have,
        a_job_fails_at_its_deadline,
        a_jobs_pods_outlive_it_unless_told_otherwise,
    ]
}

fn holds(job: &Value, kind: &str) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == kind && one["status"] == "True")
}

fn reason<'a>(job: &'a Value, kind: &str) -> &'a str {
    let mut conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|one| one["type"] == kind).and_then(|one| one["reason"].as_str()).unwrap_or_default()
}

async fn a_job_ends_when_enough_pods_have_succeeded(space: Arc<Space>) -> Told {
    let fields = [("/spec/completions", json!(3)), ("/spec/parallelism", json!(2))];
    let work = with(job(&space.name, space.lab.pod(Fate::Succeeds)), &fields);
    let created = space.apply(&work).await?.expect(201)?;
    ensure!(created["spec"]["backoffLimit"] == 6, "{created}");
    let labels = &created["spec"]["template"]["metadata"]["labels"];
    ensure!(
        labels["job-name"] == "web" && labels["controller-uid"] == created["metadata"]["uid"],
        "{labels}"
    );
    let most = std::cell::Cell::new(0);
    let done = space
        .until("Job", "web", "its end", |job| {
            most.set(most.get().max(job["status"]["active"].as_i64().unwrap_or(0)));
            holds(job, "Complete")
        })
        .await?;
    ensure!(most.get() <= 2, "more pods at a time than it allows: {}", most.get());
    let status = &done["status"];
    ensure!(status["succeeded"] == 3 && status["active"].as_i64().unwrap_or(0) == 0, "{status}");
    ensure!(status["failed"].as_i64().unwrap_or(0) == 0, "{status}");
    ensure!(status["startTime"].is_string() && status["completionTime"].is_string(), "{status}");
    let pods = space.list("Pod", "labelSelector=job-name%3Dweb").await?;
    ensure!(pods.len() == 3 && pods.iter().all(|pod| pod["status"]["phase"] == "Succeeded"), "{pods:?}");
    ensure!(pods.iter().all(|pod| pod["metadata"]["finalizers"].is_null()), "{pods:?}");
    // An end is an end.
    space.apply(&work).await?.expect(200)?;
    ensure!(space.list("Pod", "").await?.len() == 3);
    let events = space.until_listed("Event", "an event of its pods", |events| {
        events
            .iter()
            .any(|event| event["reason"] == "SuccessfulCreate" && event["involvedObject"]["kind"] == "Job")
    });
    events.await?;
    Ok(None)
}

async fn a_job_fails_when_too_many_pods_have(space: Arc<Space>) -> Told {
    let work = with(job(&space.name, space.lab.pod(Fate::Fails)), &[("/spec/backoffLimit", json!(1))]);
    space.apply(&work).await?.expect(201)?;
    let failed = space.until("Job", "web", "its failure", |job| holds(job, "Failed")).await?;
    ensure!(reason(&failed, "Failed") == "BackoffLimitExceeded", "{failed}");
    ensure!(failed["status"]["failed"] == 2 && failed["status"]["completionTime"].is_null(), "{failed}");
    let pods = space.list("Pod", "").await?;
    ensure!(pods.iter().any(|pod| pod["status"]["phase"] == "Failed"), "{pods:?}");
    let ended = &pods[0]["status"]["containerStatuses"][0]["state"]["terminated"];
    ensure!(ended["exitCode"] == 1, "{}", pods[0]);
    Ok(None)
}

async fn a_job_fails_at_its_deadline(space: Arc<Space>) -> Told {
    let fields = [("/spec/activeDeadlineSeconds", json!(1))];
    // A pod without an image never begins.
    space.apply(&with(job(&space.name, space.lab.pod(Fate::HasNoImage)), &fields)).await?.expect(201)?;
    let failed = space.until("Job", "web", "its failure", |job| holds(job, "Failed")).await;
    let failed = failed.context("without its deadline it would wait for ever")?;
    ensure!(reason(&failed, "Failed") == "DeadlineExceeded", "{failed}");
    space.until_listed("Pod", "the end of its pod", <[Value]>::is_empty).await?;
    Ok(None)
}

async fn a_jobs_pods_outlive_it_unless_told_otherwise(space: Arc<Space>) -> Told {
    let work = job(&space.name, space.lab.pod(Fate::Succeeds));
    for (policy, left) in [("", 1), ("Background", 1)] {
        space.apply(&work).await?.expect(201)?;
        let done = space.until("Job", "web", "its end", |job| holds(job, "Complete")).await?;
        let uid = done["metadata"]["uid"].clone();
        space.delete("Job", "web", policy).await?.expect(200)?;
        let mine = |pod: &Value| pod["metadata"]["labels"]["controller-uid"] == uid;
        let kept = policy.is_empty();
        space
            .until_listed("Pod", "what becomes of its pods", |pods| {
                let own: Vec<_> = pods.iter().filter(|pod| mine(pod)).collect();
                let alone = own.iter().all(|pod| pod["metadata"]["ownerReferences"].is_null());
                pods.len() == left && if kept { own.len() == 1 && alone } else { own.is_empty() }
            })
            .await?;
        space.until_listed("Job", "the end of the Job", <[Value]>::is_empty).await?;
    }
    Ok(None)
}
