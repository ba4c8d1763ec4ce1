//! Runs that do not run, hostile values, and many services.

use domain::ports::CheckState;
use domain::run::{Problem, RunOutcome, RunState};
use domain::task::{Output, Verdict};
use insta::assert_snapshot;
use notices::text;

use crate::story::{broken, done, run, tested, waiting};
use crate::{checks, shown};

#[test]
fn files_that_forbid_a_plan() {
    let problems = vec![
        Problem {
            path: "infrastructure/ci_cd/pipeline.yaml".to_owned(),
            line: Some(7),
            column: Some(3),
            message: "unknown field `covrage`; did you mean `coverage`?".to_owned(),
        },
        Problem {
            path: "backend/a|b".to_owned(),
            line: None,
            column: None,
            message: "no <Dockerfile>".to_owned(),
        },
    ];
    let run = run(RunState::Finished(RunOutcome::Invalid(problems)));
    assert_snapshot!(shown(&checks(&run, &[])), @r#"
    [slipway] Failure: Not planned: 2 problems in the commit's files
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **Correct the lines named and push again. Nothing was tested or delivered.**

    - `infrastructure/ci_cd/pipeline.yaml`, line 7, column 3: unknown field `covrage`; did you mean `coverage`?

    - `backend/a|b`: no &lt;Dockerfile&gt;
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    @ infrastructure/ci_cd/pipeline.yaml:7 Failure Slipway cannot plan this commit: unknown field `covrage`; did you mean `coverage`?
    @ backend/a|b:1 Failure Slipway cannot plan this commit: no <Dockerfile>
    "#);
    assert_snapshot!(text::slack(&run, &[]).head, @r#"
    :x: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    not planned: 2 problems in the commit's files
    • `infrastructure/ci_cd/pipeline.yaml:7:3` unknown field `covrage`; did you mean `coverage`?
    • `backend/a|b` no &lt;Dockerfile&gt;
    Correct the lines named and push again. Nothing was tested or delivered.
    "#);
    assert_snapshot!(text::mail(&run, &[]).expect("a mail").body, @r#"
    vive-sphere/bot-manager at 0123456789abcdef0123456789abcdef01234567 on develop by octocat:
    Let users log in

    Result: not planned: 2 problems in the commit's files.
    Correct the lines named and push again. Nothing was tested or delivered.

    - infrastructure/ci_cd/pipeline.yaml, line 7, column 3: unknown field `covrage`; did you mean `coverage`?
    - backend/a|b: no <Dockerfile>
    "#);
}

#[test]
fn a_stranger_waits_for_a_person() {
    let what = "`stranger` proposes this commit from another repository; somebody with write access comments `/ok-to-test 0123456`";
    let run = run(RunState::Finished(RunOutcome::ActionRequired(what.to_owned())));
    let checks = checks(&run, &[]);
    assert_eq!(checks[0].state, CheckState::ActionRequired);
    assert_snapshot!(shown(&checks), @r#"
    [slipway] ActionRequired: A person must act before anything runs
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **`stranger` proposes this commit from another repository; somebody with write access comments `/ok-to-test 0123456`**
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    "#);
    assert_snapshot!(text::slack(&run, &[]).head, @r#"
    :raised_hand: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    a person must act before anything runs
    `stranger` proposes this commit from another repository; somebody with write access comments `/ok-to-test 0123456`
    "#);
}

#[test]
fn a_superseded_run() {
    let run = run(RunState::Finished(RunOutcome::Superseded));
    let mut verdict = Verdict::failed("release 13 was there first", Output::None);
    verdict.outcome = domain::task::Outcome::Superseded;
    let tasks = [tested("test/authentication", 38), done("deploy/authentication@development", 1, verdict)];
    let states: Vec<CheckState> = checks(&run, &tasks).iter().map(|check| check.state).collect();
    assert_eq!(states, [CheckState::Cancelled, CheckState::Success, CheckState::Cancelled]);
    assert_snapshot!(text::slack(&run, &tasks).head, @r#"
    :fast_forward: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    superseded by a newer release
    ```
    service         test         deploy
    authentication  passed 38 s  superseded 1 s
    ```
    A newer commit is delivered instead. There is nothing to do.
    "#);
}

/// Whatever a stranger writes stays text: in Markdown, in Slack, in a mail's header.
#[test]
fn hostile_values_stay_values() {
    let mut run = run(RunState::Finished(RunOutcome::Failed));
    run.origin.branch = "x`|<!channel>\r\nBcc: a@b.c".to_owned();
    run.origin.title = "<img src=x onerror=alert(1)> @team [a](javascript:b) ``` \u{202e}evil".to_owned();
    run.notes = vec!["because of <script> and @everyone and [x](y)".to_owned()];
    let log = ["``` ends the block", "\u{1b}[31m@team\u{1b}[0m <b>"];
    let tasks = [broken("test/authentication", "a`b @team <!here> |", &log)];
    assert_snapshot!(shown(&checks(&run, &tasks)), @r#"
    [slipway] Failure: Failed after 3 min 12 s: 1 of 1 task failed
    Commit `0123456` on `x'|<!channel>  Bcc: a@b.c` by `octocat`: `<img src=x onerror=alert(1)> @team [a](javascript:b) '''  evil`

    **Fix what is red and push again. Nothing was built or delivered.**

    - ❌ `test authentication`: test `a`b @·team &lt;\!here&gt; |' failed; line coverage is 71.2 %, at least 80 % are demanded

    | service | test |
    | --- | --- |
    | `authentication` | ❌ FAILED (41 s) |
    | whole stage | 41 s |
    --
    What was decided, and why:

    - because of &lt;script&gt; and @·everyone and \[x\](y)
    (Re-run failed: Every task that failed, once more -> retest)
    (Run all again: Every test, also those that passed -> test-all)

    [slipway / test authentication] Failure: Test ab @team <!here> | failed (41 s)
    - test `a`b @·team &lt;\!here&gt; |' failed
    - line coverage is 71.2 %, at least 80 % are demanded

    | what | result |
    | --- | --- |
    | tests | 12 passed, 1 failed, 0 skipped |
    | line coverage | 71.2 % (at least 80 % demanded) |

    3 more findings are not shown as annotations.
    --
    The last lines of the log:

    ````text
    ``` ends the block
    @team <b>
    ````

    [The whole log](<https://logs.example.com/group?stream=a&b=c>)
    @ backend/authentication/tests/test_login.py:17 Failure test_login: a`b @team <!here> |
    (Run again: This test, once more -> test)
    "#);
    let slack = text::slack(&run, &tasks).head;
    assert!(!slack.contains("<!") && !slack.contains("<img"), "{slack}");
    assert_snapshot!(slack, @r#"
    :x: *vive-sphere/bot-manager* `0123456` on `x'|&lt;!channel&gt;  Bcc: a@b.c` by `octocat`: `&lt;img src=x onerror=alert(1)&gt; @team [a](javascript:b) '''  evil`
    failed after 3 min 12 s: 1 of 1 task failed
    ```
    service         test
    authentication  FAILED 41 s
    ```
    • `test authentication`: test `a`b @team &lt;!here&gt; |` failed; line coverage is 71.2 %, at least 80 % are demanded (<https://logs.example.com/group?stream=a&amp;b=c|log>)
    Fix what is red and push again. Nothing was built or delivered.
    "#);
    let mail = text::mail(&run, &tasks).expect("a mail");
    assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
}

#[test]
fn a_large_run_fits_into_a_slack_message() {
    let run = run(RunState::Finished(RunOutcome::Failed));
    let tasks: Vec<_> =
        (0..300).map(|number| broken(&format!("test/service-{number}"), "assert 1 == 2", &[])).collect();
    let head = text::slack(&run, &tasks).head;
    assert!(head.len() < 4000, "{} bytes", head.len());
    assert!(head.contains("… and 280 more") && head.contains("… and 294 more"), "{head}");
}

#[test]
fn a_way_back_that_an_earlier_attempt_went_is_shown_no_more() {
    let run = run(RunState::Finished(RunOutcome::Passed));
    let passed = |task: &str| done(task, 2, Verdict::passed("2 objects applied", Output::None));
    let tasks = [
        passed("deploy/authentication@development"),
        passed("verify/authentication@development"),
        waiting("deploy/authentication+rollback@development"),
        waiting("verify/authentication+rollback@development"),
    ];
    let checks = checks(&run, &tasks);
    let delivery = checks.last().expect("a delivery");
    assert_eq!((delivery.state, delivery.title.as_str()), (CheckState::Success, "Delivered to development"));
    assert!(checks.iter().all(|check| !check.summary.contains("way back")), "{checks:#?}");
}
