//! What test builds leave behind.

use domain::ids::TaskId;

use super::commit::a_zip;

const GREEN_TESTS: &str = r#"<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="3">
<testcase classname="backend.tests.test_it" name="test_one" file="backend/tests/test_it.py" line="1" time="0.1"/>
<testcase classname="backend.tests.test_it" name="test_two" file="backend/tests/test_it.py" line="5" time="0.1"/>
<testcase classname="backend.tests.test_it" name="test_three" file="backend/tests/test_it.py" line="9" time="0.1"/>
</testsuite></testsuites>"#;

const RED_TESTS: &str = r#"<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="2">
<testcase classname="backend.tests.test_it" name="test_one" file="backend/tests/test_it.py" line="1" time="0.1"/>
<testcase classname="backend.tests.test_it" name="test_two" file="backend/tests/test_it.py" line="5" time="0.1">
<failure message="assert 1 == 2">backend/tests/test_it.py:7: AssertionError</failure></testcase>
</testsuite></testsuites>"#;

const COVERAGE: &str = r#"{"files": {}, "totals": {"covered_lines": 9, "num_statements": 10}}"#;
const NO_FINDINGS: &str = r#"{"errors": [], "results": []}"#;

/// The `result.zip` of a build of any kind whose tests and checks are green.
pub fn green_result() -> Vec<u8> {
    a_zip(&green_files())
}

/// The `result.zip` of a build with one failed test and one flake8 finding.
pub fn red_result() -> Vec<u8> {
    a_zip(&red_files())
}

/// The `result.zip` of a build that services share, each of whose tests is red or green.
pub fn shared_result<'a>(tests: impl IntoIterator<Item = (&'a TaskId, bool)>) -> Vec<u8> {
    let files = tests.into_iter().flat_map(|(task, is_red)| {
        let files = if is_red { red_files() } else { green_files() };
        files.map(|(file, content)| (format!("{}/{file}", task.subject), content))
    });
    a_zip(&files.collect::<Vec<_>>())
}

fn green_files() -> [(&'static str, &'static str); 8] {
    files(GREEN_TESTS, "0", "")
}

fn red_files() -> [(&'static str, &'static str); 8] {
    files(RED_TESTS, "1", "backend/tests/test_it.py:7:1: F401 'os' imported but unused\n")
}

fn files(
    tests: &'static str,
    exit_code: &'static str,
    flake8: &'static str,
) -> [(&'static str, &'static str); 8] {
    [
        ("junit.xml", tests),
        ("coverage.json", COVERAGE),
        ("exit-code", exit_code),
        ("flake8.txt", flake8),
        ("flake8-exit-code", exit_code),
        ("bandit.json", NO_FINDINGS),
        ("bandit-exit-code", "0"),
        ("log.txt", "the log\n"),
    ]
}
