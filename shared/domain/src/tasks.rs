//! From a plan to the tasks and phases of a run.

use crate::ids::{EnvironmentName, RunId, ServiceName, Stage, Subject, TaskId};
use crate::run::{Phase, PhaseKind};
use crate::spec::{ManifestsSpec, Plan, RenderedService, ServiceSpec};
use crate::task::{Task, TaskSpec};

/// Every task of the run, in the order of phases: tests always; images and rollouts when it is delivered.
pub fn tasks_of(run: &RunId, plan: &Plan, environment: Option<&EnvironmentName>) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut add = |stage, subject, spec: TaskSpec| {
        let environment = environment.filter(|_| Stage::has_environment(stage)).cloned();
        tasks.push(Task::new(run.clone(), TaskId { stage, subject, environment }, spec));
    };
    for service in plan.services.iter().filter(|service| service.test.is_some()) {
        add(Stage::Test, subject(&service.name), TaskSpec::Service(service.clone()));
    }
    if let Some(checks) = &plan.checks {
        add(Stage::Test, Subject::Checks, TaskSpec::Checks(checks.clone()));
    }
    if let Some(integration) = &plan.integration {
        add(Stage::Test, Subject::Integration, TaskSpec::Integration(integration.clone()));
    }
    if let Some(environment) = environment {
        if let Some(manifests) = rendered(plan, environment) {
            add(Stage::Build, Subject::Manifests, TaskSpec::Manifests(manifests));
        }
        for stage in [Stage::Build, Stage::Publish, Stage::Deploy, Stage::Verify] {
            for service in plan.services.iter().filter(|service| takes_part(service, stage)) {
                add(stage, subject(&service.name), TaskSpec::Service(service.clone()));
            }
        }
    }
    tasks
}

/// The manifests that one build of the run renders.
fn rendered(plan: &Plan, environment: &EnvironmentName) -> Option<ManifestsSpec> {
    let of_service = |service: &ServiceSpec| {
        let rendering = service.rendering.clone()?;
        Some(RenderedService { name: service.name.clone(), rendering })
    };
    let services: Vec<_> = plan.services.iter().filter_map(of_service).collect();
    (!services.is_empty()).then(|| ManifestsSpec { environment: environment.clone(), services })
}

fn subject(name: &ServiceName) -> Subject {
    Subject::Service(name.clone())
}

fn takes_part(service: &ServiceSpec, stage: Stage) -> bool {
    match PhaseKind::of(stage) {
        PhaseKind::Test => service.test.is_some(),
        PhaseKind::Image => service.image.is_some(),
        PhaseKind::Rollout => !service.manifests.is_empty() || service.rendering.is_some(),
    }
}

/// The phases that these new tasks form: one chain for each task that begins one, of which those have passed that are
/// taken over from an earlier run; phases without any are left out.
pub fn phases_of(tasks: &[Task]) -> Vec<Phase> {
    [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout]
        .into_iter()
        .map(|kind| {
            let chains = || tasks.iter().filter(|task| task.id.stage == kind.first_stage());
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let taken_over = chains().filter(|task| task.reused.is_some()).count();
            Phase { kind, total: number(chains().count()), passed: number(taken_over), failed: 0 }
        })
        .filter(|phase| phase.total > 0)
        .collect()
}
