//! A rollout that waits for its turn, and one whose Job fails.

use domain::run::{RunOutcome, RunState};
use domain::task::{Output, Task, Verdict};
use insta::assert_snapshot;

use crate::story::{done, run, running, tested};
use crate::{checks, shown};

#[test]
fn one_that_waits_says_for_what() {
    let run = run(RunState::Active);
    let waits = Some("the rollout of `89abcde` in `development` to end".to_owned());
    let tasks =
        [tested("test/authentication", 38), Task { waits, ..running("deploy/authentication@development") }];
    let checks = checks(&run, &tasks);
    let delivery = checks.iter().find(|check| check.name.contains("deliver")).expect("it has begun");
    assert_snapshot!(shown(std::slice::from_ref(delivery)), @r"
    [slipway / deliver development] InProgress: On its way to development
    Environment `development`, namespace `bot-development`, release number 12.

    | service | deploy |
    | --- | --- |
    | `authentication` | ⏳ waiting |
    --
    ### deploy authentication to development

    Waits for the rollout of `89abcde` in `development` to end.
    ");
}

#[test]
fn a_job_that_fails_is_told_with_its_last_lines() {
    let run = run(RunState::Finished(RunOutcome::Failed));
    let evidence = ["1 pod failed", "log: no such table: users"].map(str::to_owned).to_vec();
    let summary = "Job `bot-development/migrate-0123456-1` failed: 1 pod failed";
    let failed = Verdict::failed(summary, Output::Evidence(evidence));
    let checks = checks(&run, &[done("deploy/authentication@development", 2, failed)]);
    let delivery = checks.iter().find(|check| check.name.contains("deliver")).expect("it has begun");
    let roll_up = &checks[0].summary;
    assert!(roll_up.contains("A Job failed before the new version."), "{roll_up}");
    assert_snapshot!(shown(std::slice::from_ref(delivery)), @r"
    [slipway / deliver development] Failure: Not delivered to development
    Environment `development`, namespace `bot-development`, release number 12.

    - ❌ `deploy authentication to development`: Job `bot-development/migrate-0123456-1` failed: 1 pod failed

    | service | deploy |
    | --- | --- |
    | `authentication` | ❌ FAILED (2 s) |
    | whole stage | 2 s |
    --
    ### deploy authentication to development

    - 1 pod failed

    ```text
    no such table: users
    ```
    ");
}
