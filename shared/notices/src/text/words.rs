//! Words for states, times and tasks, the same in every channel.

use std::fmt::Write as _;
use std::time::Duration;

use domain::ids::{RunId, Stage, Subject, TaskId};
use domain::run::{Run, RunOutcome, RunState};
use domain::spec::OnFailure;
use domain::task::{Outcome, Output, State, Task};

use super::markdown::{code, link, plain};

/// How a task stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Waiting,
    Working,
    Passed,
    Reused,
    Failed,
    Superseded,
    Cancelled,
    Stuck,
    NotRun,
}

impl Mark {
    pub(super) fn of(run: &Run, task: &Task) -> Self {
        match &task.state {
            State::Pending | State::Starting { .. } | State::Running { .. }
                if run.is_finished() && !run.reruns.contains(&task.id) =>
            {
                Self::NotRun
            }
            State::Pending => Self::Waiting,
            State::Starting { .. } | State::Running { .. } if task.waits.is_some() => Self::Waiting,
            State::Starting { .. } | State::Running { .. } => Self::Working,
            State::Stuck { .. } => Self::Stuck,
            State::PassingOn { verdict } | State::Done { verdict } => match verdict.outcome {
                Outcome::Passed if task.reused.is_some() => Self::Reused,
                Outcome::Passed => Self::Passed,
                Outcome::Failed => Self::Failed,
                Outcome::Superseded => Self::Superseded,
                Outcome::Cancelled => Self::Cancelled,
            },
        }
    }

    /// One word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "running",
            Self::Passed => "passed",
            Self::Reused => "reused",
            Self::Failed => "FAILED",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::Stuck => "STUCK",
            Self::NotRun => "not run",
        }
    }

    /// What a reader should see first: the lower, the earlier.
    pub(super) fn concern(self) -> u8 {
        match self {
            Self::Failed | Self::Stuck => 0,
            Self::Working => 1,
            Self::Waiting => 2,
            Self::Superseded | Self::Cancelled | Self::NotRun => 3,
            Self::Passed => 4,
            Self::Reused => 5,
        }
    }

    /// Whether a person should look at it.
    pub(super) fn needs_eyes(self) -> bool {
        matches!(self, Self::Failed | Self::Stuck)
    }

    /// One sign, for Markdown.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Waiting => "⏳",
            Self::Working => "▶️",
            Self::Passed => "✅",
            Self::Reused => "♻️",
            Self::Failed => "❌",
            Self::Superseded => "⏭️",
            Self::Cancelled => "🚫",
            Self::Stuck => "🛑",
            Self::NotRun => "➖",
        }
    }
}

/// A way back that nobody goes: an earlier attempt went it, and the rollout has been run again since.
pub(super) fn is_spare_way_back(task: &Task) -> bool {
    task.id.subject.is_rollback() && task.state == State::Pending
}

/// Whether somebody has tests run again that stood outside of the run's count.
pub(super) fn tests_run_again(run: &Run) -> bool {
    run.reruns.iter().any(|task| task.stage == Stage::Test)
}

/// How many tests failed that were run again after they had passed: the run's outcome does not know of them.
pub(super) fn tests_failed_again(run: &Run, tasks: &[Task]) -> usize {
    let is_red = |task: &&Task| task.id.stage == Stage::Test && Mark::of(run, task) == Mark::Failed;
    tasks.iter().filter(is_red).count()
}

/// How a run stands, in a few words.
pub(super) fn headline(run: &Run, tasks: &[Task]) -> String {
    let count = |mark| tasks.iter().filter(|task| Mark::of(run, task) == mark).count();
    let of_tasks = |number: usize| format!("{number} of {}", plural(tasks.len(), "task"));
    let reused = count(Mark::Reused);
    let took = run.finished.map(|end| duration(end.since(run.created))).unwrap_or_default();
    match &run.state {
        _ if run.stuck.is_some() => "planning is stuck: a person must act".to_owned(),
        _ if count(Mark::Stuck) > 0 => format!("{} stuck: a person must act", of_tasks(count(Mark::Stuck))),
        RunState::Planning | RunState::Active if run.stop.is_some() => {
            let why = run.stop.as_ref().map(|stop| plain(&stop.why, 200)).unwrap_or_default();
            format!("being cancelled: {why}")
        }
        RunState::Planning => "planning".to_owned(),
        RunState::Active => {
            format!("running: {} done", of_tasks(count(Mark::Passed) + reused + count(Mark::Failed)))
        }
        RunState::Finished(RunOutcome::Passed) if tasks.is_empty() => {
            "passed: there was nothing to do".to_owned()
        }
        RunState::Finished(RunOutcome::Passed) if tests_run_again(run) => {
            "passed, and tests are run again".to_owned()
        }
        RunState::Finished(RunOutcome::Passed) if tests_failed_again(run, tasks) > 0 => format!(
            "passed in {took}, but {} failed when run again",
            plural(tests_failed_again(run, tasks), "test")
        ),
        RunState::Finished(RunOutcome::Passed) => {
            let mut words = format!("passed in {took}");
            if let Some(delivery) = &run.delivery {
                let _ = write!(words, ", delivered to {}", delivery.environment);
            }
            if reused > 0 {
                let _ = write!(words, ", {} reused", of_tasks(reused));
            }
            words
        }
        RunState::Finished(RunOutcome::Failed) => {
            format!("failed after {took}: {} failed", of_tasks(count(Mark::Failed)))
        }
        RunState::Finished(RunOutcome::Superseded) => "superseded by a newer release".to_owned(),
        RunState::Finished(RunOutcome::Cancelled(_)) => format!("cancelled after {took}"),
        RunState::Finished(RunOutcome::Skipped(_)) => "not run: the commit asks for it".to_owned(),
        RunState::Finished(RunOutcome::ActionRequired(_)) => {
            "a person must act before anything runs".to_owned()
        }
        RunState::Finished(RunOutcome::Invalid(problems)) => {
            format!("not planned: {} in the commit's files", plural(problems.len(), "problem"))
        }
    }
}

/// What a reader can do next; none where nothing is to be done.
pub(super) fn hint(run: &Run, tasks: &[Task]) -> Option<String> {
    if let Some(reason) = &run.stuck {
        return Some(format!(
            "Planning failed too often: {reason}. Once the cause is removed, redrive its dead letter (`slipway dlq redrive`) or push again."
        ));
    }
    let stuck = tasks.iter().find(|task| Mark::of(run, task) == Mark::Stuck);
    if let Some(task) = stuck {
        return Some(format!(
            "The machinery failed too often at `{}`. Its dead letter and its function's log say why. Once the cause is removed, `slipway dlq redrive` lets it go on where it stood, and a re-run begins it anew.",
            task.id
        ));
    }
    let failed =
        tasks.iter().filter(|task| Mark::of(run, task) == Mark::Failed).map(|task| task.id.stage).min();
    match (&run.state, failed) {
        (
            RunState::Finished(
                RunOutcome::ActionRequired(what) | RunOutcome::Cancelled(what) | RunOutcome::Skipped(what),
            ),
            _,
        ) => Some(what.clone()),
        (RunState::Finished(RunOutcome::Invalid(_)), _) => {
            Some("Correct the lines named and push again. Nothing was tested or delivered.".to_owned())
        }
        (RunState::Finished(RunOutcome::Superseded), _) => {
            Some("A newer commit is delivered instead. There is nothing to do.".to_owned())
        }
        (_, Some(Stage::Test)) => {
            Some("Fix what is red and push again. Nothing was built or delivered.".to_owned())
        }
        (_, Some(Stage::Build)) if of_manifests(run, tasks) => {
            Some("Read the log, fix the manifests and push again. Nothing was delivered.".to_owned())
        }
        (_, Some(Stage::Build | Stage::Publish)) => {
            Some("Read the log, fix the image and push again. Nothing was delivered.".to_owned())
        }
        (_, Some(Stage::Deploy)) if tasks.iter().any(|task| is_held(task) && has_evidence(task)) => {
            Some("A Job failed before the new version. It is held as it is, as its pipeline file wants. Read the evidence, then push a fix or run the deploy again.".to_owned())
        }
        (_, Some(Stage::Deploy)) if tasks.iter().any(has_evidence) => {
            Some("A Job failed before the new version. Read the evidence, then push a fix or run the deploy again.".to_owned())
        }
        (_, Some(Stage::Deploy)) => {
            Some("Correct the manifest that the cluster refuses and push again.".to_owned())
        }
        (_, Some(Stage::Verify)) => Some(format!(
            "The new version does not serve. {} Read the evidence, then push a fix or revert the commit.",
            way_back(tasks)
        )),
        (_, None) => None,
    }
}

/// Whether all that failed of the builds is the rendering of manifests.
fn of_manifests(run: &Run, tasks: &[Task]) -> bool {
    let failed = |task: &&Task| task.id.stage == Stage::Build && Mark::of(run, task) == Mark::Failed;
    tasks.iter().filter(failed).all(|task| task.id.subject == Subject::Manifests)
}

/// What became of the services that had to go back.
fn way_back(tasks: &[Task]) -> String {
    let ended = |outcome: Outcome, stage: Option<Stage>| -> Vec<String> {
        tasks
            .iter()
            .filter(|task| task.id.subject.is_rollback() && stage.is_none_or(|stage| task.id.stage == stage))
            .filter(|task| task.verdict().is_some_and(|verdict| verdict.outcome == outcome))
            .filter_map(|task| task.id.subject.service().map(|name| format!("`{name}`")))
            .collect()
    };
    let (lost, back) = (ended(Outcome::Failed, None), ended(Outcome::Passed, Some(Stage::Verify)));
    match (lost.is_empty(), back.is_empty()) {
        (false, _) => format!(
            "The way back failed too for {}: what the cluster runs there is not verified, look at it now.",
            lost.join(", ")
        ),
        (true, false) => format!("Its last verified release is back and serves: {}.", back.join(", ")),
        (true, true) if tasks.iter().any(is_held) => {
            "It is held as it is, as its pipeline file wants.".to_owned()
        }
        (true, true) => "There is no verified release to go back to.".to_owned(),
    }
}

/// Whether its deploy failed with what a Job said.
fn has_evidence(task: &Task) -> bool {
    let output = task.verdict().map(|verdict| &verdict.output);
    task.id.stage == Stage::Deploy && matches!(output, Some(Output::Evidence(_)))
}

/// Whether the service of a bad release stays as it is.
fn is_held(task: &Task) -> bool {
    task.id.stage.has_environment()
        && task.verdict().is_some_and(|verdict| verdict.outcome == Outcome::Failed)
        && task.spec.service().is_some_and(|service| service.rollout.on_failure == OnFailure::Hold)
}

/// A task in words: `test authentication`, `checks`, `integration tests`, `deploy authentication to development`.
pub(super) fn task_name(id: &TaskId) -> String {
    let subject = match &id.subject {
        Subject::Checks => return "checks".to_owned(),
        Subject::Integration => return "integration tests".to_owned(),
        Subject::Manifests => return "render manifests".to_owned(),
        Subject::Rollback(service) => {
            let environment = id.environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
            return match id.stage {
                Stage::Verify => format!("verify {service} after its way back{environment}"),
                _ => format!("roll {service} back{environment}"),
            };
        }
        Subject::Service(service) => service,
    };
    match (&id.environment, id.stage) {
        (Some(environment), Stage::Deploy) => format!("deploy {subject} to {environment}"),
        (Some(environment), stage) => format!("{stage} {subject} in {environment}"),
        (None, stage) => format!("{stage} {subject}"),
    }
}

/// A subject in words.
pub(super) fn subject_name(subject: &Subject) -> String {
    match subject {
        Subject::Service(name) => name.to_string(),
        Subject::Rollback(name) => format!("{name} (way back)"),
        Subject::Checks => "checks".to_owned(),
        Subject::Integration => "integration tests".to_owned(),
        Subject::Manifests => "manifests".to_owned(),
    }
}

/// A run's commit, as a link to its checks where GitHub's web pages are known.
pub(super) fn commit_link(run: &RunId, web: Option<&str>) -> String {
    let short = code(run.sha.short());
    checks_address(run, web).and_then(|address| link(&short, &address)).unwrap_or(short)
}

/// Where GitHub shows every check of a run's commit.
pub(super) fn checks_address(run: &RunId, web: Option<&str>) -> Option<String> {
    web.map(|web| format!("{web}/{}/commit/{}/checks", run.repository, run.sha))
}

/// The time a task took, once it has ended.
pub(super) fn time_taken(task: &Task) -> Option<Duration> {
    Some(task.finished?.since(task.started?))
}

/// The time a stage took over all its tasks, from the first start to the last end, once all of them have ended.
pub(super) fn stage_time(stage: Stage, tasks: &[Task]) -> Option<Duration> {
    let of_stage = || tasks.iter().filter(|task| task.id.stage == stage);
    let begun = of_stage().filter_map(|task| task.started).min()?;
    let ended: Option<Vec<_>> =
        of_stage().filter(|task| task.started.is_some()).map(|task| task.finished).collect();
    Some(ended?.into_iter().max()?.since(begun))
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 5 s`, `1 h 2 min`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number and its noun.
pub(super) fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The text with a capital letter at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let words = [400, 12_000, 185_000, 3_720_000].map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(words, ["0.4 s", "12 s", "3 min 5 s", "1 h 2 min"]);
    }
}
