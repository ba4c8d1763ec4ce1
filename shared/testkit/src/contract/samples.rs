//! Small domain values for the contract's stories.

use std::collections::BTreeMap;

use domain::ids::{EnvironmentName, RepositoryName, RunId, ServiceName, Sha, TaskId};
use domain::message::PlanRequest;
use domain::ports::Release;
use domain::run::Run;
use domain::spec::{Reads, RolloutSpec, ServiceSpec};
use domain::task::{Task, TaskSpec};
use domain::time::Timestamp;

/// When every story begins.
pub(super) const START: Timestamp = Timestamp(1_700_000_000_000);

/// A value that the stories spell themselves and therefore is valid.
pub(super) fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the stories use valid names")
}

pub(super) fn repository() -> RepositoryName {
    name("vive-sphere/bot-manager")
}

pub(super) fn environment() -> EnvironmentName {
    name("development")
}

/// A commit of its own for each number.
pub(super) fn sha(number: u32) -> Sha {
    name(&format!("{number:040x}"))
}

/// The head that the commit's plan begins with.
pub(super) fn run(number: u32) -> Run {
    let request = PlanRequest {
        delivery: name("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        repository: repository(),
        installation: 1,
        sha: sha(number),
        before: None,
        branch: "develop".to_owned(),
        fork: None,
        pull_request: None,
        sender: "someone".to_owned(),
        title: "Say `hello`, \"wörld\"".to_owned(),
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    };
    Run::new(&request, START)
}

pub(super) fn run_id(number: u32) -> RunId {
    run(number).id
}

pub(super) fn task_id(text: &str) -> TaskId {
    name(text)
}

pub(super) fn task(run: &RunId, id: &str) -> Task {
    let spec = TaskSpec::Service(ServiceSpec {
        name: service(),
        path: name("backend/authentication"),
        test: None,
        image: None,
        manifests: Vec::new(),
        rendering: None,
        values: BTreeMap::new(),
        rollout: RolloutSpec::default(),
        health: None,
        reads: Reads::default(),
    });
    Task::new(run.clone(), task_id(id), spec)
}

pub(super) fn service() -> ServiceName {
    name("authentication")
}

/// What the service runs since the run took the number.
pub(super) fn release(number: u32, fence: u64) -> Release {
    Release {
        service: service(),
        run: run_id(number),
        fence,
        turn: 2,
        image: None,
        manifests: format!("{number:064x}"),
        objects: Vec::new(),
        leftovers: Vec::new(),
        at: START,
    }
}
