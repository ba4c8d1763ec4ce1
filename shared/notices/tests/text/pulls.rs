//! Pull requests: the comment, results of other runs, many services, runs that were ended.

use domain::ports::CheckState;
use domain::report::{Annotation, AnnotationLevel, TestCounts, TestReport};
use domain::run::{Run, RunOutcome, RunState, Stop};
use domain::task::{Outcome, Output, State, Task, Verdict};
use domain::time::Timestamp;
use insta::assert_snapshot;
use notices::text;

use crate::story::{broken, checked, done, reused, run, running, stuck, tested, waiting};
use crate::{WEB, checks, shown};

/// A report with everything that one may hold.
fn full(task: &str) -> Task {
    let report = TestReport {
        passed: true,
        tests: Some(TestCounts { passed: 40, failed: 0, skipped: 2, flaky: 23 }),
        coverage: Some(81.96),
        coverage_demanded: Some(80),
        coverage_base: Some(80.5),
        new_lines: Some((8, 2)),
        flaky: (0..20).map(|number| format!("test_{number}`<b>")).collect(),
        flake8: Some(0),
        bandit: Some(1),
        sarif: Some(2),
        annotations: (1..=60).map(uncovered).collect(),
        annotations_omitted: 5,
        ..TestReport::default()
    };
    done(task, 61, Verdict::passed("42 tests passed", Output::Report { report, log: None }))
}

fn uncovered(line: u32) -> Annotation {
    Annotation {
        path: "backend/users/app.py".to_owned(),
        line,
        level: AnnotationLevel::Warning,
        title: "new line without a test".to_owned(),
        message: "no test runs this line".to_owned(),
    }
}

/// The comment; the invisible character that breaks mentions shows as `·`.
fn comment(run: &Run, tasks: &[Task]) -> String {
    text::comment(run, tasks, Some(WEB)).replace('\u{200b}', "·")
}

#[test]
fn a_red_pull_request() {
    let run = run(RunState::Finished(RunOutcome::Failed));
    let tasks = [
        checked("test/+checks"),
        broken("test/authentication", "assert 200 == 401", &[]),
        reused("test/billing"),
        full("test/users"),
    ];
    assert_snapshot!(comment(&run, &tasks), @r#"
    ### ❌ Slipway: failed after 3 min 12 s: 1 of 4 tasks failed

    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **Fix what is red and push again. Nothing was built or delivered.** Where it was chance, `/retest` runs once more what failed.

    - ❌ `test authentication`: test `assert 200 == 401` failed; line coverage is 71.2 %, at least 80 % are demanded

    | service | result | tests | coverage | lint | security | time |
    | --- | --- | --- | --- | --- | --- | --- |
    | `authentication` | ❌ FAILED | 12 passed, 1 failed | 71.2 % |  |  | 41 s |
    | `checks` | ✅ passed |  |  | clean | clean | 9 s |
    | `users` | ✅ passed | 40 passed, 2 skipped, 23 flaky | 81.9 % (+1.5), new lines: 8 of 10 covered | clean | 3 findings | 1 min 1 s |
    | `billing` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) | 14 passed, 1 skipped | 91.2 % |  |  |  |

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);
    let all = checks(&run, &tasks);
    assert_snapshot!(shown(&all[..1]), @r#"
    [slipway] Failure: Failed after 3 min 12 s: 1 of 4 tasks failed
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **Fix what is red and push again. Nothing was built or delivered.**

    - ❌ `test authentication`: test `assert 200 == 401` failed; line coverage is 71.2 %, at least 80 % are demanded

    | service | test |
    | --- | --- |
    | `authentication` | ❌ FAILED (41 s) |
    | `billing` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) |
    | `users` | ✅ passed (1 min 1 s) |
    | `checks` | ✅ passed (9 s) |
    | whole stage | 1 min 1 s |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    - `billing`: nothing that its tests read has changed since `89abcde`
    (Re-run failed: Every task that failed, once more -> retest)
    (Run all again: Every test, also those that passed -> test-all)
    "#);
    let names: Vec<&str> = all.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        ["slipway", "slipway / checks", "slipway / test authentication", "slipway / test users"]
    );
    assert_eq!(all[3].annotations.len(), 50, "the rest is counted");
    assert_snapshot!(all[3].summary, @r#"
    | what | result |
    | --- | --- |
    | tests | 40 passed, 0 failed, 2 skipped, 23 flaky |
    | line coverage | 81.9 % (at least 80 % demanded; the base has 80.5 %, +1.5) |
    | new lines | 8 of 10 covered |
    | flake8 | 0 findings |
    | bandit | 1 finding |
    | SARIF | 2 findings |

    Passed only on a retry: `test_0'<b>`, `test_1'<b>`, `test_2'<b>`, `test_3'<b>`, `test_4'<b>`, `test_5'<b>`, `test_6'<b>`, `test_7'<b>`, `test_8'<b>`, `test_9'<b>`, `test_10'<b>`, `test_11'<b>`, `test_12'<b>`, `test_13'<b>`, `test_14'<b>`, `test_15'<b>`, `test_16'<b>`, `test_17'<b>`, `test_18'<b>`, `test_19'<b>` and 3 more.

    15 more findings are not shown as annotations.
    "#);
}

#[test]
fn a_pull_request_under_way_and_one_whose_results_are_all_known() {
    let under_way = [running("test/authentication"), waiting("test/users"), reused("test/billing")];
    assert_snapshot!(comment(&run(RunState::Active), &under_way), @r#"
    ### ▶️ Slipway: running: 1 of 3 tasks done

    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | result | tests | coverage | lint | security | time |
    | --- | --- | --- | --- | --- | --- | --- |
    | `authentication` | ▶️ running |  |  |  |  |  |
    | `users` | ⏳ waiting |  |  |  |  |  |
    | `billing` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) | 14 passed, 1 skipped | 91.2 % |  |  |  |

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);
    let known = [reused("test/authentication"), reused("test/billing")];
    let passed = run(RunState::Finished(RunOutcome::Passed));
    assert_snapshot!(comment(&passed, &known), @r#"
    ### ✅ Slipway: passed in 3 min 12 s, delivered to development, 2 of 2 tasks reused

    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | result | tests | coverage | lint | security | time |
    | --- | --- | --- | --- | --- | --- | --- |
    | `authentication` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) | 14 passed, 1 skipped | 91.2 % |  |  |  |
    | `billing` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) | 14 passed, 1 skipped | 91.2 % |  |  |  |

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);
    assert_snapshot!(shown(&checks(&passed, &known)), @r#"
    [slipway] Success: Passed in 3 min 12 s, delivered to development, 2 of 2 tasks reused
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | test |
    | --- | --- |
    | `authentication` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) |
    | `billing` | ♻️ reused from [`89abcde`](<https://github.com/vive-sphere/bot-manager/commit/89abcdef0123456789abcdef0123456789abcdef/checks>) |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    - `authentication`, `billing`: nothing that its tests read has changed since `89abcde`
    (Run all again: Every test, also those that passed -> test-all)
    "#);
    assert_snapshot!(text::slack(&passed, &known).head, @r#"
    :white_check_mark: *vive-sphere/bot-manager* `0123456` on `develop` by `octocat`: `Let users log in`
    passed in 3 min 12 s, delivered to development, 2 of 2 tasks reused
    ```
    service         test
    authentication  reused
    billing         reused
    ```
    "#);
    // Without an address of pages there is no link.
    assert!(!text::comment(&passed, &known, None).contains("https://"), "a link to nowhere");
}

#[test]
fn a_run_is_being_cancelled_cancelled_or_not_wanted() {
    let stop = Stop {
        why: "a newer commit was pushed".to_owned(),
        by: "plan".to_owned(),
        at: Timestamp(1_795_435_260_000),
    };
    let stopping = Run { stop: Some(stop), ..run(RunState::Active) };
    let cancelled = done("test/authentication", 3, Verdict::cancelled("the build was stopped"));
    let tasks = [cancelled, running("test/users")];
    assert_snapshot!(shown(&checks(&stopping, &tasks)[..1]), @r#"
    [slipway] InProgress: Being cancelled: a newer commit was pushed
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    | service | test |
    | --- | --- |
    | `authentication` | 🚫 cancelled (3 s) |
    | `users` | ▶️ running |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    "#);
    let what = "A newer commit was pushed; its run judges in this one's place.";
    let ended = run(RunState::Finished(RunOutcome::Cancelled(what.to_owned())));
    let all = checks(&ended, &tasks[..1]);
    let states: Vec<_> = all.iter().map(|check| check.state).collect();
    assert_eq!(states, [CheckState::Cancelled, CheckState::Cancelled]);
    assert_snapshot!(shown(&all), @r#"
    [slipway] Cancelled: Cancelled after 3 min 12 s
    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **A newer commit was pushed; its run judges in this one's place.**

    | service | test |
    | --- | --- |
    | `authentication` | 🚫 cancelled (3 s) |
    | whole stage | 3 s |
    --
    What was decided, and why:

    - `authentication` and `bot_manager` run, as nothing green is known of them
    (Run all again: Every test, also those that passed -> test-all)

    [slipway / test authentication] Cancelled: The build was stopped (3 s)
    The build was stopped (3 s)
    (Run again: This test, once more -> test)
    "#);
    assert_snapshot!(comment(&ended, &tasks[..1]), @r#"
    ### 🚫 Slipway: cancelled after 3 min 12 s

    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **A newer commit was pushed; its run judges in this one's place.**

    | service | result | tests | coverage | lint | security | time |
    | --- | --- | --- | --- | --- | --- | --- |
    | `authentication` | 🚫 cancelled |  |  |  |  | 3 s |

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);

    let what = "The commit says `[skip ci]`, so nothing was judged. Push without it, or comment `/test`.";
    let skipped = run(RunState::Finished(RunOutcome::Skipped(what.to_owned())));
    let all = checks(&skipped, &[]);
    assert_eq!(all[0].state, CheckState::ActionRequired, "anything else would satisfy a required check");
    assert_snapshot!(comment(&skipped, &[]), @r#"
    ### ✋ Slipway: not run: the commit asks for it

    Commit `0123456` on `develop` by `octocat`: `Let users log in`

    **The commit says `[skip ci]`, so nothing was judged. Push without it, or comment `/test`.**

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);
}

#[test]
fn with_many_tests_only_those_that_need_eyes_get_a_check() {
    let mut tasks: Vec<_> = (0..18).map(|number| tested(&format!("test/service-{number}"), 3)).collect();
    tasks.extend([broken("test/red", "assert 1 == 2", &[]), stuck("test/stuck", "no answer")]);
    tasks.extend((0..5).map(|number| reused(&format!("test/reused-{number}"))));
    let active = run(RunState::Active);
    let names = |tasks: &[Task], known: &str| -> Vec<String> {
        let all = text::checks(&active, tasks, None, |name| name == known);
        all.into_iter().map(|check| check.name).collect()
    };
    assert_eq!(names(&tasks, "").len(), 21, "twenty at work, and the roll-up");
    tasks.push(running("test/one-more"));
    assert_eq!(names(&tasks, ""), ["slipway", "slipway / test red", "slipway / test stuck"]);
    // What was red and is mended must not stay red on GitHub.
    tasks[18] = tested("test/red", 3);
    assert_eq!(
        names(&tasks, "slipway / test red"),
        ["slipway", "slipway / test red", "slipway / test stuck"]
    );
}

#[test]
fn five_hundred_services_fit_and_the_red_ones_come_first() {
    let mut run = run(RunState::Finished(RunOutcome::Failed));
    run.notes = (0..2000).map(|number| format!("note {number} {}", "x".repeat(100))).collect();
    let long = "x".repeat(50);
    let tasks: Vec<_> = (0..500)
        .map(|number| match number % 5 {
            4 => broken(&format!("test/service-{number}-{long}"), &"message ".repeat(400), &[]),
            _ => reused(&format!("test/service-{number}-{long}")),
        })
        .collect();
    let all = checks(&run, &tasks);
    let comment = comment(&run, &tasks);
    for text in [&comment, &all[0].summary, &all[0].text] {
        assert!(text.len() < 65_000, "{} bytes", text.len());
    }
    for text in [&comment, &all[0].summary] {
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `service")).collect();
        assert!(rows.len() > 200, "{} rows", rows.len());
        assert!(rows[..100].iter().all(|row| row.contains("FAILED")), "the red ones come first");
        let rest = format!("| … and {} more", 500 - rows.len());
        assert!(text.contains(&rest), "{rest}");
    }
    assert!(all[0].text.ends_with(" more\n"));
}

#[test]
fn buttons_appear_where_there_is_something_to_run() {
    let state = |verdict| State::Done { verdict };
    let red = Task { state: state(Verdict::failed("red", Output::None)), ..waiting("test/a") };
    let green = Task { state: state(Verdict::passed("green", Output::None)), ..waiting("test/a") };
    let stopped = Verdict { outcome: Outcome::Cancelled, ..Verdict::cancelled("stopped") };
    let stopped = Task { state: state(stopped), ..waiting("test/a") };
    let finished = |outcome| run(RunState::Finished(outcome));
    for (run, task, of_run, of_test) in [
        (run(RunState::Active), &red, vec![], vec!["test"]),
        (run(RunState::Active), &stuck("test/a", "no"), vec!["retest", "test-all"], vec!["test"]),
        (finished(RunOutcome::Failed), &red, vec!["retest", "test-all"], vec!["test"]),
        (finished(RunOutcome::Passed), &green, vec!["test-all"], vec!["test"]),
        (finished(RunOutcome::Cancelled("x".into())), &stopped, vec!["test-all"], vec!["test"]),
    ] {
        let all = checks(&run, std::slice::from_ref(task));
        let pressed = |at: usize| -> Vec<&str> {
            all[at].buttons.iter().map(|button| button.identifier.as_str()).collect()
        };
        assert_eq!((pressed(0), pressed(1)), (of_run, of_test), "{:?}", run.state);
        for button in all.iter().flat_map(|check| &check.buttons) {
            let lengths =
                [&button.label, &button.description, &button.identifier].map(|text| text.chars().count());
            assert!(lengths.into_iter().zip([20, 40, 20]).all(|(length, most)| (1..=most).contains(&length)));
        }
    }
    for outcome in [RunOutcome::Invalid(Vec::new()), RunOutcome::Skipped("x".into()), RunOutcome::Passed] {
        assert!(checks(&finished(outcome), &[])[0].buttons.is_empty(), "there is nothing to run");
    }
}

/// Whatever a stranger writes stays text in the comment.
#[test]
fn hostile_values_stay_values_in_a_comment() {
    let mut run = run(RunState::Finished(RunOutcome::Failed));
    run.origin.title = "<img src=x> @team | [a](javascript:b)".to_owned();
    let text = comment(&run, &[broken("test/authentication", "a`b @team <!-- slipway: slipway --> |", &[])]);
    assert_snapshot!(text, @r#"
    ### ❌ Slipway: failed after 3 min 12 s: 1 of 1 task failed

    Commit `0123456` on `develop` by `octocat`: `<img src=x> @team | [a](javascript:b)`

    **Fix what is red and push again. Nothing was built or delivered.** Where it was chance, `/retest` runs once more what failed.

    - ❌ `test authentication`: test `a`b @·team &lt;\!-- slipway: slipway --&gt; |' failed; line coverage is 71.2 %, at least 80 % are demanded

    | service | result | tests | coverage | lint | security | time |
    | --- | --- | --- | --- | --- | --- | --- |
    | `authentication` | ❌ FAILED | 12 passed, 1 failed | 71.2 % |  |  | 41 s |

    [Every check](<https://github.com/vive-sphere/bot-manager/commit/0123456789abcdef0123456789abcdef01234567/checks>)
    "#);
}
