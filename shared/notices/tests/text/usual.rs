//! Runs as they usually go, and fail.

use domain::ports::CheckState;
use domain::run::{RunOutcome, RunState};
use domain::task::{Output, Verdict};
use insta::assert_snapshot;
use notices::text;

use crate::story::{broken, checked, delivered, done, run, running, stuck, tested, waiting};
use crate::{checks, shown};

#[test]
fn a_delivered_run() {
    let (run, tasks) = delivered();
    assert_snapshot!(shown(&checks(&run, &tasks)), @r#"
    [slipway] Success: Passed in 3 min 12 s, delivered to development
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | test | build | publish | deploy | verify |
    | --- | --- | --- | --- | --- | --- |
    | `authentication` | ✅ passed (38 s) | ✅ passed (55 s) | ✅ passed (1 s) | ✅ passed (2 s) | ✅ passed (12 s) |
    | `checks` | ✅ passed (9 s) |  |  |  |  |
    | whole stage | 38 s | 55 s | 1 s | 2 s | 12 s |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    (Run all again: Every test, also those that passed -> test-all)

    [slipway / test authentication] Success: 14 tests passed, coverage 91.2 % (38 s)
    | what | result |
    | --- | --- |
    | tests | 14 passed, 0 failed, 1 skipped |
    | line coverage | 91.2 % (at least 80 % demanded) |
    --

    [The whole log](<https://logs.example.com/group?stream=a&b=c>)
    (Run again: This test, once more -> test)

    [slipway / checks] Success: No findings (9 s)
    | what | result |
    | --- | --- |
    | flake8 | 0 findings |
    | bandit | 0 findings |
    (Run again: This test, once more -> test)

    [slipway / deliver development] Success: Delivered to development
    Environment `development`, namespace `bot-development`, release number 12.

    | service | build | publish | deploy | verify |
    | --- | --- | --- | --- | --- |
    | `authentication` | ✅ passed (55 s) | ✅ passed (1 s) | ✅ passed (2 s) | ✅ passed (12 s) |
    | whole stage | 55 s | 1 s | 2 s | 12 s |
    --
    ### build authentication

    Image: `registry/vive-sphere/authentication@sha256:abababababababababababababababababababababababababababababababab`

    ### publish authentication

    Image: `registry/vive-sphere/authentication@sha256:abababababababababababababababababababababababababababababababab`

    ### deploy authentication to development

    Applied:

    - `Service authentication`
    - `Deployment authentication`

    ### verify authentication in development

    - 2 objects rolled out
    - GET /api/v1/auth/health on service api-gateway:8000 answered 200
    "#);
    let slack = text::slack(&run, &tasks);
    assert_snapshot!(slack.head, @r#"
    :white_check_mark: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    passed in 3 min 12 s, delivered to development
    ```
    service         test         build        publish     deploy      verify
    authentication  passed 38 s  passed 55 s  passed 1 s  passed 2 s  passed 12 s
    checks          passed 9 s   -            -           -           -
    ```
    "#);
    assert_snapshot!(slack.end.unwrap_or_default(), @":white_check_mark: passed in 3 min 12 s, delivered to development");
    let mail = text::mail(&run, &tasks).expect("a mail");
    assert_snapshot!(format!("{}\n{}\n{}", mail.to.join(", "), mail.subject, mail.body), @r#"
    team@example.com
    [slipway] passed: vive-sphere/bot-manager develop 0123456
    vive-sphere/bot-manager at 0123456789abcdef0123456789abcdef01234567 on develop by octocat:
    Let users log in

    Result: passed in 3 min 12 s, delivered to development.

    service         test         build        publish     deploy      verify
    authentication  passed 38 s  passed 55 s  passed 1 s  passed 2 s  passed 12 s
    checks          passed 9 s   -            -           -           -
    "#);
}

#[test]
fn a_broken_test() {
    let run = run(RunState::Finished(RunOutcome::Failed));
    let log = ["FAILED tests/test_login.py::test_login - assert 200 == 401", "1 failed, 12 passed"];
    let tasks = [
        broken("test/authentication", "assert 200 == 401", &log),
        tested("test/+integration", 20),
        waiting("build/authentication"),
    ];
    assert_snapshot!(shown(&checks(&run, &tasks)), @r#"
    [slipway] Failure: Failed after 3 min 12 s: 1 of 3 tasks failed
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **Fix what is red and push again. Nothing was built or delivered.**

    - ❌ `test authentication`: test `assert 200 == 401` failed; line coverage is 71.2 %, at least 80 % are demanded

    | service | test | build |
    | --- | --- | --- |
    | `authentication` | ❌ FAILED (41 s) | ➖ not run |
    | `integration tests` | ✅ passed (20 s) |  |
    | whole stage | 41 s |  |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    (Re-run failed: Every task that failed, once more -> retest)
    (Run all again: Every test, also those that passed -> test-all)

    [slipway / test authentication] Failure: Test assert 200 == 401 failed (41 s)
    - test `assert 200 == 401` failed
    - line coverage is 71.2 %, at least 80 % are demanded

    | what | result |
    | --- | --- |
    | tests | 12 passed, 1 failed, 0 skipped |
    | line coverage | 71.2 % (at least 80 % demanded) |

    3 more findings are not shown as annotations.
    --
    The last lines of the log:

    ```text
    FAILED tests/test_login.py::test_login - assert 200 == 401
    1 failed, 12 passed
    ```

    [The whole log](<https://logs.example.com/group?stream=a&b=c>)
    @ backend/authentication/tests/test_login.py:17 Failure test_login: assert 200 == 401
    (Run again: This test, once more -> test)

    [slipway / integration tests] Success: 14 tests passed, coverage 91.2 % (20 s)
    | what | result |
    | --- | --- |
    | tests | 14 passed, 0 failed, 1 skipped |
    | line coverage | 91.2 % (at least 80 % demanded) |
    --

    [The whole log](<https://logs.example.com/group?stream=a&b=c>)
    (Run again: This test, once more -> test)
    "#);
    assert_snapshot!(text::slack(&run, &tasks).head, @r#"
    :x: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    failed after 3 min 12 s: 1 of 3 tasks failed
    ```
    service            test         build
    authentication     FAILED 41 s  not run
    integration tests  passed 20 s  -
    ```
    • `test authentication`: test `assert 200 == 401` failed; line coverage is 71.2 %, at least 80 % are demanded (<https://logs.example.com/group?stream=a&amp;b=c|log>)
    Fix what is red and push again. Nothing was built or delivered.
    "#);
    let mail = text::mail(&run, &tasks).expect("a mail");
    assert_snapshot!(mail.body, @r#"
    vive-sphere/bot-manager at 0123456789abcdef0123456789abcdef01234567 on develop by octocat:
    Let users log in

    Result: failed after 3 min 12 s: 1 of 3 tasks failed.
    Fix what is red and push again. Nothing was built or delivered.

    service            test         build
    authentication     FAILED 41 s  not run
    integration tests  passed 20 s  -

    test authentication:
    - test `assert 200 == 401` failed
    - line coverage is 71.2 %, at least 80 % are demanded
    Log: https://logs.example.com/group?stream=a&b=c
    "#);
}

#[test]
fn a_run_under_way() {
    let run = run(RunState::Active);
    let tasks = [checked("test/+checks"), running("test/authentication"), waiting("build/authentication")];
    assert_snapshot!(shown(&checks(&run, &tasks)), @r#"
    [slipway] InProgress: Running: 1 of 3 tasks done
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | test | build |
    | --- | --- | --- |
    | `authentication` | ▶️ running | ⏳ waiting |
    | `checks` | ✅ passed (9 s) |  |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them

    [slipway / checks] Success: No findings (9 s)
    | what | result |
    | --- | --- |
    | flake8 | 0 findings |
    | bandit | 0 findings |
    (Run again: This test, once more -> test)

    [slipway / test authentication] InProgress: Running
    Running
    "#);
    let slack = text::slack(&run, &tasks);
    assert_snapshot!(slack.head, @r#"
    :hourglass_flowing_sand: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    running: 1 of 3 tasks done
    ```
    service         test        build
    authentication  running     waiting
    checks          passed 9 s  -
    ```
    "#);
    assert_eq!((slack.end, text::mail(&run, &tasks)), (None, None));
}

#[test]
fn a_stuck_task() {
    let run = run(RunState::Active);
    let tasks = [
        tested("test/authentication", 38),
        stuck("build/authentication", "could not start the build: access denied"),
    ];
    let checks = checks(&run, &tasks);
    assert!(checks.iter().all(|check| check.state != CheckState::InProgress), "nobody is at work");
    assert_snapshot!(shown(&checks), @r#"
    [slipway] ActionRequired: 1 of 2 tasks stuck: a person must act
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **The machinery failed too often at `build/authentication`. Its dead letter and its function's log say why. Once the cause is removed, `slipway dlq redrive` lets it go on where it stood, and a re-run begins it anew.**

    - 🛑 `build authentication`: could not start the build: access denied

    | service | test | build |
    | --- | --- | --- |
    | `authentication` | ✅ passed (38 s) | 🛑 STUCK |
    | whole stage | 38 s |  |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    (Re-run failed: Every task that failed, once more -> retest)
    (Run all again: Every test, also those that passed -> test-all)

    [slipway / test authentication] Success: 14 tests passed, coverage 91.2 % (38 s)
    | what | result |
    | --- | --- |
    | tests | 14 passed, 0 failed, 1 skipped |
    | line coverage | 91.2 % (at least 80 % demanded) |
    --

    [The whole log](<https://logs.example.com/group?stream=a&b=c>)
    (Run again: This test, once more -> test)

    [slipway / deliver development] ActionRequired: A person must act
    Environment `development`, namespace `bot-development`, release number 12.

    - 🛑 `build authentication`: could not start the build: access denied

    | service | build |
    | --- | --- |
    | `authentication` | 🛑 STUCK |
    "#);
    assert_snapshot!(text::slack(&run, &tasks).head, @r#"
    :octagonal_sign: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    1 of 2 tasks stuck: a person must act
    ```
    service         test         build
    authentication  passed 38 s  STUCK
    ```
    • `build authentication`: could not start the build: access denied
    The machinery failed too often at `build/authentication`. Its dead letter and its function's log say why. Once the cause is removed, `slipway dlq redrive` lets it go on where it stood, and a re-run begins it anew.
    "#);
}

#[test]
fn a_rollout_that_does_not_get_healthy() {
    let run = run(RunState::Finished(RunOutcome::Failed));
    let evidence = [
        "pod `auth-1`, container `app`: it ends again and again (CrashLoopBackOff), last with exit code 1",
        "log: KeyError: 'DB'",
    ];
    let verdict = Verdict::failed(
        "Deployment `authentication` will not get healthy: pod `auth-1` ends again and again",
        Output::Evidence(evidence.map(str::to_owned).to_vec()),
    );
    let tasks = [
        done("deploy/authentication@development", 2, Verdict::passed("1 object applied", Output::None)),
        done("verify/authentication@development", 12, verdict),
    ];
    assert_snapshot!(shown(&checks(&run, &tasks)), @r#"
    [slipway] Failure: Failed after 3 min 12 s: 1 of 2 tasks failed
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **The new version does not serve. There is no verified release to go back to. Read the evidence, then push a fix or revert the commit.**

    - ❌ `verify authentication in development`: Deployment `authentication` will not get healthy: pod `auth-1` ends again and again

    | service | deploy | verify |
    | --- | --- | --- |
    | `authentication` | ✅ passed (2 s) | ❌ FAILED (12 s) |
    | whole stage | 2 s | 12 s |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    (Re-run failed: Every task that failed, once more -> retest)

    [slipway / deliver development] Failure: Not delivered to development
    Environment `development`, namespace `bot-development`, release number 12.

    - ❌ `verify authentication in development`: Deployment `authentication` will not get healthy: pod `auth-1` ends again and again

    | service | deploy | verify |
    | --- | --- | --- |
    | `authentication` | ✅ passed (2 s) | ❌ FAILED (12 s) |
    | whole stage | 2 s | 12 s |
    --
    ### verify authentication in development

    - pod `auth-1`, container `app`: it ends again and again (CrashLoopBackOff), last with exit code 1

    ```text
    KeyError: 'DB'
    ```
    "#);
    assert_snapshot!(text::slack(&run, &tasks).head, @r#"
    :x: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    failed after 3 min 12 s: 1 of 2 tasks failed
    ```
    service         deploy      verify
    authentication  passed 2 s  FAILED 12 s
    ```
    • `verify authentication in development`: Deployment `authentication` will not get healthy: pod `auth-1` ends again and again
    The new version does not serve. There is no verified release to go back to. Read the evidence, then push a fix or revert the commit.
    "#);
}
