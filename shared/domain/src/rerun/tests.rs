//! What a request leads to, as tables: how the tasks stand, what is asked, what comes of it.

mod refusals;
mod request;

use std::collections::BTreeMap;

use super::*;
use crate::ids::{EnvironmentName, Trust};
use crate::policy::Policy;
use crate::ports::Release;
use crate::run::{Delivery, Onset, Opening, Phase, PhaseKind, RunOutcome, RunState};
use crate::spec::{Reads, RolloutSpec, ServiceSpec};
use crate::task::{Output, State, TaskSpec, Verdict};

const NOW: Timestamp = Timestamp(1_795_435_200_000);

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("tests spell names right")
}

/// The tasks of services `a` and `o` by the short names that the tables use: `back-…` are the way back of `a`.
const NAMES: [(&str, &str); 9] = [
    ("test", "test/a"),
    ("build", "build/a"),
    ("publish", "publish/a"),
    ("deploy", "deploy/a@development"),
    ("verify", "verify/a@development"),
    ("back-deploy", "deploy/a+rollback@development"),
    ("back-verify", "verify/a+rollback@development"),
    ("o-deploy", "deploy/o@development"),
    ("checks", "test/+checks"),
];

fn id(short: &str) -> TaskId {
    let known = NAMES.iter().find(|(name, _)| *name == short);
    name(known.unwrap_or_else(|| panic!("`{short}` is no short name")).1)
}

fn short(id: &TaskId) -> &'static str {
    let text = id.to_string();
    NAMES.iter().find(|(_, name)| *name == text).map_or("?", |(short, _)| short)
}

/// `finished 2+0 1+1 0+0`: the state, and of each phase of two chains those that passed and failed. `-deploy,verify`
/// run alone; `opening` is the end that is still to be written.
fn head(text: &str) -> Run {
    let mut run = Run::new(&request::request(), NOW);
    let environment: EnvironmentName = name("development");
    run.delivery = Some(Delivery {
        environment,
        cluster: crate::ids::ClusterAccess::default(),
        namespace: "development".to_owned(),
        fence: 1,
        policy: Policy::default(),
    });
    let mut kinds = [PhaseKind::Test, PhaseKind::Image, PhaseKind::Rollout].into_iter();
    run.state = RunState::Active;
    for word in text.split_whitespace() {
        match (word, word.split_once('+')) {
            ("active", _) => {}
            ("finished", _) => {
                run.state = RunState::Finished(RunOutcome::Failed);
                run.finished = Some(NOW);
            }
            ("opening", _) => {
                let what = Onset::Finish(RunOutcome::Failed);
                run.opening = Some(Opening { by: Some(id("checks")), what });
            }
            (_, Some((passed, failed))) => run.phases.push(Phase {
                kind: kinds.next().expect("three phases"),
                total: 2,
                passed: passed.parse().expect("a number"),
                failed: failed.parse().expect("a number"),
            }),
            (alone, None) => {
                run.reruns = alone.trim_start_matches('-').split(',').map(id).collect();
            }
        }
    }
    run
}

/// `deploy=passed verify=back`: the state of each task, `back` for a failure that names a release to go back to; all
/// others of the way forward have passed. `passed/stuck` stands as passed for the run and is stuck alone.
fn tasks(run: &Run, text: &str) -> Vec<Task> {
    let mut tasks: Vec<Task> = ["test", "build", "publish", "deploy", "verify"]
        .map(|short| task(run, short, "passed"))
        .into_iter()
        .collect();
    for (short, state) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
        tasks.retain(|task| task.id != id(short));
        tasks.push(task(run, short, state));
    }
    tasks
}

fn task(run: &Run, short: &str, state: &str) -> Task {
    let spec = ServiceSpec {
        name: name("a"),
        path: name("backend/a"),
        test: None,
        image: None,
        manifests: Vec::new(),
        rendering: None,
        values: BTreeMap::new(),
        rollout: RolloutSpec::default(),
        health: None,
        reads: Reads::default(),
    };
    let (standing, state) = match state.split_once('/') {
        Some((standing, state)) => (Some(standing), state),
        None => (None, state),
    };
    let release = Release {
        service: name("a"),
        run: run.id.clone(),
        fence: 0,
        turn: 2,
        image: None,
        manifests: "0".repeat(64),
        objects: Vec::new(),
        leftovers: Vec::new(),
        at: NOW,
    };
    let verdict = |outcome: &str| match outcome {
        "passed" => Verdict::passed("fine", Output::None),
        "failed" => Verdict::failed("broken", Output::None),
        "back" => Verdict::failed("broken", Output::None).rolling_back(Some(release.clone())),
        "superseded" => Verdict::superseded("overtaken"),
        other => panic!("`{other}` is no state"),
    };
    let state = match state {
        "pending" => State::Pending,
        "starting" => State::Starting { since: NOW },
        "running" => State::Running { handle: "handle".to_owned(), since: NOW },
        "stuck" => State::Stuck { reason: "no answer".to_owned(), told: true },
        passing => match passing.strip_prefix("passing-on-") {
            Some(outcome) => State::PassingOn { verdict: verdict(outcome) },
            None => State::Done { verdict: verdict(passing) },
        },
    };
    let standing = standing.map(|outcome| verdict(outcome).outcome);
    Task { state, standing, ..Task::new(run.id.clone(), id(short), TaskSpec::Service(spec)) }
}

/// What comes of it, in the words of the tables.
fn outcome(head_text: &str, tasks_text: &str, asked: &str) -> String {
    let head = head(head_text);
    let tasks = tasks(&head, tasks_text);
    let (short_name, cascade) = match asked.strip_suffix(" cascade") {
        Some(short) => (short, true),
        None => (asked, false),
    };
    let asked = Rerun { run: head.id.clone(), task: id(short_name), request: None, cascade, dry_run: false };
    let reopening = match decide(&head, &tasks, &asked, NOW) {
        Ok(reopening) => reopening,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    let Reopening { head: after, tasks: again, says } = reopening;
    assert_eq!(after.version, head.version + 1, "written on condition of the head before");
    assert!(after.due.is_some(), "sweep looks at the run again");
    assert_eq!(after.finished.is_some(), after.is_finished());
    assert!(says.contains("attempt 2 of"), "{says}");
    for new in &again {
        let old = tasks.iter().find(|task| task.id == new.id).expect("a task of the run");
        assert_eq!((new.version, new.attempt), (old.version + 1, old.attempt + 1), "{}", new.id);
        assert_eq!((&new.state, new.failures, new.timer.due), (&State::Pending, 0, None), "{}", new.id);
        assert_eq!(new.standing.is_some(), after.reruns.contains(&new.id), "{} alone or not", new.id);
    }
    let state = if after.is_finished() { "finished" } else { "active" };
    let ending = if after.opening.is_some() { " opening" } else { "" };
    let counts: Vec<_> =
        after.phases.iter().map(|phase| format!("{}+{}", phase.passed, phase.failed)).collect();
    let list = |ids: Vec<&'static str>| if ids.is_empty() { "none".to_owned() } else { ids.join(",") };
    format!(
        "{state}{ending} {}, round {}, alone {}, again {}",
        counts.join(" "),
        after.round,
        list(after.reruns.iter().map(short).collect()),
        list(again.iter().map(|task| short(&task.id)).collect()),
    )
}

fn check(rows: &[(&str, &str, &str, &str)]) {
    for (head, tasks, asked, expected) in rows {
        assert_eq!(outcome(head, tasks, asked), *expected, "{head} | {tasks} | {asked}");
    }
}

#[test]
fn what_had_not_passed_takes_its_place_again_and_the_run_goes_on() {
    check(&[
        (
            "finished 1+1 0+0 0+0",
            "test=failed",
            "test",
            "active 1+0 0+0 0+0, round 1, alone none, again test",
        ),
        // Others of the phase are still at work: nothing had been freed, no new round.
        ("active 0+1 0+0 0+0", "test=failed", "test", "active 0+0 0+0 0+0, round 0, alone none, again test"),
        // The last one has closed the phase, but its opening is not carried out yet: it loses its place.
        (
            "active opening 1+1 0+0 0+0",
            "test=failed checks=passing-on-passed",
            "test",
            "active 1+0 0+0 0+0, round 1, alone none, again test",
        ),
        // A chain that failed in its middle takes with it only what had begun.
        (
            "finished 2+0 1+1 0+0",
            "build=failed publish=pending",
            "build",
            "active 2+0 1+0 0+0, round 1, alone none, again build",
        ),
        (
            "finished 2+0 1+1 0+0",
            "publish=failed",
            "publish",
            "active 2+0 1+0 0+0, round 1, alone none, again publish",
        ),
        (
            "finished 2+0 2+0 1+1",
            "verify=failed",
            "verify",
            "active 2+0 2+0 1+0, round 1, alone none, again verify",
        ),
        // Who deploys also verifies, and what was gone back from begins anew.
        (
            "finished 2+0 2+0 1+1",
            "verify=back back-deploy=passed back-verify=passed",
            "deploy",
            "active 2+0 2+0 1+0, round 1, alone none, again deploy,verify,back-deploy,back-verify",
        ),
        (
            "finished 2+0 2+0 1+1",
            "deploy=back verify=pending back-deploy=failed back-verify=pending",
            "deploy",
            "active 2+0 2+0 1+0, round 1, alone none, again deploy,back-deploy",
        ),
        (
            "finished 2+0 2+0 1+1",
            "deploy=superseded verify=pending",
            "deploy",
            "active 2+0 2+0 1+0, round 1, alone none, again deploy",
        ),
        // What had not passed needs no cascade to go on.
        (
            "finished 1+1 0+0 0+0",
            "test=failed",
            "test cascade",
            "active 1+0 0+0 0+0, round 1, alone none, again test",
        ),
    ]);
}

#[test]
fn a_stuck_task_was_never_counted() {
    check(&[
        ("active 1+0 0+0 0+0", "test=stuck", "test", "active 1+0 0+0 0+0, round 0, alone none, again test"),
        (
            "active 2+0 2+0 1+0",
            "deploy=stuck verify=pending",
            "deploy",
            "active 2+0 2+0 1+0, round 0, alone none, again deploy",
        ),
        (
            "active 2+0 2+0 1+0",
            "verify=stuck",
            "deploy",
            "active 2+0 2+0 1+0, round 0, alone none, again deploy,verify",
        ),
        // Not even with its way back: the chain ends only with that.
        (
            "active 2+0 2+0 0+1",
            "verify=back back-deploy=stuck back-verify=pending",
            "deploy",
            "active 2+0 2+0 0+1, round 0, alone none, again deploy,verify,back-deploy",
        ),
        (
            "active 2+0 2+0 0+1",
            "verify=back back-deploy=passed back-verify=stuck",
            "deploy",
            "active 2+0 2+0 0+1, round 0, alone none, again deploy,verify,back-deploy,back-verify",
        ),
    ]);
}

#[test]
fn what_had_passed_runs_alone() {
    let whole = "deploy,back-deploy,verify,back-verify";
    let finished =
        |alone: &str, again: &str| format!("finished 2+0 2+0 2+0, round 1, alone {alone}, again {again}");
    check(&[
        ("finished 2+0 2+0 2+0", "", "test", &finished("test", "test")),
        ("finished 2+0 2+0 2+0", "", "build", &finished("build", "build")),
        ("finished 2+0 2+0 2+0", "", "publish", &finished("publish", "publish")),
        ("finished 2+0 2+0 2+0", "", "deploy", &finished(whole, "deploy,verify")),
        ("finished 2+0 2+0 2+0", "", "verify", &finished("back-deploy,verify,back-verify", "verify")),
        // Nobody reads what a test makes: it may run while the others do.
        ("active 2+0 1+0 0+0", "", "test", "active 2+0 1+0 0+0, round 0, alone test, again test"),
        // Its last write was lost with its last wake: the run has ended all the same.
        ("finished 2+0 2+0 2+0", "test=passing-on-passed", "test", &finished("test", "test")),
        // What follows has nothing to follow with.
        ("finished 2+0 2+0 2+0", "", "verify cascade", &finished("back-deploy,verify,back-verify", "verify")),
        // It failed alone: for the run it has passed.
        ("finished 2+0 2+0 2+0", "test=passed/failed", "test", &finished("test", "test")),
        // It went back alone; a deploy is the way forward again.
        (
            "finished 2+0 2+0 2+0",
            "verify=passed/back deploy=passed/passed back-deploy=passed back-verify=passed",
            "deploy",
            &finished(whole, "verify,deploy,back-deploy,back-verify"),
        ),
    ]);
}

#[test]
fn what_is_stuck_alone_runs_alone_again() {
    let alone = "deploy,back-deploy,verify,back-verify";
    let head = format!("finished 2+0 2+0 2+0 -{alone}");
    let same = |again: &str| format!("finished 2+0 2+0 2+0, round 0, alone {alone}, again {again}");
    check(&[
        (&head, "deploy=passed/stuck verify=passed/pending", "deploy", &same("deploy")),
        (&head, "deploy=passed/passed verify=passed/stuck", "verify", &same("verify")),
        (&head, "deploy=passed/passed verify=passed/stuck", "deploy", &same("deploy,verify")),
        (
            "finished 2+0 2+0 2+0 -test",
            "test=passed/stuck",
            "test",
            "finished 2+0 2+0 2+0, round 0, alone test, again test",
        ),
        // A verify that is stuck alone joins the deploy that is asked for.
        (
            "finished 2+0 2+0 2+0 -verify,back-deploy,back-verify",
            "verify=passed/stuck",
            "deploy",
            "finished 2+0 2+0 2+0, round 1, alone verify,back-deploy,back-verify,deploy, again deploy,verify",
        ),
    ]);
}

#[test]
fn a_cascade_takes_everything_that_follows() {
    let all = "active 1+0 1+0 1+0, round 1, alone none, again test,build,publish,deploy,verify";
    check(&[
        ("finished 2+0 2+0 2+0", "", "test cascade", all),
        (
            "finished 2+0 2+0 2+0",
            "",
            "publish cascade",
            "active 2+0 1+0 1+0, round 1, alone none, again publish,deploy,verify",
        ),
        (
            "finished 2+0 2+0 2+0",
            "",
            "deploy cascade",
            "active 2+0 2+0 1+0, round 1, alone none, again deploy,verify",
        ),
        // Each phase forgets what it had counted: here the rollout that failed.
        (
            "finished 2+0 2+0 1+1",
            "verify=back back-deploy=passed back-verify=passed",
            "build cascade",
            "active 2+0 1+0 1+0, round 1, alone none, again build,publish,deploy,verify,back-deploy,back-verify",
        ),
        // Another service's tests were red: nothing that follows has begun.
        (
            "finished 1+1 0+0 0+0",
            "build=pending publish=pending deploy=pending verify=pending",
            "test cascade",
            "active 0+1 0+0 0+0, round 1, alone none, again test",
        ),
        // The checks are of no service: nothing follows them.
        (
            "finished 2+0 2+0 2+0",
            "checks=passed",
            "checks cascade",
            "finished 2+0 2+0 2+0, round 1, alone checks, again checks",
        ),
    ]);
}

#[test]
fn a_request_is_known_by_its_task_and_a_dry_run_is_another_one() {
    let head = head("finished 2+0 2+0 2+0");
    let mut asked = Rerun { run: head.id, task: id("deploy"), request: None, cascade: false, dry_run: false };
    let request = name("fix-1");
    assert_eq!(key(&asked, &request), "rerun-fix-1-deploy/a@development");
    asked.dry_run = true;
    assert_eq!(key(&asked, &request), "dry-run-fix-1-deploy/a@development");
}
