//! Pull requests, also from forks.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, created, ok};
use crate::history;
use crate::pull_actions::{Label, edit};
use crate::pull_updates::{bring_head, tell};
use crate::state::{App, Repository, account, node_id, now};

/// GitHub lists at most this many files of one pull request.
const MOST_FILES: usize = 3000;

/// One pull request.
#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) base_repository: u64,
    pub(crate) base_branch: String,
    pub(crate) base_sha: String,
    pub(crate) head_repository: u64,
    pub(crate) head_branch: String,
    pub(crate) head_sha: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) open: bool,
    pub(crate) merged: bool,
    pub(crate) draft: bool,
    pub(crate) labels: Vec<Label>,
    /// The commit by which it came into its base.
    pub(crate) merge_commit_sha: Option<String>,
    pub(crate) merged_by: Option<Value>,
    pub(crate) author: Value,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) closed_at: Option<Timestamp>,
}

impl Pull {
    fn state(&self) -> &'static str {
        if self.open { "open" } else { "closed" }
    }
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/pulls", get(list).post(open))
        .route("/repos/{owner}/{repo}/pulls/{number}", get(show).patch(edit))
        .route("/repos/{owner}/{repo}/pulls/{number}/files", get(files))
}

/// The pull request with this number.
pub(crate) fn find(app: &App, repository: &Repository, number: u64) -> Option<Pull> {
    let data = app.data();
    data.pulls.iter().find(|pull| pull.base_repository == repository.id && pull.number == number).cloned()
}

#[derive(Deserialize)]
struct Wanted {
    title: Option<String>,
    head: String,
    base: String,
    body: Option<String>,
    #[serde(default)]
    draft: bool,
}

async fn open(place: Place, Body(wanted): Body<Wanted>) -> Answer {
    place.writes("pull_requests")?;
    let invalid = |field| Problem::field("PullRequest", field, "invalid");
    let base = &place.repository;
    let base_sha = base.git.commit(&format!("refs/heads/{}", wanted.base)).await?;
    let base_sha = base_sha.ok_or_else(|| invalid("base"))?;
    let (owner, branch) = wanted.head.split_once(':').unwrap_or((&base.owner, &wanted.head));
    let source = in_network(&place.app, base, owner).ok_or_else(|| invalid("head"))?;
    let head_sha =
        source.git.commit(&format!("refs/heads/{branch}")).await?.ok_or_else(|| invalid("head"))?;
    let title = wanted.title.filter(|title| !title.trim().is_empty());
    let title = title.ok_or_else(|| Problem::field("PullRequest", "title", "missing_field"))?;
    if source.id != base.id {
        let into = format!("refs/network/{owner}/{branch}");
        base.git.fetch(source.git.directory(), &format!("refs/heads/{branch}"), &into).await?;
    }
    if base.git.is_ancestor(&head_sha, &base_sha).await? {
        let message = format!("No commits between {} and {}", wanted.base, wanted.head);
        return Err(Problem::custom("PullRequest", message));
    }
    let pull = {
        let mut data = place.app.data();
        let same = |pull: &&Pull| {
            pull.open
                && (pull.base_repository, pull.head_repository) == (base.id, source.id)
                && (pull.base_branch.as_str(), pull.head_branch.as_str()) == (wanted.base.as_str(), branch)
        };
        if data.pulls.iter().any(|pull| same(&pull)) {
            let message = format!("A pull request already exists for {owner}:{branch}.");
            return Err(Problem::custom("PullRequest", message));
        }
        let number = data.pulls.iter().filter(|pull| pull.base_repository == base.id).count() as u64 + 1;
        let pull = Pull {
            id: data.next_id(),
            number,
            base_repository: base.id,
            base_branch: wanted.base,
            base_sha,
            head_repository: source.id,
            head_branch: branch.to_owned(),
            head_sha: head_sha.clone(),
            title,
            body: wanted.body,
            open: true,
            merged: false,
            draft: wanted.draft,
            labels: Vec::new(),
            merge_commit_sha: None,
            merged_by: None,
            author: place.caller.account(&place.app),
            created_at: now(),
            updated_at: now(),
            closed_at: None,
        };
        data.pulls.push(pull.clone());
        pull
    };
    bring_head(&place.app, &pull, &head_sha).await?;
    tell(&place.app, &pull, "opened", &pull.author).await?;
    Ok(created(in_payload(&place.app, &pull).await?))
}

/// The repository of this owner in the network of forks that a repository belongs to.
pub(crate) fn in_network(app: &App, repository: &Repository, owner: &str) -> Option<Repository> {
    let data = app.data();
    let root = |known: &Repository| known.fork_of.unwrap_or(known.id);
    let mut candidates = data.repositories.iter().filter(|known| known.owner.eq_ignore_ascii_case(owner));
    candidates.find(|known| root(known) == root(repository)).cloned()
}

#[derive(Deserialize)]
struct Filter {
    state: Option<String>,
    head: Option<String>,
    base: Option<String>,
}

async fn list(place: Place, Query(filter): Query<Filter>, listing: Listing) -> Answer {
    place.reads("pull_requests")?;
    let state = filter.state.as_deref().unwrap_or("open");
    if !["open", "closed", "all"].contains(&state) {
        return Err(Problem::field("PullRequest", "state", "invalid"));
    }
    let found: Vec<Pull> = {
        let data = place.app.data();
        let all = data.pulls.iter().rev().filter(|pull| pull.base_repository == place.repository.id);
        let wanted = all.filter(|pull| {
            let owner = data.repository_by_id(pull.head_repository).map_or("", |known| known.owner.as_str());
            let head = format!("{owner}:{}", pull.head_branch);
            (state == "all" || pull.state() == state)
                && filter.base.as_ref().is_none_or(|base| *base == pull.base_branch)
                && filter.head.as_ref().is_none_or(|wanted| *wanted == head)
        });
        wanted.cloned().collect()
    };
    Ok(listing.array(found.iter().map(|pull| json(&place.app, pull)).collect()))
}

/// `GET commits/{ref}/pulls`: those that brought a commit, and those that would bring it, newest first.
///
/// <https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit>
pub(crate) async fn of_commit(place: &Place, reference: &str, listing: &Listing) -> Answer {
    place.reads("pull_requests")?;
    let sha = place.commit(reference).await?;
    let git = &place.repository.git;
    let default_branch = git.commit(&format!("refs/heads/{}", place.repository.default_branch)).await?;
    let is_delivered = match default_branch {
        Some(tip) => git.is_ancestor(&sha, &tip).await?,
        None => false,
    };
    let candidates: Vec<Pull> = {
        let data = place.app.data();
        let here = data.pulls.iter().rev().filter(|pull| pull.base_repository == place.repository.id);
        here.filter(|pull| pull.merged || (pull.open && !is_delivered)).cloned().collect()
    };
    let mut kept = Vec::new();
    for pull in candidates {
        let brings =
            git.is_ancestor(&sha, &pull.head_sha).await? && !git.is_ancestor(&sha, &pull.base_sha).await?;
        if brings || pull.merge_commit_sha.as_ref() == Some(&sha) {
            kept.push(json(&place.app, &pull));
        }
    }
    Ok(listing.array(kept))
}

async fn show(place: Place, Path((_, _, number)): Path<(String, String, u64)>) -> Answer {
    place.reads("pull_requests")?;
    let pull = find(&place.app, &place.repository, number).ok_or_else(Problem::not_found)?;
    Ok(ok(in_payload(&place.app, &pull).await?))
}

async fn files(place: Place, Path((_, _, number)): Path<(String, String, u64)>, listing: Listing) -> Answer {
    place.reads("pull_requests")?;
    let pull = find(&place.app, &place.repository, number).ok_or_else(Problem::not_found)?;
    let git = &place.repository.git;
    let mut files = changed_files(&place.app, &place.repository, &pull).await?;
    files.truncate(MOST_FILES);
    if let Some(start) = git.merge_base(&pull.base_sha, &pull.head_sha).await? {
        crate::patches::add(git, Some(&start), &pull.head_sha, &mut files).await?;
    }
    Ok(listing.array(files))
}

async fn changed_files(app: &App, base: &Repository, pull: &Pull) -> anyhow::Result<Vec<Value>> {
    let Some(start) = base.git.merge_base(&pull.base_sha, &pull.head_sha).await? else {
        return Ok(Vec::new());
    };
    history::files(&base.git, Some(&start), &pull.head_sha, (&app.api_url(base), &app.html_url(base))).await
}

/// The full form, as a single GET and a webhook have it.
pub(crate) async fn in_payload(app: &App, pull: &Pull) -> anyhow::Result<Value> {
    let base = app.data().repository_by_id(pull.base_repository).cloned().context("the base is known")?;
    let files = changed_files(app, &base, pull).await?;
    let sum = |name: &str| files.iter().filter_map(|file| file[name].as_u64()).sum::<u64>();
    let mut full = json(app, pull);
    full["commits"] = json!(base.git.distance(&pull.base_sha, &pull.head_sha).await?.1);
    full["changed_files"] = json!(files.len());
    full["additions"] = json!(sum("additions"));
    full["deletions"] = json!(sum("deletions"));
    full["merged"] = json!(pull.merged);
    full["merged_by"] = json!(pull.merged_by);
    // GitHub computes it later; a handler must not count on it.
    full["mergeable"] = Value::Null;
    Ok(full)
}

fn json(app: &App, pull: &Pull) -> Value {
    let (base, head) = {
        let data = app.data();
        (
            data.repository_by_id(pull.base_repository).cloned(),
            data.repository_by_id(pull.head_repository).cloned(),
        )
    };
    let end = |repository: Option<&Repository>, branch: &str, sha: &str| {
        json!({
            "label": repository.map(|known| format!("{}:{branch}", known.owner)),
            "ref": branch,
            "sha": sha,
            "user": repository.map(|known| account(app.base_url(), &known.owner, "Organization")),
            "repo": repository.map(|known| crate::repositories::json(app, known)),
        })
    };
    let api_url = base.as_ref().map(|base| app.api_url(base)).unwrap_or_default();
    let html_url = base.as_ref().map(|base| app.html_url(base)).unwrap_or_default();
    let number = pull.number;
    let author = pull.author["login"].as_str().unwrap_or_default();
    let association = base.as_ref().map_or("NONE", |base| base.association(author));
    json!({
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "number": number,
        "state": pull.state(),
        "locked": false,
        "draft": pull.draft,
        "title": pull.title,
        "body": pull.body,
        "user": pull.author,
        "author_association": association,
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.closed_at.filter(|_| pull.merged),
        "merge_commit_sha": pull.merge_commit_sha,
        "labels": pull.labels.iter().map(|label| label.json(&api_url)).collect::<Vec<_>>(),
        "head": end(head.as_ref(), &pull.head_branch, &pull.head_sha),
        "base": end(base.as_ref(), &pull.base_branch, &pull.base_sha),
        "url": format!("{api_url}/pulls/{number}"),
        "issue_url": format!("{api_url}/issues/{number}"),
        "comments_url": format!("{api_url}/issues/{number}/comments"),
        "statuses_url": format!("{api_url}/statuses/{}", pull.head_sha),
        "html_url": format!("{html_url}/pull/{number}"),
    })
}
