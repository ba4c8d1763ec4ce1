//! How builds end, and what they leave behind.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::ids::{Digest, Stage};
use domain::ports::BuildState;
use testkit::builders::{a_digest, green_result, red_result};
use testkit::fakes::{FakeBuild, World};

/// Ends a build, red or green; answers it as it ended.
pub fn end_build(world: &World, build: &FakeBuild, is_red: bool) -> Option<FakeBuild> {
    if build.request.attempt.task.stage == Stage::Test {
        let result = if is_red { red_result() } else { green_result() };
        world.artifacts.store(&format!("{}/result.zip", build.request.result), result);
        // The command's own failure is in the reports; the build itself succeeds.
        let project = [&world.tests, &world.untrusted]
            .into_iter()
            .find(|project| project.all().iter().any(|known| known.id == build.id))?;
        return project.end(&build.id, BuildState::Succeeded, None);
    }
    if is_red {
        return world.image_builds.end(&build.id, BuildState::Failed, Some("BUILD: exit status 1"));
    }
    let variables = &build.request.variables;
    let repository = variables["SLIPWAY_IMAGE"].split_once('/').map_or("", |(_, name)| name);
    let digest = digest_of(world, build);
    world.images.push(repository, &variables["SLIPWAY_TAG"], &digest);
    world.image_builds.end(&build.id, BuildState::Succeeded, None)
}

/// Every build makes an image of its own, the same again in every play.
fn digest_of(world: &World, build: &FakeBuild) -> Digest {
    let of_attempt = world.image_builds.all().into_iter().filter(|other| other.request == build.request);
    let number = of_attempt.take_while(|other| other.id != build.id).count();
    let mut hasher = DefaultHasher::new();
    (build.request.attempt.to_string(), number).hash(&mut hasher);
    a_digest(hasher.finish())
}
