//! Merges: the button of a pull request, and the merge queue before a branch.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::put;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Problem, ok};
use crate::history;
use crate::pull_updates::{tell, tell_more};
use crate::pulls::{Pull, find};
use crate::state::{App, Repository, account};
use crate::webhook;

/// Where the queue keeps its commits; people cannot push there.
const QUEUE: &str = "gh-readonly-queue";

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/repos/{owner}/{repo}/pulls/{number}/merge", put(merge))
}

#[derive(Deserialize)]
struct Wanted {
    commit_title: Option<String>,
    commit_message: Option<String>,
    /// What the head must be.
    sha: Option<String>,
    merge_method: Option<String>,
}

/// Merges with a merge commit: <https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request>.
async fn merge(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    Body(wanted): Body<Wanted>,
) -> Answer {
    place.writes("contents")?;
    let refused = |sentence: String| Problem::new(StatusCode::METHOD_NOT_ALLOWED, sentence);
    match wanted.merge_method.as_deref() {
        None | Some("merge") => {}
        Some(other @ ("squash" | "rebase")) => {
            let name = if other == "squash" { "Squash" } else { "Rebase" };
            return Err(refused(format!("{name} merges are not allowed on this repository.")));
        }
        Some(_) => return Err(Problem::field("PullRequest", "merge_method", "invalid")),
    }
    let repository = &place.repository;
    let _pushing = repository.pushing.lock().await;
    let pull = find(&place.app, repository, number).ok_or_else(Problem::not_found)?;
    if pull.draft {
        return Err(refused("Pull Request is still a draft".to_owned()));
    }
    if wanted.sha.as_ref().is_some_and(|sha| *sha != pull.head_sha) {
        let sentence = "Head branch was modified. Review and try the merge again.";
        return Err(Problem::new(StatusCode::CONFLICT, sentence));
    }
    let sender = place.caller.account(&place.app);
    let title = wanted.commit_title.unwrap_or_else(|| title(&place, &pull));
    let message = wanted.commit_message.unwrap_or_else(|| pull.title.clone());
    let base = format!("refs/heads/{}", pull.base_branch);
    let tip = repository.git.commit(&base).await?;
    let joined = match tip.filter(|_| pull.open) {
        Some(tip) => {
            join(repository, &tip, &pull.head_sha, &sender, &format!("{title}\n\n{message}")).await?
        }
        None => None,
    };
    let sha = joined.ok_or_else(|| refused("Pull Request is not mergeable".to_owned()))?;
    move_ref(&place.app, repository, &base, Some(&sha), &sender).await?;
    Ok(ok(json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" })))
}

fn title(place: &Place, pull: &Pull) -> String {
    let source = place.app.data().repository_by_id(pull.head_repository).map(|known| known.owner.clone());
    let owner = source.unwrap_or_else(|| "unknown".to_owned());
    format!("Merge pull request #{} from {owner}/{}", pull.number, pull.head_branch)
}

/// A commit with both as parents, or none when they conflict.
async fn join(
    repository: &Repository,
    base: &str,
    head: &str,
    author: &Value,
    message: &str,
) -> anyhow::Result<Option<String>> {
    let git = &repository.git;
    let Some(tree) = git.merged_tree(base, head).await? else { return Ok(None) };
    let login = author["login"].as_str().unwrap_or("github");
    let name = format!("user.name={login}");
    let email = format!("user.email={login}@users.noreply.github.com");
    let identity = ["-c", name.as_str(), "-c", email.as_str()];
    let commit = ["commit-tree", tree.as_str(), "-p", base, "-p", head, "-m", message];
    let sha = git.text(&[&identity[..], &commit[..]].concat()).await?;
    Ok(Some(sha.trim().to_owned()))
}

/// Creates, moves or deletes a ref and tells it as a push; the caller holds the repository's `pushing`.
async fn move_ref(
    app: &Arc<App>,
    repository: &Repository,
    reference: &str,
    sha: Option<&str>,
    sender: &Value,
) -> anyhow::Result<()> {
    let before = repository.git.refs().await?;
    match sha {
        Some(sha) => repository.git.set_ref(reference, sha).await?,
        None => repository.git.text(&["update-ref", "-d", reference]).await.map(drop)?,
    }
    let after = repository.git.refs().await?;
    crate::push::announce(app, repository, &before, &after, sender).await
}

/// One pull request in the queue: the commit whose checks decide.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    repository: u64,
    number: u64,
    base_branch: String,
    base_sha: String,
    head_sha: String,
}

impl Group {
    /// `refs/heads/gh-readonly-queue/<base>/pr-<number>-<base SHA>`.
    fn reference(&self) -> String {
        format!("refs/heads/{QUEUE}/{}/pr-{}-{}", self.base_branch, self.number, self.base_sha)
    }
}

/// Puts a pull request into the queue: its merge is built on what stands before it, and checks are asked for.
///
/// <https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue>
pub(crate) async fn enqueue(place: &Place, number: u64) -> Answer {
    let repository = &place.repository;
    let _pushing = repository.pushing.lock().await;
    let pull = find(&place.app, repository, number).ok_or_else(Problem::not_found)?;
    if !pull.open || pull.draft {
        return Err(Problem::unprocessable("Only an open pull request that is no draft can be queued"));
    }
    let before = {
        let data = place.app.data();
        let mine =
            |group: &&Group| group.repository == repository.id && group.base_branch == pull.base_branch;
        if data.queue.iter().filter(mine).any(|group| group.number == number) {
            return Err(Problem::unprocessable("The pull request is in the queue already"));
        }
        data.queue.iter().rfind(mine).map(|group| group.head_sha.clone())
    };
    let base_sha = if let Some(sha) = before {
        sha
    } else {
        let tip = repository.git.commit(&format!("refs/heads/{}", pull.base_branch)).await?;
        tip.ok_or_else(Problem::not_found)?
    };
    let message = format!("{} (#{number})", pull.title);
    let joined = join(repository, &base_sha, &pull.head_sha, &pull.author, &message).await?;
    let head_sha =
        joined.ok_or_else(|| Problem::unprocessable("The pull request conflicts with its base"))?;
    let group = Group {
        repository: repository.id,
        number,
        base_branch: pull.base_branch.clone(),
        base_sha,
        head_sha,
    };
    place.app.data().queue.push(group.clone());
    tell(&place.app, &pull, "enqueued", &place.caller.account(&place.app)).await?;
    let queue = queue_account(&place.app);
    move_ref(&place.app, repository, &group.reference(), Some(&group.head_sha), &queue).await?;
    let in_payload = tell_group(&place.app, repository, &group, "checks_requested", json!({})).await?;
    Ok(ok(in_payload))
}

/// Why a group ends, as a `destroyed` event names it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Its checks were green: the base moves to it.
    Merged,
    /// One before it was taken out.
    Invalidated,
    /// It was taken out.
    Dequeued,
}

/// Ends a group; a merged one must stand first in its queue.
pub(crate) async fn leave_queue(place: &Place, number: u64, reason: Reason) -> Answer {
    let (app, repository) = (&place.app, &place.repository);
    let _pushing = repository.pushing.lock().await;
    let pull = find(app, repository, number).ok_or_else(Problem::not_found)?;
    let group = {
        let mut data = app.data();
        let mine = |group: &Group| group.repository == repository.id && group.base_branch == pull.base_branch;
        let position = data.queue.iter().position(|group| mine(group) && group.number == number);
        let position = position.ok_or_else(Problem::not_found)?;
        if reason == Reason::Merged && data.queue[..position].iter().any(mine) {
            return Err(Problem::unprocessable("Another pull request stands before it"));
        }
        data.queue.remove(position)
    };
    let queue = queue_account(app);
    if reason == Reason::Merged {
        let base = format!("refs/heads/{}", group.base_branch);
        move_ref(app, repository, &base, Some(&group.head_sha), &queue).await?;
    } else {
        let more =
            json!({ "reason": if reason == Reason::Dequeued { "MANUAL" } else { "INVALID_MERGE_COMMIT" } });
        tell_more(app, &pull, "dequeued", &queue, more).await?;
    }
    move_ref(app, repository, &group.reference(), None, &queue).await?;
    let word = match reason {
        Reason::Merged => "merged",
        Reason::Invalidated => "invalidated",
        Reason::Dequeued => "dequeued",
    };
    let in_payload = tell_group(app, repository, &group, "destroyed", json!({ "reason": word })).await?;
    Ok(ok(in_payload))
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#merge_group>
async fn tell_group(
    app: &Arc<App>,
    repository: &Repository,
    group: &Group,
    action: &str,
    more: Value,
) -> anyhow::Result<Value> {
    let commit = history::one(&repository.git, &group.head_sha).await?;
    let in_payload = json!({
        "head_sha": group.head_sha,
        "head_ref": group.reference(),
        "base_sha": group.base_sha,
        "base_ref": format!("refs/heads/{}", group.base_branch),
        "head_commit": commit.in_suite(),
    });
    let mut payload = more;
    payload["action"] = json!(action);
    payload["merge_group"] = in_payload.clone();
    payload["sender"] = queue_account(app);
    webhook::send(app, repository, "merge_group", payload);
    Ok(in_payload)
}

fn queue_account(app: &App) -> Value {
    account(app.base_url(), "github-merge-queue[bot]", "Bot")
}
