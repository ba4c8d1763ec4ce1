//! What people can press under a completed check run. What comes back is read by webhook.

use domain::ids::Stage;
use domain::ports::{Button, CheckState};
use domain::run::Run;
use domain::task::Task;

use super::words::Mark;

/// Everything that failed, once more.
pub const RETEST: &str = "retest";

/// Every test, once more.
pub const TEST_ALL: &str = "test-all";

/// One test, once more.
pub const TEST: &str = "test";

/// The roll-up's buttons.
pub(super) fn of_run(run: &Run, tasks: &[Task], state: CheckState) -> Vec<Button> {
    if !is_completed(state) {
        return Vec::new();
    }
    let needs_eyes = tasks.iter().any(|task| Mark::of(run, task).needs_eyes());
    let tests = tasks.iter().any(|task| task.id.stage == Stage::Test);
    let again = needs_eyes.then(|| button("Re-run failed", "Every task that failed, once more", RETEST));
    let all = tests.then(|| button("Run all again", "Every test, also those that passed", TEST_ALL));
    again.into_iter().chain(all).collect()
}

/// A test's button.
pub(super) fn of_test(state: CheckState) -> Vec<Button> {
    is_completed(state).then(|| button("Run again", "This test, once more", TEST)).into_iter().collect()
}

fn is_completed(state: CheckState) -> bool {
    !matches!(state, CheckState::Queued | CheckState::InProgress)
}

fn button(label: &str, description: &str, identifier: &str) -> Button {
    Button { label: label.into(), description: description.into(), identifier: identifier.into() }
}
