//! A pull request that touches manifests asks what merging it would change in the cluster.

use domain::files::operator::OperatorFile;
use domain::ids::Trust;
use domain::keys;
use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Answer, Artifacts, ChangedFile, Changes, Fault, Queue, Written};
use domain::run::{Preview, Run};
use domain::selection::Contents;
use domain::spec::{Reads, ServiceSpec};
use lambda::Commit;

use crate::manifests::bases;
use crate::{Hub, Memory, Planner};

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Asks deploy, where the pull request's base is delivered somewhere and its changes reach a service's manifests. The
    /// services lie in the bucket, the head says that somebody waits, the message is sent last: a crash repeats it.
    pub(crate) async fn preview(
        &self,
        mut head: Run,
        request: &PlanRequest,
        operator: &OperatorFile,
        changes: Option<&Changes>,
    ) -> Answer<Run> {
        let Some(preview) = wanted(&head, request, operator) else { return Ok(head) };
        if head.preview.as_ref().is_some_and(|known| known.told) {
            return Ok(head);
        }
        if head.preview.is_none() {
            let Some(changes) = changes else { return Ok(head) };
            let commit = self.commit(&head).await?;
            let environment = Some(&preview.environment);
            let plan = match self.plan_of(&head, &commit, environment).await? {
                Ok(plan) => plan,
                // Without an environment it has a plan: only what differs between these can be wrong.
                Err(problems) => {
                    let what = format!("Once merged, it could not be delivered to `{}`", preview.environment);
                    return self.told(head, &what, &problems).await;
                }
            };
            let is_rendered = plan.services.iter().any(|service| service.rendering.is_some());
            let contents = if is_rendered { commit.contents()? } else { Contents::default() };
            let mut touched = Vec::new();
            for service in &plan.services {
                if is_touched(service, changes) || is_rendered_of(service, &commit, &contents, changes)? {
                    touched.push(service);
                }
            }
            if touched.is_empty() {
                return Ok(head);
            }
            let record = serde_json::to_vec(&touched)
                .map_err(|error| Fault::reject(format!("the services cannot be written: {error}")))?;
            self.artifacts.put(&keys::preview(&head.id), record).await?;
            while let Some(awaiting) = head.awaiting(preview.clone()) {
                head = match self.store.write_run(&awaiting).await? {
                    Written::Yes => awaiting,
                    Written::Conflict => self.read_again(&head).await?,
                };
            }
        }
        self.queue.send(&[Outgoing::now(Message::Preview { run: head.id.clone() })]).await?;
        Ok(head)
    }
}

/// The preview that the request's pull request may have: not a stranger's, and not of a commit that is delivered itself
/// or was never planned.
fn wanted(head: &Run, request: &PlanRequest, operator: &OperatorFile) -> Option<Preview> {
    let base = request.base.as_ref().filter(|_| request.pull_request.is_some())?;
    if head.id.trust == Trust::Untrusted || head.delivery.is_some() || head.phases.is_empty() {
        return None;
    }
    let (environment, settings) = operator.delivery_for(&request.repository, &base.branch)?;
    Some(Preview {
        environment: environment.clone(),
        cluster: settings.cluster.clone(),
        namespace: settings.namespace.to_string(),
        policy: settings.policy(),
        told: false,
    })
}

/// Whether something differs of which a build would render its manifests.
fn is_rendered_of(
    service: &ServiceSpec,
    commit: &Commit,
    contents: &Contents,
    changes: &Changes,
) -> Answer<bool> {
    let Some(rendering) = &service.rendering else { return Ok(false) };
    let Some(bases) = bases(commit, contents, std::iter::once(rendering))? else { return Ok(true) };
    let roots = rendering.roots().into_iter().map(|path| path.as_str().trim_end_matches('/').to_owned());
    let reads = Reads { paths: roots.chain(bases).collect(), ..Reads::default() };
    let is_read = |file: &ChangedFile| {
        reads.covers(&file.path) || file.previous.as_deref().is_some_and(|path| reads.covers(path))
    };
    Ok(changes.files.iter().any(is_read))
}

/// Whether one of its manifests differs, or may: GitHub shows no more than so many files.
fn is_touched(service: &ServiceSpec, changes: &Changes) -> bool {
    changes.truncated
        || service.files().iter().any(|manifest| {
            let is_it = |path: &str| path == manifest.as_str();
            changes.files.iter().any(|file| is_it(&file.path) || file.previous.as_deref().is_some_and(is_it))
        })
}
