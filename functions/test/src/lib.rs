//! Starts one build for each service, the repository-wide checks and the integration tests; reads what they left
//! behind and judges it.

mod request;
mod verdict;

use domain::ids::{RunId, Trust};
use domain::keys;
use domain::next::{Learned, TOKEN_HOLDS};
use domain::ports::{Answer, Artifacts, BuildStart, BuildState, BuildStatus, Builds, Fault, Runs};
use domain::report::{Beside, NewLines};
use domain::task::{Output, State, Task, TaskSpec};
use domain::time::Timestamp;
use lambda::{BUSY_DELAY, Case, StageWork, read_result, stop_builds};

use crate::verdict::{over_report, without_result};

/// The largest record of a change's lines that is read, in bytes.
const LARGEST_CHANGES: u64 = 4 * 1024 * 1024;

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Tests<S, B, A> {
    /// What the base's run measured, and the tasks that share a build.
    pub runs: S,
    /// The project that builds the repository's own commits.
    pub builds: B,
    /// The project that builds what strangers propose; its role reaches nothing but what is theirs.
    pub untrusted: B,
    /// Sources and results.
    pub artifacts: A,
    /// What the names of the secrets begin with that builds may be given.
    pub secrets_prefix: String,
}

impl<S: Runs, B: Builds, A: Artifacts> StageWork for Tests<S, B, A> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        let sharing = self.sharing(case).await?;
        if let Some(handle) = sharing.iter().find_map(started_together) {
            return Ok(Learned::Started { handle });
        }
        let adopt = adopt || sharing.iter().any(|task| may_have_started_long_ago(task, case.now));
        if adopt && let Some(handle) = self.project(case).find(&case.task.attempt_id()).await? {
            return Ok(Learned::Started { handle });
        }
        let request = if sharing.is_empty() {
            request::of(case.task, &self.artifacts, &self.secrets_prefix)?
        } else {
            request::of_sharing(&sharing, &self.artifacts, &self.secrets_prefix)?
        };
        Ok(match self.project(case).start(&request).await? {
            BuildStart::Started(handle) => Learned::Started { handle },
            BuildStart::Busy => Learned::InProgress { ask_again: Some(BUSY_DELAY) },
        })
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        let Some(status) = self.project(case).status(handle).await? else {
            return Err(Fault::reject(format!("CodeBuild does not know build `{handle}` any more")));
        };
        match status.state {
            BuildState::InProgress => Ok(Learned::InProgress { ask_again: None }),
            BuildState::Succeeded | BuildState::Failed => self.judged(case, status).await,
            BuildState::Refused | BuildState::TimedOut | BuildState::Stopped => {
                Ok(Learned::Concluded(without_result(&status)))
            }
            BuildState::Fault => Ok(Learned::Broken(without_result(&status))),
        }
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        stop_builds(self.project(case), &case.task.attempt_id(), handle).await
    }
}

/// The build that another task of a shared one knows.
fn started_together(task: &Task) -> Option<String> {
    task.handle().filter(|_| task.attempt == 1)
}

/// Whether the token under which a task may have started the shared build holds no longer.
fn may_have_started_long_ago(task: &Task, now: Timestamp) -> bool {
    match &task.state {
        _ if task.attempt > 1 => true,
        State::Pending => false,
        State::Starting { since } => now.since(*since) >= TOKEN_HOLDS,
        _ => true,
    }
}

impl<S: Runs, B: Builds, A: Artifacts> Tests<S, B, A> {
    /// Where the run's builds run.
    fn project(&self, case: &Case<'_>) -> &B {
        match case.head.id.trust {
            Trust::Trusted => &self.builds,
            Trust::Untrusted => &self.untrusted,
        }
    }

    /// The tasks of the build that this one shares, itself among them, in one order for all of them; none where it has
    /// a build of its own.
    ///
    /// Each of them asks for the same build under the same token, so that nobody has to lead: the first one starts it,
    /// the others get it. They are the same set for each of them: those whose records name the same services.
    async fn sharing(&self, case: &Case<'_>) -> Answer<Vec<Task>> {
        let ids = case.task.sharing();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (_, mut tasks) = self.runs.case(&case.head.id, &ids).await?;
        tasks.retain(|task| task.shares == case.task.shares);
        tasks.sort_by_key(|task| ids.iter().position(|id| *id == task.id));
        Ok(tasks)
    }

    async fn judged(&self, case: &Case<'_>, status: BuildStatus) -> Answer<Learned> {
        let attempt = case.task.attempt_id();
        let (folder, within) = match case.task.id.subject.service() {
            Some(name) if !case.task.sharing().is_empty() => {
                (keys::shared_result_folder(&attempt.run, &case.task.shares), name.as_str())
            }
            _ => (keys::result_folder(&attempt), ""),
        };
        let files = read_result(&self.artifacts, &folder, within, status.digest.as_deref()).await?;
        let (base_coverage, new_lines) = (self.base_coverage(case).await?, self.new_lines(case).await?);
        let beside = Beside { base_coverage, new_lines: new_lines.as_ref() };
        Ok(Learned::Concluded(over_report(&case.task.spec, &files.unwrap_or_default(), &beside, status)))
    }

    /// Line coverage of the same service where the change began, as long as that commit's run is remembered.
    async fn base_coverage(&self, case: &Case<'_>) -> Answer<Option<f64>> {
        let (TaskSpec::Service(_), Some(sha)) = (&case.task.spec, &case.head.compared_with) else {
            return Ok(None);
        };
        let base = RunId { sha: sha.clone(), trust: Trust::Trusted, ..case.head.id.clone() };
        let (_, tasks) = self.runs.case(&base, std::slice::from_ref(&case.task.id)).await?;
        Ok(tasks.first().and_then(|task| task.verdict()).and_then(|verdict| match &verdict.output {
            Output::Report { report, .. } => report.coverage,
            _ => None,
        }))
    }

    /// The lines that the pull request adds; none where plan has kept none.
    async fn new_lines(&self, case: &Case<'_>) -> Answer<Option<NewLines>> {
        let is_service = matches!(case.task.spec, TaskSpec::Service(_));
        if !is_service || case.head.pulls.is_empty() {
            return Ok(None);
        }
        let kept = self.artifacts.get(&keys::new_lines(&case.head.id), LARGEST_CHANGES).await?;
        Ok(kept.and_then(|bytes| match serde_json::from_slice(&bytes) {
            Ok(lines) => Some(lines),
            Err(error) => {
                tracing::warn!(run = %case.head.id, %error, "the record of the new lines cannot be read");
                None
            }
        }))
    }
}
