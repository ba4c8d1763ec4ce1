//! Which tests run, which are taken from an earlier run, and why.

use std::collections::BTreeMap;

use domain::ids::{ServiceName, Stage, Subject, Trust};
use domain::ports::{Answer, Artifacts, Green, Queue};
use domain::run::Run;
use domain::selection::{self, Choice, Contents, KeyFacts};
use domain::spec::Plan;
use domain::task::{Output, State, Task, Verdict};
use domain::time::Timestamp;
use lambda::Commit;

use crate::manifests::key_manifests;
use crate::source::Reach;
use crate::{Hub, Memory, Planner};

/// What every test build does: a result depends on it.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/test.yml");

/// What every image build does: an image depends on it.
const IMAGE_BUILDSPEC: &str = include_str!("../../../infra/buildspecs/image.yml");

/// The largest Dockerfile that is read, in bytes; one beyond it is told from others by what its context holds.
const LARGEST_DOCKERFILE: u64 = 256 * 1024;

/// The most names in one sentence.
const MOST_NAMES: usize = 10;

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Leaves the tests that are needed and gives each its reason; answers sentences for people.
    ///
    /// A trusted run has all tests: those whose very content has passed in a trusted run before are done from the
    /// beginning. A stranger's run has those that its change concerns, and takes nothing over.
    pub(crate) async fn choose(
        &self,
        head: &Run,
        plan: &Plan,
        commit: &Commit,
        reach: &Reach,
        tasks: &mut Vec<Task>,
    ) -> Answer<Vec<String>> {
        let request = head.request();
        let changes = selection::Reach::of(plan, &request, reach.changes.as_ref());
        if head.id.trust == Trust::Untrusted {
            return Ok(keep_affected(&selection::affected(plan, &changes), tasks));
        }
        let facts = KeyFacts { buildspec: BUILDSPEC, build_image: &self.build_image };
        let contents = commit.contents()?;
        let choices = selection::choose(plan, &changes, &contents, &facts);
        key_builds(commit, &contents, head.created, tasks)?;
        let keys: Vec<(Subject, String)> =
            choices.iter().map(|choice| (choice.subject.clone(), choice.key.clone())).collect();
        let greens = self.store.greens(&head.id.repository, &keys).await?;
        let known: BTreeMap<&Subject, (&Choice, Option<Green>)> =
            choices.iter().zip(greens).map(|(choice, green)| (&choice.subject, (choice, green))).collect();
        for task in tasks.iter_mut().filter(|task| task.id.stage == Stage::Test) {
            let Some((choice, green)) = known.get(&task.id.subject) else { continue };
            task.key = Some(choice.key.clone());
            // Without a pull request nothing is compared: what has not passed before runs.
            let is_concerned = choice.affected && reach.changes.is_some();
            task.why = if is_concerned { choice.why.clone() } else { NOT_GREEN.to_owned() };
            if let Some(green) = green.as_ref().filter(|green| green.run != head.id) {
                take_over(task, green);
            }
        }
        share_builds(plan, tasks);
        give_places(tasks);
        Ok(reused_note(tasks).into_iter().collect())
    }
}

/// Gives each build of images and manifests the key by which an earlier one of the same content is found.
pub(crate) fn key_builds(
    commit: &Commit,
    contents: &Contents,
    now: Timestamp,
    tasks: &mut [Task],
) -> Answer<()> {
    key_images(commit, contents, now, tasks)?;
    key_manifests(commit, contents, tasks)
}

fn key_images(commit: &Commit, contents: &Contents, now: Timestamp, tasks: &mut [Task]) -> Answer<()> {
    let is_image = |task: &&mut Task| task.id.stage == Stage::Build && task.id.subject.service().is_some();
    let mut builds: Vec<&mut Task> = tasks.iter_mut().filter(is_image).collect();
    let dockerfiles: Vec<String> = builds
        .iter()
        .map(|task| task.spec.service().and_then(|service| service.image.as_ref()))
        .map(|image| image.map(|image| image.dockerfile.to_string()).unwrap_or_default())
        .collect();
    let paths: Vec<&str> = dockerfiles.iter().map(String::as_str).collect();
    for (task, dockerfile) in builds.iter_mut().zip(commit.files(&paths, LARGEST_DOCKERFILE)?) {
        let key = dockerfile.as_deref().zip(task.spec.service()).and_then(|(dockerfile, service)| {
            selection::image_key(service, contents, dockerfile, IMAGE_BUILDSPEC, now)
        });
        task.key = key;
    }
    Ok(())
}

/// Why a test runs of which nothing else is known.
const NOT_GREEN: &str = "no earlier run has passed with the same content";

/// The result of an earlier run stands for the task.
fn take_over(task: &mut Task, green: &Green) {
    let output = Output::Report { report: green.report.clone(), log: None };
    task.state = State::Done { verdict: Verdict::passed(green.summary.clone(), output) };
    task.reused = Some(green.run.clone());
    task.why = format!("the same content passed in the run of `{}`", green.run.sha.short());
}

/// Of each group of services that may share a build, those that run do, where they are several.
fn share_builds(plan: &Plan, tasks: &mut [Task]) {
    for group in &plan.shared_builds {
        let mut sharing: Vec<&mut Task> = waiting(tasks)
            .filter(|task| task.id.subject.service().is_some_and(|name| group.contains(name)))
            .collect();
        let names: Vec<ServiceName> =
            sharing.iter().filter_map(|task| task.id.subject.service().cloned()).collect();
        if names.len() < 2 {
            continue;
        }
        let told: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        for task in &mut sharing {
            task.why = format!("{}; in one build: {}", task.why, told.join(", "));
            task.shares.clone_from(&names);
        }
    }
}

/// Where builds are limited, those that run get the places after those that are done already; those that share a build
/// have the place of their first one, so that they begin together.
fn give_places(tasks: &mut [Task]) {
    let done = tasks.iter().filter(|task| task.reused.is_some()).count();
    let mut first: BTreeMap<Vec<ServiceName>, u32> = BTreeMap::new();
    for (place, task) in (done..).zip(waiting(tasks)) {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        task.place = match task.shares.as_slice() {
            [] => place,
            names => *first.entry(names.to_vec()).or_insert(place),
        };
    }
}

/// The tests that run.
fn waiting(tasks: &mut [Task]) -> impl Iterator<Item = &mut Task> {
    tasks.iter_mut().filter(|task| task.id.stage == Stage::Test && task.reused.is_none())
}

fn keep_affected(affected: &[(Subject, bool, String)], tasks: &mut Vec<Task>) -> Vec<String> {
    let of = |task: &Task| affected.iter().find(|(subject, ..)| *subject == task.id.subject);
    tasks.retain(|task| task.id.stage != Stage::Test || of(task).is_some_and(|(_, affected, _)| *affected));
    for task in tasks.iter_mut() {
        task.why = of(task).map(|(_, _, why)| why.clone()).unwrap_or_default();
    }
    give_places(tasks);
    let spared: Vec<&Subject> =
        affected.iter().filter(|(_, affected, _)| !affected).map(|(subject, ..)| subject).collect();
    let note = || {
        format!(
            "not tested, since the change does not concern them: {}; `/test <name>` does",
            listed(&spared)
        )
    };
    (!spared.is_empty()).then(note).into_iter().collect()
}

fn reused_note(tasks: &[Task]) -> Option<String> {
    let reused: Vec<&Subject> =
        tasks.iter().filter(|task| task.reused.is_some()).map(|task| &task.id.subject).collect();
    (!reused.is_empty()).then(|| {
        format!(
            "the same content has passed before, and is not tested again: {}; `/test <name>` does",
            listed(&reused)
        )
    })
}

fn listed(subjects: &[&Subject]) -> String {
    let names: Vec<String> = subjects.iter().take(MOST_NAMES).map(|subject| format!("`{subject}`")).collect();
    match subjects.len().saturating_sub(MOST_NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
