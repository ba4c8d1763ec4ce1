//! What pods and `ReplicaSets` say about a rollout that does not get on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;

use crate::refusal::tidy;

/// The most lines of evidence; the rest says the same of other pods.
const MOST_LINES: usize = 5;

/// A refused pod is believed to stay refused after so long: quotas are freed, service accounts appear.
const REFUSAL_SETTLES_SECONDS: i64 = 5;

/// One finding that will not heal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// For people.
    pub(crate) line: String,
    /// Pod and container whose last log lines tell more.
    pub(crate) crashed: Option<(String, String)>,
}

impl Finding {
    fn plain(line: String) -> Self {
        Self { line, crashed: None }
    }
}

/// What will not heal in these pods; pods with the same trouble are counted, not repeated.
pub(crate) fn of_pods(pods: &[&Pod]) -> Vec<Finding> {
    let mut found: BTreeMap<(String, String), (Finding, usize)> = BTreeMap::new();
    for pod in pods {
        for container in containers(pod) {
            let Some((reason, finding)) = of_container(pod, container) else { continue };
            let entry = found.entry((container.name.clone(), reason)).or_insert((finding, 0));
            entry.1 += 1;
        }
    }
    let counted = found.into_values().map(|(mut finding, count)| {
        if count > 1 {
            finding.line = format!("{} (and {} more pods)", finding.line, count - 1);
        }
        finding
    });
    counted.take(MOST_LINES).collect()
}

fn of_container(pod: &Pod, container: &ContainerStatus) -> Option<(String, Finding)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let place = format!("pod `{}`, container `{}`", name(pod), container.name);
    let message = waiting.message.as_deref().unwrap_or("no message");
    let (family, finding) = match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => {
            let line =
                format!("{place}: the image `{}` cannot be pulled ({reason}): {message}", container.image);
            // The kubelet alternates between the first two; it is one trouble.
            ("image", Finding::plain(tidy(&line)))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (reason, Finding::plain(tidy(&format!("{place}: cannot be started ({reason}): {message}"))))
        }
        "CrashLoopBackOff" => {
            let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let code =
                last.map_or_else(String::new, |last| format!(", last with exit code {}", last.exit_code));
            let killed = last.and_then(|last| last.reason.as_deref()).filter(|reason| *reason == "OOMKilled");
            let killed = killed.map_or("", |_| " because it needed more memory than its limit");
            let line = format!("{place}: it ends again and again (CrashLoopBackOff){code}{killed}");
            (reason, Finding { line, crashed: Some((name(pod).to_owned(), container.name.clone())) })
        }
        _ => return None,
    };
    Some((family.to_owned(), finding))
}

/// Which containers of these pods have ended badly, the last pods first.
pub(crate) fn of_ended(pods: &[&Pod]) -> Vec<Finding> {
    let mut pods = pods.to_vec();
    pods.sort_by_key(|pod| Reverse(pod.metadata.creation_timestamp.as_ref().map(|time| time.0)));
    let ended = pods.iter().flat_map(|pod| containers(pod).map(|container| (*pod, container)));
    let ended = ended.filter_map(|(pod, container)| {
        let terminated = |state: &Option<ContainerState>| {
            state.as_ref().and_then(|state| state.terminated.as_ref()).map(|ended| ended.exit_code)
        };
        let code = terminated(&container.state).or_else(|| terminated(&container.last_state))?;
        let line = format!("pod `{}`, container `{}` ended with exit code {code}", name(pod), container.name);
        let crashed = Some((name(pod).to_owned(), container.name.clone()));
        (code != 0).then_some(Finding { line, crashed })
    });
    ended.take(1).collect()
}

/// What will not heal in the newest `ReplicaSet`: pods that the API server refuses to create.
pub(crate) fn of_replica_set(set: &ReplicaSet, now: Timestamp) -> Option<Finding> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let message = failure.message.as_deref().unwrap_or("no message");
    let since = failure.last_transition_time.as_ref()?.0;
    // A namespace's default service account appears a moment after the namespace.
    let will_heal = message.contains("error looking up service account");
    let settled = now.as_second() - since.as_second() >= REFUSAL_SETTLES_SECONDS;
    let refused = message.contains("forbidden") || message.contains("invalid");
    (refused && settled && !will_heal).then(|| {
        Finding::plain(tidy(&format!("the cluster refuses to create pods (FailedCreate): {message}")))
    })
}

/// `ProgressDeadlineExceeded`, if it speaks of these pods. After a rollback the condition of the failed rollout
/// stands for a moment: it is believed only when a pod that is not ready is older than it.
pub(crate) fn of_deadline(
    deployment: &Deployment,
    pods: &[&Pod],
    newest: Option<&ReplicaSet>,
) -> Option<Finding> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let exceeded = conditions.iter().find(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    })?;
    let said = exceeded.last_update_time.as_ref()?.0;
    let waiting =
        pods.iter().filter(|pod| !is_ready(pod)).filter_map(|pod| pod.metadata.creation_timestamp.as_ref());
    let without_pods =
        newest.filter(|_| pods.is_empty()).and_then(|set| set.metadata.creation_timestamp.as_ref());
    let concerned = waiting.chain(without_pods).any(|created| created.0 < said);
    concerned.then(|| {
        let seconds = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600);
        let state = pods.iter().find_map(|pod| hint(pod)).map(|hint| format!(": {hint}")).unwrap_or_default();
        Finding::plain(format!("no progress within {seconds} seconds (ProgressDeadlineExceeded){state}"))
    })
}

/// Why a pod is not ready yet, in words; it may still heal.
pub(crate) fn hint(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unschedulable = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(condition) = unschedulable {
        let message = condition.message.as_deref().unwrap_or("no message");
        return Some(tidy(&format!("pod `{}` cannot be scheduled: {message}", name(pod))));
    }
    containers(pod).find(|container| !container.ready).and_then(|container| {
        let state = container.state.as_ref()?;
        let words = match (&state.waiting, &state.running, &state.terminated) {
            (Some(waiting), ..) => format!("waits ({})", waiting.reason.as_deref().unwrap_or("no reason")),
            (_, Some(_), _) => "runs but is not ready".to_owned(),
            (.., Some(ended)) => format!("ended with exit code {}", ended.exit_code),
            (None, None, None) => return None,
        };
        Some(format!("pod `{}`, container `{}` {words}", name(pod), container.name))
    })
}

/// The last lines of a log, each short enough to show.
pub(crate) fn last_lines(log: &str, most: usize) -> Vec<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|line| line.chars().take(300).collect()).collect()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let first = status.and_then(|status| status.init_container_statuses.as_ref());
    let main = status.and_then(|status| status.container_statuses.as_ref());
    // An init container that has ended well is not ready either, and no reason to wait.
    let waiting = |container: &&ContainerStatus| {
        let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        ended.is_none_or(|ended| ended.exit_code != 0)
    };
    first.into_iter().flatten().filter(waiting).chain(main.into_iter().flatten())
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or("?")
}
