//! Which tasks belong together: the chains of a phase, and the way back of a failed rollout.

use crate::ids::{Stage, Subject, TaskId};
use crate::run::PhaseKind;
use crate::task::{Outcome, Task, Verdict};

/// The task that comes next in the chain of `task`.
pub fn successor(task: &TaskId) -> Option<TaskId> {
    let stage = match (task.stage, &task.subject) {
        // Rendered manifests are stored by their build: there is nothing to publish.
        (Stage::Build, subject) if *subject != Subject::Manifests => Stage::Publish,
        (Stage::Deploy, _) => Stage::Verify,
        _ => return None,
    };
    Some(TaskId { stage, ..task.clone() })
}

/// Whether the task's verdict ends its chain: nothing follows it, or it failed and there is no way back.
pub fn ends(task: &TaskId, verdict: &Verdict) -> bool {
    match verdict.outcome {
        Outcome::Passed => successor(task).is_none(),
        Outcome::Failed | Outcome::Superseded | Outcome::Cancelled => verdict.roll_back.is_none(),
    }
}

/// The task whose output this one works on: the first of these that has a verdict. A way back begins at what failed.
pub fn reads_from(task: &TaskId) -> Vec<TaskId> {
    let at = |stage: Stage, subject: &Subject| TaskId {
        stage,
        subject: subject.clone(),
        environment: task.environment.clone().filter(|_| stage.has_environment()),
    };
    match (task.stage, &task.subject) {
        (Stage::Test | Stage::Build, _) => Vec::new(),
        (Stage::Publish, subject) => vec![at(Stage::Build, subject)],
        (Stage::Deploy, Subject::Rollback(service)) => {
            let forward = Subject::Service(service.clone());
            vec![at(Stage::Verify, &forward), at(Stage::Deploy, &forward)]
        }
        (Stage::Deploy, subject) => vec![at(Stage::Publish, subject)],
        (Stage::Verify, subject) => vec![at(Stage::Deploy, subject)],
    }
}

/// The task whose output `task` works on, out of all tasks of the run.
pub fn previous<'a>(task: &TaskId, tasks: &'a [Task]) -> Option<&'a Task> {
    let known = |id: &TaskId| tasks.iter().find(|task| task.id == *id && task.verdict().is_some());
    reads_from(task).iter().find_map(known)
}

/// The two tasks of a service's way back: re-apply what was verified last, and see that it serves. None where there
/// is nothing to go back from.
pub fn way_back(task: &TaskId) -> Option<[TaskId; 2]> {
    let Subject::Service(service) = &task.subject else { return None };
    if PhaseKind::of(task.stage) != PhaseKind::Rollout {
        return None;
    }
    Some([Stage::Deploy, Stage::Verify].map(|stage| TaskId {
        stage,
        subject: Subject::Rollback(service.clone()),
        environment: task.environment.clone(),
    }))
}

/// Every task that a rollout of the service may consist of: its chain and the way back.
pub fn rollout(task: &TaskId) -> Vec<TaskId> {
    let Some(service) = task.subject.service() else { return Vec::new() };
    let at = |stage, subject| TaskId { stage, subject, environment: task.environment.clone() };
    [Stage::Deploy, Stage::Verify]
        .into_iter()
        .flat_map(|stage| {
            [at(stage, Subject::Service(service.clone())), at(stage, Subject::Rollback(service.clone()))]
        })
        .collect()
}
