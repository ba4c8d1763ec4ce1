//! Runs and tasks at the moments that people read about.

use std::str::FromStr;

use domain::ids::{EnvironmentName, RunId, TaskId};
use domain::report::{Annotation, AnnotationLevel, TestCounts, TestReport};
use domain::run::{Delivery, Origin, Run, RunOutcome, RunState};
use domain::spec::{ChecksSpec, Notifications};
use domain::task::{Applied, ObjectName, Output, PinnedImage, State, Task, TaskSpec, Verdict};
use domain::time::Timestamp;

pub const START: Timestamp = Timestamp(1_000_000);
const LOG: &str = "https://logs.example.com/group?stream=a&b=c";

fn parse<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

pub fn id() -> RunId {
    parse("vive-sphere.bot-manager.0123456789abcdef0123456789abcdef01234567")
}

/// A run to development, just begun.
pub fn run(state: RunState) -> Run {
    let finished = matches!(state, RunState::Finished(_)).then_some(Timestamp(START.0 + 192_000));
    Run {
        id: id(),
        version: 3,
        installation: 7,
        origin: Origin {
            delivery: parse("d-1"),
            branch: "develop".to_owned(),
            before: None,
            fork: None,
            pull_request: None,
            sender: "octocat".to_owned(),
            title: "Let users log in".to_owned(),
            tag: false,
            forced: false,
            base: None,
            draft: false,
            skip: None,
        },
        state,
        phases: Vec::new(),
        delivery: Some(Delivery {
            environment: parse::<EnvironmentName>("development"),
            cluster: domain::ids::ClusterAccess::default(),
            namespace: "bot-development".to_owned(),
            fence: 12,
            policy: domain::policy::Policy::default(),
        }),
        opening: None,
        round: 0,
        reruns: Vec::new(),
        claims: Vec::new(),
        replaces_older: true,
        stop: None,
        admitted: None,
        pulls: Vec::new(),
        compared_with: None,
        parallel: None,
        preview: None,
        failures: 0,
        outages: 0,
        stuck: None,
        notifications: Notifications {
            slack: Some("#deploys".to_owned()),
            email: vec!["team@example.com".to_owned()],
        },
        notes: vec!["`authentication` and `bot_manager` run, as nothing green is known of them".to_owned()],
        created: START,
        finished,
        due: None,
    }
}

/// A task that nobody has begun.
pub fn waiting(task: &str) -> Task {
    let spec = TaskSpec::Checks(ChecksSpec::default());
    Task::new(id(), parse::<TaskId>(task), spec)
}

pub fn running(task: &str) -> Task {
    let started = Some(Timestamp(START.0 + 5_000));
    Task { state: State::Running { handle: "b".to_owned(), since: START }, started, ..waiting(task) }
}

/// A task with its verdict, which took `seconds`.
pub fn done(task: &str, seconds: u64, verdict: Verdict) -> Task {
    let task = running(task);
    Task {
        state: State::Done { verdict },
        finished: Some(Timestamp(START.0 + 5_000 + seconds * 1000)),
        ..task
    }
}

pub fn stuck(task: &str, reason: &str) -> Task {
    Task { state: State::Stuck { reason: reason.to_owned(), told: false }, ..running(task) }
}

fn report() -> TestReport {
    TestReport {
        passed: true,
        tests: Some(TestCounts { passed: 14, failed: 0, skipped: 1, flaky: 0 }),
        coverage: Some(91.25),
        coverage_demanded: Some(80),
        ..TestReport::default()
    }
}

pub fn tested(task: &str, seconds: u64) -> Task {
    let output = Output::Report { report: report(), log: Some(LOG.to_owned()) };
    done(task, seconds, Verdict::passed("14 tests passed, coverage 91.2 %", output))
}

/// A red test task; everything in it may come from a stranger.
pub fn broken(task: &str, message: &str, log: &[&str]) -> Task {
    let report = TestReport {
        passed: false,
        reasons: vec![
            format!("test `{message}` failed"),
            "line coverage is 71.2 %, at least 80 % are demanded".to_owned(),
        ],
        tests: Some(TestCounts { passed: 12, failed: 1, skipped: 0, flaky: 0 }),
        coverage: Some(71.25),
        annotations: vec![Annotation {
            path: "backend/authentication/tests/test_login.py".to_owned(),
            line: 17,
            level: AnnotationLevel::Failure,
            title: "test_login".to_owned(),
            message: message.to_owned(),
        }],
        annotations_omitted: 3,
        log_tail: log.iter().map(|line| (*line).to_owned()).collect(),
        ..report()
    };
    let summary = report.reasons[0].clone();
    done(task, 41, Verdict::failed(summary, Output::Report { report, log: Some(LOG.to_owned()) }))
}

/// A task whose result another run has earned.
pub fn reused(task: &str) -> Task {
    let earned = RunId { sha: parse("89abcdef0123456789abcdef0123456789abcdef"), ..id() };
    let why = "nothing that its tests read has changed since `89abcde`".to_owned();
    Task { reused: Some(earned), started: None, finished: None, why, ..tested(task, 0) }
}

pub fn checked(task: &str) -> Task {
    let report = TestReport { passed: true, flake8: Some(0), bandit: Some(0), ..TestReport::default() };
    done(task, 9, Verdict::passed("no findings", Output::Report { report, log: None }))
}

/// One service delivered to the end.
pub fn delivered() -> (Run, Vec<Task>) {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let image =
        PinnedImage { repository: "registry/vive-sphere/authentication".to_owned(), digest: parse(&digest) };
    let image = Output::Image { image, log: None };
    let object = |kind: &str, name: &str| ObjectName {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: "bot-development".to_owned(),
        name: name.to_owned(),
    };
    let objects = vec![object("Service", "authentication"), object("Deployment", "authentication")];
    let applied = Applied { manifests: "ab".repeat(32), objects, after: Vec::new() };
    let seen = vec![
        "2 objects rolled out".to_owned(),
        "GET /api/v1/auth/health on service api-gateway:8000 answered 200".to_owned(),
    ];
    let tasks = vec![
        tested("test/authentication", 38),
        checked("test/+checks"),
        done("build/authentication", 55, Verdict::passed("built and pushed", image.clone())),
        done("publish/authentication", 1, Verdict::passed("published as `0123456`", image)),
        done(
            "deploy/authentication@development",
            2,
            Verdict::passed("2 objects applied", Output::Release(applied)),
        ),
        done(
            "verify/authentication@development",
            12,
            Verdict::passed(seen[1].clone(), Output::Evidence(seen)),
        ),
    ];
    (run(RunState::Finished(RunOutcome::Passed)), tasks)
}
