//! The commit's files, what it changes, and the plan that they give.

use domain::files::LARGEST_FILE;
use domain::files::pipeline::PIPELINE_FILE;
use domain::ids::{EnvironmentName, RunId, Sha, Trust};
use domain::keys;
use domain::message::Base;
use domain::planning::plan_for;
use domain::ports::{Answer, Artifacts, Changes, Fault, Queue};
use domain::report::NewLines;
use domain::run::{Problem, Run};
use domain::spec::Plan;
use lambda::{Commit, LARGEST_SOURCE};

use crate::{Hub, Memory, Planner};

/// What a request's commit changes.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// The pull request's merge base.
    pub(crate) base: Option<Sha>,
    /// The files since then; none where no pull request brings the commit, or the base is not known.
    pub(crate) changes: Option<Changes>,
}

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// The source from the bucket, or from GitHub into the bucket.
    pub(crate) async fn commit(&self, head: &Run) -> Answer<Commit> {
        self.commit_of(&head.id, head.installation).await
    }

    async fn commit_of(&self, run: &RunId, installation: u64) -> Answer<Commit> {
        let (commit, key) = (Commit::scratch(run.sha.short()), keys::source(run));
        if !self.artifacts.get_file(&key, commit.path(), LARGEST_SOURCE).await? {
            self.source
                .download(&run.repository, installation, &run.sha, commit.path(), LARGEST_SOURCE)
                .await?;
            self.artifacts.put_file(&key, commit.path()).await?;
        }
        Ok(commit)
    }

    /// The plan, or what in the commit's own files forbids one. What a stranger's change runs is said by the base's
    /// pipeline file, never by its own. With an environment it is the plan of a delivery there.
    pub(crate) async fn plan_of(
        &self,
        head: &Run,
        commit: &Commit,
        environment: Option<&EnvironmentName>,
    ) -> Answer<Result<Plan, Vec<Problem>>> {
        // One byte more than allowed, so that a larger file is seen to be too large.
        let most = LARGEST_FILE as u64 + 1;
        let file = match head.id.trust {
            Trust::Trusted => commit.file(PIPELINE_FILE, most)?,
            Trust::Untrusted => {
                // The commit before is the stranger's own: it must never stand in for the base.
                let base = head.origin.base.as_ref().map(|base| base.sha.clone());
                let sha = base.ok_or_else(|| {
                    Fault::reject(
                        "a stranger's commit is planned by its base's pipeline file, and no base is known",
                    )
                })?;
                let base = RunId { sha, trust: Trust::Trusted, ..head.id.clone() };
                self.commit_of(&base, head.installation).await?.file(PIPELINE_FILE, most)?
            }
        };
        Ok(plan_for(file.as_deref(), &commit.tree()?, environment))
    }

    /// What the commit changes since it left the pull request's base. What of it is new is kept for whoever reads the
    /// coverage.
    pub(crate) async fn reach(&self, head: &Run, pull: Option<(u64, &Base)>) -> Answer<Reach> {
        let Some((_, base)) = pull else { return Ok(Reach::default()) };
        let (repository, sha) = (&head.id.repository, &head.id.sha);
        let changes = self.source.changes(repository, head.installation, &base.sha, sha).await?;
        let mut lines = NewLines::default();
        for file in changes.iter().flat_map(|changes| &changes.files) {
            lines.add(&file.path, file.patch.as_deref().unwrap_or_default());
        }
        if !lines.is_empty() {
            let json = serde_json::to_vec(&lines)
                .map_err(|error| Fault::reject(format!("the change's lines cannot be written: {error}")))?;
            self.artifacts.put(&keys::new_lines(&head.id), json).await?;
        }
        Ok(Reach { base: changes.as_ref().map(|changes| changes.merge_base.clone()), changes })
    }
}
