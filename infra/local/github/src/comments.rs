//! Comments on pull requests, and reactions to them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, created, ok};
use crate::pulls;
use crate::state::{App, Repository, node_id, now};
use crate::webhook;

const LONGEST_BODY: usize = 65_536;
const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

/// One comment.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) repository: u64,
    pub(crate) issue: u64,
    pub(crate) author: Value,
    by_app: bool,
    pub(crate) body: String,
    pub(crate) created_at: Timestamp,
    updated_at: Timestamp,
    pub(crate) reactions: Vec<Reaction>,
}

/// One account's reaction.
#[derive(Clone, Debug)]
pub(crate) struct Reaction {
    id: u64,
    pub(crate) content: String,
    author: Value,
    created_at: Timestamp,
}

pub(crate) fn routes() -> Router<Arc<App>> {
    let one = get(show).patch(edit).delete(remove);
    Router::new()
        .route("/repos/{owner}/{repo}/issues/{number}/comments", get(list).post(create))
        .route("/repos/{owner}/{repo}/issues/comments/{id}", one)
        .route("/repos/{owner}/{repo}/issues/comments/{id}/reactions", get(list_reactions).post(react))
}

#[derive(Deserialize)]
struct Sent {
    body: String,
}

impl Sent {
    fn check(self) -> Result<String, Problem> {
        if self.body.trim().is_empty() {
            return Err(Problem::field("IssueComment", "body", "missing_field"));
        }
        if self.body.chars().count() > LONGEST_BODY {
            let message = format!("body is too long (maximum is {LONGEST_BODY} characters)");
            return Err(Problem::custom("IssueComment", message));
        }
        Ok(self.body)
    }
}

async fn create(
    place: Place,
    Path((_, _, issue)): Path<(String, String, u64)>,
    Body(sent): Body<Sent>,
) -> Answer {
    may_write(&place)?;
    pulls::find(&place.app, &place.repository, issue).ok_or_else(Problem::not_found)?;
    let body = sent.check()?;
    let comment = {
        let mut data = place.app.data();
        let comment = Comment {
            id: data.next_id(),
            repository: place.repository.id,
            issue,
            author: place.caller.account(&place.app),
            by_app: is_app(&place),
            body,
            created_at: now(),
            updated_at: now(),
            reactions: Vec::new(),
        };
        data.comments.push(comment.clone());
        comment
    };
    tell(&place, &comment, "created", None).await?;
    Ok(created(comment.json(&place.app, &place.repository)))
}

/// GitHub takes either permission for comments on pull requests.
fn may_write(place: &Place) -> Result<(), Problem> {
    place.writes("issues").or_else(|_| place.writes("pull_requests"))
}

fn is_app(place: &Place) -> bool {
    matches!(place.caller, crate::access::Caller::Installation(_))
}

#[derive(Deserialize)]
struct Since {
    since: Option<Timestamp>,
}

async fn list(
    place: Place,
    Path((_, _, issue)): Path<(String, String, u64)>,
    Query(Since { since }): Query<Since>,
    listing: Listing,
) -> Answer {
    place.reads("issues").or_else(|_| place.reads("pull_requests"))?;
    pulls::find(&place.app, &place.repository, issue).ok_or_else(Problem::not_found)?;
    let data = place.app.data();
    let found: Vec<Comment> = data
        .comments
        .iter()
        .filter(|known| known.repository == place.repository.id && known.issue == issue)
        .filter(|known| since.is_none_or(|since| known.updated_at >= since))
        .cloned()
        .collect();
    drop(data);
    Ok(listing.array(found.iter().map(|comment| comment.json(&place.app, &place.repository)).collect()))
}

async fn show(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.reads("issues").or_else(|_| place.reads("pull_requests"))?;
    let found = change(&place, id, |comment| comment.clone())?;
    Ok(ok(found.json(&place.app, &place.repository)))
}

async fn edit(place: Place, Path((_, _, id)): Path<(String, String, u64)>, Body(sent): Body<Sent>) -> Answer {
    may_write(&place)?;
    let by_app = change(&place, id, |comment| comment.by_app)?;
    if is_app(&place) && !by_app {
        return Err(Problem::forbidden());
    }
    let body = sent.check()?;
    let (before, changed) = change(&place, id, |comment| {
        let before = std::mem::replace(&mut comment.body, body);
        comment.updated_at = now();
        (before, comment.clone())
    })?;
    tell(&place, &changed, "edited", Some(&before)).await?;
    Ok(ok(changed.json(&place.app, &place.repository)))
}

async fn remove(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    may_write(&place)?;
    let removed = change(&place, id, |comment| comment.clone())?;
    place.app.data().comments.retain(|known| known.id != id);
    tell(&place, &removed, "deleted", None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct Wanted {
    content: String,
}

async fn react(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    Body(wanted): Body<Wanted>,
) -> Answer {
    may_write(&place)?;
    if !REACTIONS.contains(&wanted.content.as_str()) {
        return Err(Problem::field("Reaction", "content", "invalid"));
    }
    let author = place.caller.account(&place.app);
    let new_id = place.app.data().next_id();
    let (reaction, is_new) = change(&place, id, |comment| {
        let same =
            |known: &&Reaction| known.content == wanted.content && known.author["login"] == author["login"];
        if let Some(known) = comment.reactions.iter().find(same) {
            return (known.json(), false);
        }
        let reaction = Reaction {
            id: new_id,
            content: wanted.content.clone(),
            author: author.clone(),
            created_at: now(),
        };
        let json = reaction.json();
        comment.reactions.push(reaction);
        (json, true)
    })?;
    Ok(if is_new { created(reaction) } else { ok(reaction) })
}

#[derive(Deserialize)]
struct Kind {
    content: Option<String>,
}

async fn list_reactions(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    Query(Kind { content }): Query<Kind>,
    listing: Listing,
) -> Answer {
    place.reads("issues").or_else(|_| place.reads("pull_requests"))?;
    let found = change(&place, id, |comment| comment.reactions.clone())?;
    let wanted =
        found.iter().filter(|known| content.as_ref().is_none_or(|content| *content == known.content));
    Ok(listing.array(wanted.map(Reaction::json).collect()))
}

/// Does something with one comment under the lock.
fn change<T>(place: &Place, id: u64, edit: impl FnOnce(&mut Comment) -> T) -> Result<T, Problem> {
    let mut data = place.app.data();
    let mut comments = data.comments.iter_mut();
    let found = comments.find(|known| known.id == id && known.repository == place.repository.id);
    found.map(edit).ok_or_else(Problem::not_found)
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment>
async fn tell(place: &Place, comment: &Comment, action: &str, before: Option<&str>) -> Result<(), Problem> {
    let pull = pulls::find(&place.app, &place.repository, comment.issue).ok_or_else(Problem::not_found)?;
    let mut issue = pulls::in_payload(&place.app, &pull).await?;
    // The event names the issue behind the pull request, which has neither head nor base.
    let url = issue["url"].take();
    if let Some(fields) = issue.as_object_mut() {
        fields.retain(|name, _| !["head", "base", "url"].contains(&name.as_str()));
    }
    issue["pull_request"] = json!({ "url": url, "html_url": issue["html_url"] });
    let mut payload = json!({
        "action": action,
        "issue": issue,
        "comment": comment.json(&place.app, &place.repository),
        "sender": place.caller.account(&place.app),
    });
    if let Some(before) = before {
        payload["changes"] = json!({ "body": { "from": before } });
    }
    webhook::send(&place.app, &place.repository, "issue_comment", payload);
    Ok(())
}

impl Comment {
    pub(crate) fn json(&self, app: &App, repository: &Repository) -> Value {
        let (api_url, html_url) = (app.api_url(repository), app.html_url(repository));
        json!({
            "id": self.id,
            "node_id": node_id("IssueComment", self.id),
            "url": format!("{api_url}/issues/comments/{}", self.id),
            "html_url": format!("{html_url}/pull/{}#issuecomment-{}", self.issue, self.id),
            "issue_url": format!("{api_url}/issues/{}", self.issue),
            "user": self.author,
            "body": self.body,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "author_association": repository.association(self.author["login"].as_str().unwrap_or_default()),
            "performed_via_github_app": if self.by_app { crate::installation_tokens::app_json(app) } else { Value::Null },
            "reactions": self.sum_of_reactions(),
        })
    }
}

impl Comment {
    fn sum_of_reactions(&self) -> Value {
        let count = |content: &str| self.reactions.iter().filter(|known| known.content == content).count();
        let mut sum = json!({ "total_count": self.reactions.len() });
        for content in REACTIONS {
            sum[content] = json!(count(content));
        }
        sum
    }
}

impl Reaction {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "node_id": node_id("Reaction", self.id),
            "user": self.author,
            "content": self.content,
            "created_at": self.created_at,
        })
    }
}
