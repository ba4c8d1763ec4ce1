//! Carries a release's steps out, over as many invocations as it takes.

use std::time::Duration;

use domain::next::Learned;
use domain::ports::{Answer, Application, Artifacts, Cluster, Environments, Rollout, Runs};
use domain::task::{Output, State, Task, Verdict};
use serde_json::{Value, json};

use crate::Turn;
use crate::jobs::Steps;

/// How long one invocation watches a Job, and when an unfinished one is looked at again.
const WATCHED: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_secs(1);

/// How long a Job may take; its own `activeDeadlineSeconds` may say less.
const JOB_LIMIT: Duration = Duration::from_hours(1);

/// What came of it.
pub(crate) enum Carried {
    /// Everything is applied; the fields that were taken from other managers.
    Out(Vec<String>),
    /// The cluster refuses something, or a Job fails.
    Bad(Verdict),
    /// Another invocation goes on, or somebody else has the environment by now.
    Later(Learned),
}

/// How far a task has come: the recorded manifests that it applies, how many of their steps are done, and whose fields
/// were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// SHA-256 of the manifests.
    pub(crate) manifests: String,
    applied: usize,
    taken: Vec<String>,
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) fn none(manifests: &str) -> Self {
        Self { manifests: manifests.to_owned(), applied: 0, taken: Vec::new() }
    }

    /// What the task remembers of its attempt under way.
    pub(crate) fn of(task: &Task) -> Option<Self> {
        let State::Running { handle, .. } = &task.state else { return None };
        let noted: Value = serde_json::from_str(handle).ok()?;
        let taken = noted["taken"].as_array().into_iter().flatten();
        Some(Self {
            manifests: noted["manifests"].as_str()?.to_owned(),
            applied: usize::try_from(noted["applied"].as_u64()?).ok()?,
            taken: taken.filter_map(|sentence| sentence.as_str().map(str::to_owned)).collect(),
        })
    }

    fn noted(&self) -> Learned {
        let Self { manifests, applied, taken } = self;
        let handle = json!({ "manifests": manifests, "applied": applied, "taken": taken }).to_string();
        Learned::Partly { handle }
    }
}

impl<S: Environments + Runs, A: Artifacts, C: Cluster> Turn<'_, S, A, C> {
    /// Goes on from where the attempt is.
    pub(crate) async fn carry(&self, steps: &Steps, mut progress: Progress) -> Answer<Carried> {
        let (cluster, conflicts) = (&self.work.cluster, self.delivery.policy.conflicts);
        for end in [steps.gate, steps.applied.len()] {
            if progress.applied < end {
                match cluster.apply(&steps.applied[progress.applied..end], conflicts, self).await? {
                    Application::Overtaken => return Ok(Carried::Later(self.passed_by().await?)),
                    Application::Refused(sentence) => {
                        return Ok(Carried::Bad(Verdict::failed(sentence, Output::None)));
                    }
                    Application::Partly { applied, taken } => {
                        progress.applied += applied;
                        progress.taken.extend(taken);
                        return Ok(Carried::Later(progress.noted()));
                    }
                    Application::Done(taken) => {
                        progress.applied = end;
                        progress.taken.extend(taken);
                    }
                }
            }
            if progress.applied == steps.gate
                && let Some(early) = self.jobs_end(steps, &progress).await?
            {
                return Ok(early);
            }
        }
        Ok(Carried::Out(progress.taken))
    }

    /// None once all of the Jobs before the pods have ended well.
    async fn jobs_end(&self, steps: &Steps, progress: &Progress) -> Answer<Option<Carried>> {
        for job in &steps.jobs {
            let bad = match self.work.cluster.rollout(job, WATCHED).await? {
                Rollout::Complete => continue,
                Rollout::Progressing(how_far) => {
                    let recorded = Progress::of(self.case.task).as_ref() == Some(progress);
                    match self.case.task.state {
                        State::Running { since, .. }
                            if recorded && self.case.now.since(since) > JOB_LIMIT =>
                        {
                            let minutes = JOB_LIMIT.as_secs() / 60;
                            let sentence = format!("{job} has not ended after {minutes} minutes: {how_far}");
                            Verdict::failed(sentence, Output::Evidence(vec![how_far]))
                        }
                        _ if recorded => {
                            tracing::info!(run = %self.case.head.id, job = %job, how_far, "waiting for a Job");
                            let ask_again = Some(AGAIN);
                            return Ok(Some(Carried::Later(Learned::InProgress { ask_again })));
                        }
                        _ => return Ok(Some(Carried::Later(progress.noted()))),
                    }
                }
                Rollout::Hopeless(evidence) => {
                    let first = evidence.first().map_or("no evidence", String::as_str);
                    Verdict::failed(format!("{job}: {first}"), Output::Evidence(evidence))
                }
            };
            return Ok(Some(Carried::Bad(bad)));
        }
        Ok(None)
    }
}
