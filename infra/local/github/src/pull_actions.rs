//! What people do to a pull request: edit it, close and reopen it, mark it as a draft, label it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, ok};
use crate::pull_updates::{bring_head, change, close, tell, tell_more};
use crate::pulls::{Pull, find, in_payload};
use crate::state::{App, node_id};

const LONGEST_LABEL: usize = 50;

/// One label of one pull request.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    id: u64,
    pub(crate) name: String,
}

impl Label {
    pub(crate) fn json(&self, api_url: &str) -> Value {
        json!({
            "id": self.id,
            "node_id": node_id("Label", self.id),
            "url": format!("{api_url}/labels/{}", self.name),
            "name": self.name,
            "color": "ededed",
            "default": false,
            "description": null,
        })
    }
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/issues/{number}/labels", get(list_labels).post(add_labels))
        .route("/repos/{owner}/{repo}/issues/{number}/labels/{name}", delete(remove_label))
}

#[derive(Deserialize)]
pub(crate) struct Edit {
    title: Option<String>,
    body: Option<String>,
    state: Option<String>,
    base: Option<String>,
}

/// `PATCH pulls/{number}`.
pub(crate) async fn edit(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    Body(wanted): Body<Edit>,
) -> Answer {
    place.writes("pull_requests")?;
    let pull = known(&place, number)?;
    let (app, sender) = (&place.app, place.caller.account(&place.app));
    let state = wanted.state.as_deref().unwrap_or(if pull.open { "open" } else { "closed" });
    if !["open", "closed"].contains(&state) {
        return Err(Problem::field("PullRequest", "state", "invalid"));
    }
    if state == "open" && pull.merged {
        return Err(Problem::custom("PullRequest", "A merged pull request cannot be reopened."));
    }
    edit_texts(&place, &pull, &wanted, &sender).await?;
    if state == "closed" && pull.open {
        close(app, pull.id, None, &sender).await?;
    } else if state == "open" && !pull.open {
        reopen(&place, &pull, &sender).await?;
    }
    Ok(ok(in_payload(app, &known(&place, number)?).await?))
}

/// Takes over title, body and base, and tells what they were before.
async fn edit_texts(place: &Place, pull: &Pull, wanted: &Edit, sender: &Value) -> Result<(), Problem> {
    let mut changes = Map::new();
    let new_base = wanted.base.as_ref().filter(|base| **base != pull.base_branch);
    let new_title = wanted.title.as_ref().filter(|title| **title != pull.title);
    let new_body = wanted.body.as_ref().filter(|body| Some(*body) != pull.body.as_ref());
    let base_sha = match new_base {
        Some(base) => {
            let found = place.repository.git.commit(&format!("refs/heads/{base}")).await?;
            Some(found.ok_or_else(|| Problem::field("PullRequest", "base", "invalid"))?)
        }
        None => None,
    };
    if base_sha.is_some() {
        let before = json!({ "ref": { "from": pull.base_branch }, "sha": { "from": pull.base_sha } });
        changes.insert("base".to_owned(), before);
    }
    if new_title.is_some() {
        changes.insert("title".to_owned(), json!({ "from": pull.title }));
    }
    if new_body.is_some() {
        changes.insert("body".to_owned(), json!({ "from": pull.body.as_deref().unwrap_or_default() }));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let edited = change(&place.app, pull.id, |pull| {
        if let Some((base, sha)) = new_base.cloned().zip(base_sha) {
            (pull.base_branch, pull.base_sha) = (base, sha);
        }
        pull.title = new_title.cloned().unwrap_or(std::mem::take(&mut pull.title));
        pull.body = new_body.cloned().or(pull.body.take());
    });
    let edited = edited.ok_or_else(Problem::not_found)?;
    Ok(tell_more(&place.app, &edited, "edited", sender, json!({ "changes": changes })).await?)
}

/// A branch that moved while its pull request was closed is taken as it is now.
async fn reopen(place: &Place, pull: &Pull, sender: &Value) -> Result<(), Problem> {
    let app = &place.app;
    let source = app.data().repository_by_id(pull.head_repository).cloned();
    let head = match source {
        Some(source) => source.git.commit(&format!("refs/heads/{}", pull.head_branch)).await?,
        None => None,
    };
    let head = head.ok_or_else(|| {
        let branch = &pull.head_branch;
        Problem::custom(
            "PullRequest",
            format!("state cannot be changed. The {branch} branch has been deleted."),
        )
    })?;
    bring_head(app, pull, &head).await?;
    let reopened = change(app, pull.id, |pull| {
        (pull.open, pull.closed_at) = (true, None);
        pull.head_sha = head;
    });
    Ok(tell(app, &reopened.ok_or_else(Problem::not_found)?, "reopened", sender).await?)
}

/// Marks a pull request as a draft, or as ready.
///
/// GitHub has no REST route for it, only its page and GraphQL:
/// <https://docs.github.com/en/graphql/reference/mutations#markpullrequestreadyforreview>
pub(crate) async fn set_draft(place: &Place, number: u64, draft: bool) -> Answer {
    let pull = known(place, number)?;
    if !pull.open {
        return Err(Problem::unprocessable("Only an open pull request is a draft or ready"));
    }
    let changed = change(&place.app, pull.id, |pull| pull.draft = draft).ok_or_else(Problem::not_found)?;
    if pull.draft != draft {
        let action = if draft { "converted_to_draft" } else { "ready_for_review" };
        tell(&place.app, &changed, action, &place.caller.account(&place.app)).await?;
    }
    Ok(ok(in_payload(&place.app, &changed).await?))
}

async fn list_labels(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    listing: Listing,
) -> Answer {
    place.reads("issues").or_else(|_| place.reads("pull_requests"))?;
    let pull = known(&place, number)?;
    Ok(listing.array(labels(&place, &pull)))
}

#[derive(Deserialize)]
struct Names {
    labels: Vec<String>,
}

/// <https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue>
async fn add_labels(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    Body(Names { labels: names }): Body<Names>,
) -> Answer {
    may_label(&place)?;
    let mut pull = known(&place, number)?;
    let is_wrong = |name: &String| name.trim().is_empty() || name.chars().count() > LONGEST_LABEL;
    if names.iter().any(is_wrong) {
        return Err(Problem::field("Label", "name", "invalid"));
    }
    for name in names {
        if pull.labels.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
            continue;
        }
        let label = Label { id: place.app.data().next_id(), name };
        let added = change(&place.app, pull.id, |pull| pull.labels.push(label.clone()));
        pull = added.ok_or_else(Problem::not_found)?;
        tell_label(&place, &pull, "labeled", &label).await?;
    }
    Ok(ok(Value::Array(labels(&place, &pull))))
}

async fn remove_label(
    place: Place,
    Path((_, _, number, name)): Path<(String, String, u64, String)>,
) -> Answer {
    may_label(&place)?;
    let pull = known(&place, number)?;
    let found = pull.labels.iter().find(|known| known.name.eq_ignore_ascii_case(&name)).cloned();
    let label =
        found.ok_or_else(|| Problem::new(axum::http::StatusCode::NOT_FOUND, "Label does not exist"))?;
    let changed = change(&place.app, pull.id, |pull| pull.labels.retain(|known| known.id != label.id));
    let changed = changed.ok_or_else(Problem::not_found)?;
    tell_label(&place, &changed, "unlabeled", &label).await?;
    Ok(ok(Value::Array(labels(&place, &changed))))
}

fn may_label(place: &Place) -> Result<(), Problem> {
    place.writes("issues").or_else(|_| place.writes("pull_requests"))
}

async fn tell_label(place: &Place, pull: &Pull, action: &str, label: &Label) -> Result<(), Problem> {
    let more = json!({ "label": label.json(&place.api_url()) });
    Ok(tell_more(&place.app, pull, action, &place.caller.account(&place.app), more).await?)
}

fn labels(place: &Place, pull: &Pull) -> Vec<Value> {
    pull.labels.iter().map(|label| label.json(&place.api_url())).collect()
}

fn known(place: &Place, number: u64) -> Result<Pull, Problem> {
    find(&place.app, &place.repository, number).ok_or_else(Problem::not_found)
}
