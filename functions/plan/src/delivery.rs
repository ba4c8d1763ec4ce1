//! Whether a commit is delivered, and under which number: only one that moves the environment forward.

use domain::files::operator::{Environment, OperatorFile};
use domain::ids::{BranchName, EnvironmentName, RunId};
use domain::message::PlanRequest;
use domain::ports::{Answer, Comparison, Environments, Fault, Fence, Source, Written};
use domain::run::Delivery;

/// How often another plan may draw between our look and our draw.
const MOST_RACES: u32 = 5;

/// The delivery, or none, with the sentence that tells people why.
///
/// # Errors
/// When the store or GitHub does not answer.
pub async fn decide(
    store: &impl Environments,
    source: &impl Source,
    operator: &OperatorFile,
    run: &RunId,
    request: &PlanRequest,
) -> Answer<(Option<Delivery>, String)> {
    let Some((environment, settings)) = target(operator, request) else {
        return Ok((None, format!("No environment is delivered from branch `{}`.", request.branch)));
    };
    let delivery = |fence| Delivery {
        environment: environment.clone(),
        cluster: settings.cluster.clone(),
        namespace: settings.namespace.to_string(),
        fence,
        policy: settings.policy(),
    };
    for _ in 0..MOST_RACES {
        let last = store.fence(&request.repository, environment).await?;
        let number = match &last {
            Some(fence) if fence.run == *run => {
                return Ok((Some(delivery(fence.number)), sentence(environment, fence.number)));
            }
            None => 1,
            Some(fence) => match standing(source, request, fence).await? {
                Standing::Newer => fence.number + 1,
                Standing::Older(why) => {
                    return Ok((None, format!("Not delivered to `{environment}`: {why}.")));
                }
            },
        };
        let fence = Fence { number, sha: run.sha.clone(), run: run.clone() };
        if store.draw(&request.repository, environment, &fence).await? == Written::Yes {
            return Ok((Some(delivery(number)), sentence(environment, number)));
        }
    }
    Err(Fault::retry("the environment's numbers are drawn faster than this plan can", "version conflict"))
}

/// The environment that the request's branch is delivered to; tags and strangers' commits are delivered nowhere.
pub fn target<'a>(
    operator: &'a OperatorFile,
    request: &PlanRequest,
) -> Option<(&'a EnvironmentName, &'a Environment)> {
    if request.tag || request.fork.is_some() {
        return None;
    }
    let branch: BranchName = request.branch.parse().ok()?;
    operator.delivery_for(&request.repository, &branch)
}

enum Standing {
    Newer,
    Older(String),
}

/// GitHub's compare decides; what has diverged is delivered only if it is the branch's tip now (a force push).
async fn standing(source: &impl Source, request: &PlanRequest, last: &Fence) -> Answer<Standing> {
    let last_sha = last.sha.short();
    Ok(match source.compare(&request.repository, request.installation, &last.sha, &request.sha).await? {
        Comparison::Ahead => Standing::Newer,
        Comparison::Identical => Standing::Older(format!("commit `{last_sha}` was planned there before")),
        Comparison::Behind => {
            Standing::Older(format!("it is older than commit `{last_sha}`, which was planned there"))
        }
        Comparison::Diverged => {
            let tip = source.branch_tip(&request.repository, request.installation, &request.branch).await?;
            if tip.as_ref() == Some(&request.sha) {
                Standing::Newer
            } else {
                Standing::Older(format!(
                    "it has diverged from commit `{last_sha}` and is not the branch's tip"
                ))
            }
        }
    })
}

fn sentence(environment: &EnvironmentName, number: u64) -> String {
    format!("To be delivered to `{environment}`, as number {number} there.")
}
