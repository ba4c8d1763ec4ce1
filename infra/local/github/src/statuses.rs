//! Commit statuses, the older sibling of check runs.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, created};
use crate::state::{App, node_id, now};

const STATES: [&str; 4] = ["error", "failure", "pending", "success"];
const LONGEST_DESCRIPTION: usize = 140;

/// One status of one commit; the newest of a context counts.
#[derive(Clone, Debug)]
pub(crate) struct CommitStatus {
    id: u64,
    pub(crate) repository: u64,
    pub(crate) sha: String,
    pub(crate) state: String,
    pub(crate) context: String,
    pub(crate) description: Option<String>,
    target_url: Option<String>,
    author: Value,
    created_at: Timestamp,
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/repos/{owner}/{repo}/statuses/{sha}", post(create))
}

#[derive(Deserialize)]
struct Sent {
    state: String,
    context: Option<String>,
    description: Option<String>,
    target_url: Option<String>,
}

async fn create(
    place: Place,
    Path((_, _, sha)): Path<(String, String, String)>,
    Body(sent): Body<Sent>,
) -> Answer {
    place.writes("statuses")?;
    if !STATES.contains(&sent.state.as_str()) {
        return Err(Problem::field("Status", "state", "invalid"));
    }
    if sent.description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(Problem::custom(
            "Status",
            format!("description is too long (maximum is {LONGEST_DESCRIPTION} characters)"),
        ));
    }
    let sha = place.commit(&sha).await?;
    let status = {
        let mut data = place.app.data();
        let status = CommitStatus {
            id: data.next_id(),
            repository: place.repository.id,
            sha,
            state: sent.state,
            context: sent.context.unwrap_or_else(|| "default".to_owned()),
            description: sent.description,
            target_url: sent.target_url,
            author: place.caller.account(&place.app),
            created_at: now(),
        };
        data.statuses.push(status.clone());
        status
    };
    Ok(created(status.json(&place)))
}

/// `GET commits/{ref}/statuses`: all, newest first.
pub(crate) async fn list(place: &Place, reference: &str, listing: &Listing) -> Answer {
    let (_, found) = of_commit(place, reference).await?;
    Ok(listing.array(found.iter().map(|status| status.json(place)).collect()))
}

/// `GET commits/{ref}/status`: the newest of each context, and what they come to.
pub(crate) async fn combined(place: &Place, reference: &str, listing: &Listing) -> Answer {
    let (sha, mut found) = of_commit(place, reference).await?;
    let mut seen = std::collections::HashSet::new();
    found.retain(|status| seen.insert(status.context.clone()));
    let any = |states: &[&str]| found.iter().any(|status| states.contains(&status.state.as_str()));
    let state = if any(&["error", "failure"]) {
        "failure"
    } else if found.is_empty() || any(&["pending"]) {
        "pending"
    } else {
        "success"
    };
    let total = found.len();
    let (page, link) = listing.cut(found);
    let body = json!({
        "state": state,
        "sha": sha,
        "total_count": total,
        "statuses": page.iter().map(|status| status.json(place)).collect::<Vec<_>>(),
        "repository": crate::repositories::json(&place.app, &place.repository),
        "url": format!("{}/commits/{sha}/status", place.api_url()),
    });
    Ok(crate::answer::with_link(crate::answer::ok(body), link))
}

async fn of_commit(place: &Place, reference: &str) -> Result<(String, Vec<CommitStatus>), Problem> {
    place.reads("statuses")?;
    let sha = place.commit(reference).await?;
    let data = place.app.data();
    let newest_first = data.statuses.iter().rev();
    let found = newest_first.filter(|status| status.repository == place.repository.id && status.sha == sha);
    let found = found.cloned().collect();
    drop(data);
    Ok((sha, found))
}

impl CommitStatus {
    fn json(&self, place: &Place) -> Value {
        json!({
            "id": self.id,
            "node_id": node_id("Status", self.id),
            "url": format!("{}/statuses/{}", place.api_url(), self.sha),
            "state": self.state,
            "context": self.context,
            "description": self.description,
            "target_url": self.target_url,
            "creator": self.author,
            "created_at": self.created_at,
            "updated_at": self.created_at,
        })
    }
}
