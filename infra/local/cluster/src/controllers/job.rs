//! Jobs: pods until enough of them have succeeded, or too many have failed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::making::Maker;
use crate::controllers::rollout::{condition as new_condition, set_condition};
use crate::controllers::{events, pods};
use crate::objects::deletion::Deletion;
use crate::objects::json::{integer, list, now, object, seconds_since, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{JOBS, PODS};
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";
const COMPONENT: &str = "job-controller";
/// The finalizer that keeps a pod until its Job has counted it, as a real controller's.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The longest pause before a failed pod is replaced, as in a real cluster.
const LONGEST_PAUSE: Duration = Duration::from_mins(6);

/// Whether nothing is to be done for a Job until something changes.
pub fn is_settled(job: &Value) -> bool {
    is_finished(job) && job["spec"]["ttlSecondsAfterFinished"].is_null()
}

/// Moves a Job on by what can be done now. `back_off` is the first pause after a failure; it doubles with each.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, job: &Value, back_off: Duration) -> Result<(), Failure> {
    if !text(job, "/metadata/deletionTimestamp").is_empty() {
        return release(objects, &Key::of(&JOBS, job));
    }
    if is_finished(job) {
        release_counted(objects, &pods::owned(objects, job))?;
        return expire(objects, job);
    }
    let mut work = Work::of(objects, job);
    let verdict = work.verdict();
    match &verdict {
        Some(verdict) => {
            // What still runs of a failed Job counts as failed.
            work.failed += if verdict.good { 0 } else { work.count(pods::is_active) };
            work.end_surplus(0)?;
        }
        None if job["spec"]["suspend"] == true => work.end_surplus(0)?,
        None => work.fill(back_off)?,
    }
    let counted = std::mem::take(&mut work.newly_ended);
    work.pods = pods::owned(objects, job);
    work.write_status(verdict)?;
    release_counted(objects, &counted)
}

/// Lets go of the pods of a Job that is gone or going: nobody counts them any more.
///
/// # Errors
/// What the store answers.
pub fn release(objects: &Objects, job: &Key) -> Result<(), Failure> {
    let (_, pods) = objects.store.list(&PODS, Some(&job.namespace));
    let mut own = pods
        .into_iter()
        .filter(|pod| is_tracked(pod) && pods::controller_key(pod).is_none_or(|owner| owner == *job));
    own.try_for_each(|pod| untrack(objects, &pod))
}

/// How a Job is to end.
struct Verdict {
    good: bool,
    reason: String,
    message: String,
}

/// A Job with its pods and counts.
struct Work<'a> {
    objects: &'a Objects,
    job: &'a Value,
    pods: Vec<Arc<Value>>,
    /// Pods that ended since the status was written.
    newly_ended: Vec<Arc<Value>>,
    succeeded: i64,
    failed: i64,
}

impl<'a> Work<'a> {
    fn of(objects: &'a Objects, job: &'a Value) -> Self {
        let pods = pods::owned(objects, job);
        let mut newly_ended = pods.clone();
        newly_ended.retain(|pod| is_tracked(pod) && (has_succeeded(pod) || has_failed(pod)));
        let good = newly_ended.iter().filter(|pod| has_succeeded(pod)).count();
        let bad = newly_ended.len() - good;
        let before = |field: &str| integer(job, &format!("/status/{field}")).unwrap_or(0);
        let succeeded = before("succeeded") + length(good);
        Self { objects, job, pods, newly_ended, succeeded, failed: before("failed") + length(bad) }
    }

    fn maker(&self) -> Maker<'a> {
        Maker { objects: self.objects, resource: &JOBS, owner: self.job, component: COMPONENT }
    }

    fn count(&self, holds: impl Fn(&Value) -> bool) -> i64 {
        length(self.pods.iter().filter(|pod| holds(pod)).count())
    }

    fn verdict(&self) -> Option<Verdict> {
        let good = |message: &str| Verdict {
            good: true,
            reason: "CompletionsReached".into(),
            message: message.into(),
        };
        let bad = |reason: &str, message: &str| Verdict {
            good: false,
            reason: reason.into(),
            message: message.into(),
        };
        if let Some(before) = pods::condition(self.job, "FailureTarget") {
            return Some(bad(text(before, "/reason"), text(before, "/message")));
        }
        let limit = integer(self.job, "/spec/backoffLimit").unwrap_or(6);
        let deadline = integer(self.job, "/spec/activeDeadlineSeconds");
        let started = seconds_since(text(self.job, "/status/startTime"));
        if self.failed > limit || self.restarted_too_often(limit) {
            return Some(bad("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        if deadline.zip(started).is_some_and(|(deadline, since)| since >= deadline) {
            return Some(bad("DeadlineExceeded", "Job was active longer than specified deadline"));
        }
        match integer(self.job, "/spec/completions") {
            Some(wanted) if self.succeeded >= wanted => {
                Some(good("Reached expected number of succeeded pods"))
            }
            None if self.succeeded > 0 && self.count(pods::is_active) == 0 => {
                Some(good("Reached expected number of succeeded pods"))
            }
            _ => None,
        }
    }

    /// With `OnFailure` the kubelet starts containers again; those starts count instead of pods.
    fn restarted_too_often(&self, limit: i64) -> bool {
        if text(self.job, "/spec/template/spec/restartPolicy") != "OnFailure" {
            return false;
        }
        let active = self.pods.iter().filter(|pod| pods::is_active(pod));
        let restarts: i64 = active
            .flat_map(|pod| {
                ["/status/initContainerStatuses", "/status/containerStatuses"].map(|place| list(pod, place))
            })
            .flatten()
            .filter_map(|status| integer(status, "/restartCount"))
            .sum();
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    /// Makes the pods that are lacking, or ends those that are too many.
    fn fill(&mut self, back_off: Duration) -> Result<(), Failure> {
        let parallel = integer(self.job, "/spec/parallelism").unwrap_or(1);
        let active = self.count(pods::is_active);
        let wanted = match integer(self.job, "/spec/completions") {
            Some(completions) => parallel.min(completions - self.succeeded),
            // A queue of work: once one has succeeded, no new ones begin.
            None if self.succeeded > 0 => active,
            None => parallel,
        };
        if active > wanted {
            return self.end_surplus(usize::try_from(wanted).unwrap_or_default());
        }
        if self.waits(back_off) {
            return Ok(());
        }
        for _ in active..wanted {
            let maker = self.maker();
            let mut pod = maker.pod();
            pod["metadata"]["generateName"] = format!("{}-", text(self.job, "/metadata/name")).into();
            pod["metadata"]["finalizers"] = json!([TRACKING]);
            maker.create(pod)?;
        }
        Ok(())
    }

    /// Whether a failed pod is too young to be replaced.
    fn waits(&self, back_off: Duration) -> bool {
        let ends = self
            .pods
            .iter()
            .filter(|pod| has_failed(pod))
            .flat_map(|pod| list(pod, "/status/containerStatuses"));
        let since =
            ends.filter_map(|status| seconds_since(text(status, "/state/terminated/finishedAt"))).min();
        let doublings = u32::try_from((self.failed - 1).clamp(0, 16)).unwrap_or_default();
        let pause = back_off.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        since.is_some_and(|seconds| Duration::from_secs(seconds.unsigned_abs()) < pause)
    }

    /// Ends active pods until so many are left; they count as nothing.
    fn end_surplus(&self, left: usize) -> Result<(), Failure> {
        let mut active: Vec<_> = self.pods.iter().filter(|pod| pods::is_active(pod)).collect();
        active.sort_by_key(|pod| pods::is_ready(pod));
        let surplus = active.len().saturating_sub(left);
        for pod in &active[..surplus] {
            untrack(self.objects, pod)?;
            self.maker().delete(pod)?;
        }
        Ok(())
    }

    fn write_status(&self, verdict: Option<Verdict>) -> Result<(), Failure> {
        let (active, terminating) = (self.count(pods::is_active), self.count(is_terminating));
        let ready = self.count(|pod| pods::is_active(pod) && pods::is_ready(pod));
        let before = &self.job["status"];
        let mut status = json!({
            "active": active, "ready": ready, "terminating": terminating, "succeeded": self.succeeded,
            "failed": self.failed, "uncountedTerminatedPods": {}, "conditions": before["conditions"],
        });
        let suspended = self.job["spec"]["suspend"] == true;
        if !suspended {
            let started = text(before, "/startTime");
            status["startTime"] = if started.is_empty() { now().into() } else { started.into() };
        }
        object(&mut status).retain(|name, value| {
            !value.is_null() && (*value != 0 || ["ready", "terminating"].contains(&name.as_str()))
        });
        note_suspension(&mut status, suspended);
        let ended = verdict.filter(|verdict| note_verdict(&mut status, verdict, active + terminating == 0));
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            // Conditions of a Job call the time of the last look so.
            if let Some(time) = object(condition).remove("lastUpdateTime") {
                condition["lastProbeTime"] = time;
            }
        }
        if *before == status {
            return Ok(());
        }
        self.objects.update(&JOBS, &Key::of(&JOBS, self.job), &Writer::status(MANAGER), |before| {
            let mut after = before.clone();
            if before["metadata"]["uid"] == self.job["metadata"]["uid"] {
                after["status"] = status;
            }
            Ok(after)
        })?;
        if let Some(verdict) = ended {
            let (kind, reason, message) = if verdict.good {
                ("Normal", "Completed", "Job completed")
            } else {
                ("Warning", verdict.reason.as_str(), verdict.message.as_str())
            };
            events::record(self.objects, self.job, COMPONENT, kind, reason, message);
        }
        Ok(())
    }
}

/// Writes the conditions of an end; whether it is the end, since no pod is left.
fn note_verdict(status: &mut Value, verdict: &Verdict, alone: bool) -> bool {
    let (first, last) =
        if verdict.good { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") };
    set_condition(status, new_condition(first, "True", &verdict.reason, &verdict.message));
    if alone {
        set_condition(status, new_condition(last, "True", &verdict.reason, &verdict.message));
        if verdict.good {
            status["completionTime"] = now().into();
        }
    }
    alone
}

fn note_suspension(status: &mut Value, suspended: bool) {
    let before = list(status, "/conditions").iter().any(|condition| condition["type"] == "Suspended");
    let condition = if suspended {
        new_condition("Suspended", "True", "JobSuspended", "Job suspended")
    } else if before {
        new_condition("Suspended", "False", "JobResumed", "Job resumed")
    } else {
        return;
    };
    set_condition(status, condition);
}

fn is_finished(job: &Value) -> bool {
    ["Complete", "Failed"]
        .iter()
        .any(|kind| pods::condition(job, kind).is_some_and(|condition| condition["status"] == "True"))
}

/// Deletes a Job whose time after its end is over.
fn expire(objects: &Objects, job: &Value) -> Result<(), Failure> {
    let Some(seconds) = integer(job, "/spec/ttlSecondsAfterFinished") else { return Ok(()) };
    let ends = list(job, "/status/conditions").iter();
    let since = ends.filter_map(|condition| seconds_since(text(condition, "/lastTransitionTime"))).min();
    if since.is_some_and(|since| since >= seconds) {
        let uid = Some(text(job, "/metadata/uid").to_owned());
        objects.delete(&JOBS, &Key::of(&JOBS, job), &Deletion { uid, ..Deletion::default() })?;
    }
    Ok(())
}

fn release_counted(objects: &Objects, pods: &[Arc<Value>]) -> Result<(), Failure> {
    let mut ended = pods.iter().filter(|pod| is_tracked(pod) && !pods::is_active(pod));
    ended.try_for_each(|pod| untrack(objects, pod))
}

fn untrack(objects: &Objects, pod: &Value) -> Result<(), Failure> {
    let written = objects.update(&PODS, &Key::of(&PODS, pod), &Writer::controller(MANAGER), |before| {
        let mut after = before.clone();
        let mut finalizers = list(before, "/metadata/finalizers").to_vec();
        finalizers.retain(|finalizer| finalizer != TRACKING);
        object(&mut after["metadata"]).insert("finalizers".to_owned(), finalizers.into());
        Ok(after)
    });
    match written {
        Err(failure) if failure.code != 404 => Err(failure),
        _ => Ok(()),
    }
}

fn is_tracked(pod: &Value) -> bool {
    list(pod, "/metadata/finalizers").iter().any(|finalizer| finalizer == TRACKING)
}

fn has_succeeded(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Succeeded"
}

/// A pod that is deleted before it succeeds never gets the chance to fail.
fn has_failed(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Failed"
        || (!text(pod, "/metadata/deletionTimestamp").is_empty() && !has_succeeded(pod))
}

fn is_terminating(pod: &Value) -> bool {
    !text(pod, "/metadata/deletionTimestamp").is_empty()
        && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn length(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
