//! A release that does not serve: its services go back to the last verified one.

use std::collections::BTreeMap;

use domain::ids::{Stage, Subject};
use domain::run::{RunOutcome, RunState};
use proptest::prelude::*;
use testkit::builders::{a_push, a_sha, name};
use testkit::fakes::{FakeBuild, Fate, World};

use crate::fates::end_build;
use crate::functions::Functions;
use crate::scenario::{Scenario, disturbances, ending};
use crate::scheduler::{Disturbance, Fates, Scheduler};
use crate::tidy::{config, settled};

/// Images of the second commit are bad where its service has a fate.
#[derive(Debug)]
struct SecondIsBad {
    fates: BTreeMap<usize, Fate>,
}

impl Fates for SecondIsBad {
    fn end(&self, world: &World, build: &FakeBuild) -> Option<FakeBuild> {
        let ended = end_build(world, build, |_| false);
        let attempt = &build.request.attempts[0];
        if let (Stage::Build, Subject::Service(service)) = (attempt.task.stage, &attempt.task.subject)
            && attempt.run.sha == a_sha(2)
        {
            let index = service.as_str()["service-".len()..].parse::<usize>().expect("a number");
            let digest =
                world.images.tags(&format!("vive-sphere/{service}"))[attempt.run.sha.as_str()].clone();
            if let Some(fate) = self.fates.get(&index) {
                world.cluster.spoil(digest.as_str(), fate.clone());
            }
        }
        ended
    }
}

fn fates(services: usize) -> impl Strategy<Value = BTreeMap<usize, Fate>> {
    let bad = prop_oneof![
        Just(Fate::Hopeless { evidence: vec!["container `app` exited with code 3".to_owned()] }),
        Just(Fate::Refused { because: "spec.replicas: must be a number".to_owned() }),
        Just(Fate::Unhealthy),
    ];
    prop::collection::btree_map(1..=services, bad, 1..=services)
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn a_bad_release_goes_back_to_the_verified_one(fates in fates(3), disturbance in disturbances()) {
        let bad: Vec<usize> = fates.keys().copied().collect();
        let world = play(fates, &disturbance).map_err(TestCaseError::fail)?;
        settled(&world)?;
        let end = ending(&world, 2);
        prop_assert_eq!(&end.state, &RunState::Finished(RunOutcome::Failed));
        for service in 1..=3 {
            let commit = if bad.contains(&service) { 1 } else { 2 };
            let (current, verified) = releases(&world, service);
            prop_assert_eq!(&current, &a_sha(commit).to_string(), "service {} runs", service);
            prop_assert_eq!(&verified, &a_sha(commit).to_string(), "service {} was verified", service);
            prop_assert_eq!(serving(&world, service), commit, "service {} serves", service);
            let back = end.tasks.keys().filter(|task| {
                task.subject == Subject::Rollback(name(&format!("service-{service}")))
            });
            prop_assert_eq!(back.count(), if bad.contains(&service) { 2 } else { 0 });
        }
    }
}

/// Commit 1 is delivered on a good day, then commit 2 on a disturbed one.
fn play(fates: BTreeMap<usize, Fate>, disturbance: &Disturbance) -> Result<World, String> {
    let world = World::new();
    let functions = Functions::new(&world);
    let (scenario, fates) = (Scenario::good(3), SecondIsBad { fates });
    let pushes = [a_push("develop", None, &a_sha(1)), a_push("develop", Some(&a_sha(1)), &a_sha(2))];
    scenario.prepare(&world, 1);
    let mut good = Scheduler::new(&world, &functions, &fates, &Disturbance::default());
    good.post(&pushes[0]);
    good.run()?;
    drop(good);
    let begun = world.wire.calls().len();
    let troubles = disturbance.troubles.iter().map(|(number, trouble)| (begun + number, *trouble)).collect();
    let disturbance = Disturbance { troubles, ..disturbance.clone() };
    scenario.prepare(&world, 2);
    let mut scheduler = Scheduler::new(&world, &functions, &fates, &disturbance);
    scheduler.post(&pushes[1]);
    scheduler.run()?;
    drop(scheduler);
    Ok(world)
}

/// The commits of the current and of the last verified release.
fn releases(world: &World, service: usize) -> (String, String) {
    let service = name(&format!("service-{service}"));
    let (repository, environment) = (name("vive-sphere/bot-manager"), name("development"));
    let (current, verified) = world.store.releases_of(&repository, &environment, &service);
    let sha = |release: Option<domain::ports::Release>| {
        release.map(|release| release.run.sha.to_string()).unwrap_or_default()
    };
    (sha(current), sha(verified))
}

/// The commit whose image the cluster runs.
fn serving(world: &World, service: usize) -> u64 {
    let name = format!("service-{service}");
    let objects = world.cluster.objects();
    let deployment = objects.iter().find(|(known, _)| known.kind == "Deployment" && known.name == name);
    let image = deployment.and_then(|(_, object)| object.pointer("/spec/template/spec/containers/0/image"));
    let digest = image.and_then(|image| image.as_str()).and_then(|image| image.split_once('@'));
    let tags = world.images.tags(&format!("vive-sphere/{name}"));
    (1..=2)
        .find(|commit| {
            let tag = a_sha(*commit);
            tags.get(tag.as_str()).map(domain::ids::Digest::as_str) == digest.map(|(_, digest)| digest)
        })
        .unwrap_or(0)
}
