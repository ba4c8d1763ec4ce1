//! How builds end, and what they leave behind.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::ids::{Digest, Stage, Subject, TaskId};
use domain::ports::BuildState;
use testkit::builders::{a_digest, a_manifest, a_zip, green_result, red_result, shared_result};
use testkit::fakes::{FakeBuild, World};

/// Ends a build, red or green by its tasks; answers it as it ended.
pub fn end_build(world: &World, build: &FakeBuild, is_red: impl Fn(&TaskId) -> bool) -> Option<FakeBuild> {
    let tasks: Vec<&TaskId> = build.request.attempts.iter().map(|attempt| &attempt.task).collect();
    if tasks[0].stage == Stage::Test {
        let result = if build.request.variables.contains_key("SLIPWAY_MEMBERS") {
            shared_result(tasks.iter().map(|task| (*task, is_red(task))))
        } else if is_red(tasks[0]) {
            red_result()
        } else {
            green_result()
        };
        world.artifacts.store(&format!("{}/result.zip", build.request.result), result);
        // The command's own failure is in the reports; the build itself succeeds.
        let project = [&world.tests, &world.untrusted]
            .into_iter()
            .find(|project| project.all().iter().any(|known| known.id == build.id))?;
        return project.end(&build.id, BuildState::Succeeded, None);
    }
    if tasks[0].subject == Subject::Manifests {
        return rendered(world, build, is_red(tasks[0]));
    }
    if is_red(tasks[0]) {
        return world.image_builds.end(&build.id, BuildState::Failed, Some("BUILD: exit status 1"));
    }
    let variables = &build.request.variables;
    let repository = variables["SLIPWAY_IMAGE"].split_once('/').map_or("", |(_, name)| name);
    let digest = digest_of(world, build);
    world.images.push(repository, &variables["SLIPWAY_TAG"], &digest);
    world.image_builds.end(&build.id, BuildState::Succeeded, None)
}

/// What Kustomize or Helm would have made of the services' manifests.
fn rendered(world: &World, build: &FakeBuild, is_red: bool) -> Option<FakeBuild> {
    let tasks = world.store.tasks_of(&build.request.attempts[0].run);
    let services =
        tasks.iter().filter(|task| task.id.stage == Stage::Deploy).filter_map(|task| task.spec.service());
    let streams = services
        .filter(|service| service.rendering.is_some())
        .map(|service| (format!("{}/manifests.yaml", service.name), a_manifest(service)));
    let (files, end) = if is_red {
        (vec![("error.txt".to_owned(), "service-1: no such field".to_owned())], BuildState::Failed)
    } else {
        (streams.collect(), BuildState::Succeeded)
    };
    let result = a_zip(&files);
    world.artifacts.store(&format!("{}/result.zip", build.request.result), result.clone());
    world.renders.end_leaving(&build.id, end, &result);
    world.renders.all().into_iter().find(|known| known.id == build.id)
}

/// Every build makes an image of its own, the same again in every play.
fn digest_of(world: &World, build: &FakeBuild) -> Digest {
    let of_attempt = world.image_builds.all().into_iter().filter(|other| other.request == build.request);
    let number = of_attempt.take_while(|other| other.id != build.id).count();
    let mut hasher = DefaultHasher::new();
    (build.request.task(), number).hash(&mut hasher);
    a_digest(hasher.finish())
}
