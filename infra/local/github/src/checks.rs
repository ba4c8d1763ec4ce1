//! Check runs: created and updated by the App, read by everybody, re-run by people.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, created, ok};
use crate::check_rules::{Action, Annotation, Sent};
use crate::state::{App, Repository, node_id, now, whole_seconds};
use crate::suites;
use crate::webhook;

/// One check run.
#[derive(Clone, Debug)]
pub(crate) struct CheckRun {
    pub(crate) id: u64,
    pub(crate) repository: u64,
    pub(crate) suite: u64,
    pub(crate) name: String,
    pub(crate) head_sha: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) details_url: Option<String>,
    external_id: String,
    pub(crate) started_at: Timestamp,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) actions: Vec<Action>,
    /// When it appeared, and when its last conclusion was written; finer than the API tells it.
    pub(crate) shown: (Timestamp, Option<Timestamp>),
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/check-runs", post(create))
        .route("/repos/{owner}/{repo}/check-runs/{id}", get(show).patch(update))
        .route("/repos/{owner}/{repo}/check-runs/{id}/annotations", get(annotations))
        .route("/repos/{owner}/{repo}/check-runs/{id}/rerequest", post(rerequest))
}

async fn create(place: Place, Body(sent): Body<Sent>) -> Answer {
    place.writes_as_app("checks")?;
    sent.check()?;
    let missing = |field| Problem::unprocessable(format!("Invalid request.\n\n\"{field}\" wasn't supplied."));
    let name = sent.name.clone().ok_or_else(|| missing("name"))?;
    let head_sha = sent.head_sha.clone().ok_or_else(|| missing("head_sha"))?;
    // A check hangs on a commit: branches and abbreviations are no names of one here.
    let known = if head_sha.len() == 40 { place.repository.git.commit(&head_sha).await? } else { None };
    let head_sha =
        known.ok_or_else(|| Problem::unprocessable(format!("No commit found for SHA: {head_sha}")))?;
    let run = {
        let mut data = place.app.data();
        let mut run = CheckRun {
            id: data.next_id(),
            repository: place.repository.id,
            suite: suites::open(&mut data, place.repository.id, &head_sha).id,
            name,
            head_sha,
            status: "queued".to_owned(),
            conclusion: None,
            details_url: None,
            external_id: String::new(),
            started_at: now(),
            completed_at: None,
            title: None,
            summary: None,
            text: None,
            annotations: Vec::new(),
            actions: Vec::new(),
            shown: (Timestamp::now(), None),
        };
        run.take(sent);
        data.checks.push(run.clone());
        run
    };
    tell(&place, &run, "created", None);
    follow(&place, &run, false).await?;
    Ok(created(run.json(&place.app, &place.repository)))
}

async fn update(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    Body(sent): Body<Sent>,
) -> Answer {
    place.writes_as_app("checks")?;
    sent.check()?;
    let (changed, was_completed) = {
        let mut data = place.app.data();
        let mut runs = data.checks.iter_mut();
        let run = runs.find(|run| run.id == id && run.repository == place.repository.id);
        let run = run.ok_or_else(Problem::not_found)?;
        let was_completed = run.status == "completed";
        run.take(sent);
        (run.clone(), was_completed)
    };
    follow(&place, &changed, was_completed).await?;
    Ok(ok(changed.json(&place.app, &place.repository)))
}

/// Tells when a run, and with it perhaps its suite, has just been completed.
async fn follow(place: &Place, run: &CheckRun, was_completed: bool) -> Result<(), Problem> {
    let completed = suites::sum_up(&mut place.app.data(), run.suite);
    if run.status == "completed" && !was_completed {
        tell(place, run, "completed", None);
    }
    if let Some(suite) = completed {
        let sender = place.caller.account(&place.app);
        suites::tell(&place.app, &place.repository, &suite, "completed", &sender).await?;
    }
    Ok(())
}

impl CheckRun {
    /// Takes over what was sent: annotations are added to those that stand, buttons replace them.
    fn take(&mut self, sent: Sent) {
        self.name = sent.name.unwrap_or(std::mem::take(&mut self.name));
        self.details_url = sent.details_url.or(self.details_url.take());
        self.external_id = sent.external_id.unwrap_or(std::mem::take(&mut self.external_id));
        self.started_at = sent.started_at.map_or(self.started_at, whole_seconds);
        if let Some(conclusion) = sent.conclusion {
            "completed".clone_into(&mut self.status);
            self.conclusion = Some(conclusion);
            self.shown.1 = Some(Timestamp::now());
            self.completed_at = Some(sent.completed_at.map_or_else(now, whole_seconds));
        } else if let Some(status) = sent.status {
            self.status = status;
            self.conclusion = None;
            self.completed_at = None;
        }
        if let Some(output) = sent.output {
            self.title = output.title;
            self.summary = output.summary;
            self.text = output.text.or(self.text.take());
            self.annotations.extend(output.annotations);
        }
        self.actions = sent.actions.unwrap_or(std::mem::take(&mut self.actions));
    }

    /// The buttons people see: GitHub shows them on completed runs only.
    pub(crate) fn buttons(&self) -> &[Action] {
        if self.status == "completed" { &self.actions } else { &[] }
    }

    pub(crate) fn json(&self, app: &App, repository: &Repository) -> Value {
        let id = self.id;
        let url = format!("{}/check-runs/{id}", app.api_url(repository));
        let html_url = format!("{}/#check-{id}", app.base_url());
        json!({
            "id": id,
            "node_id": node_id("CheckRun", id),
            "name": self.name,
            "head_sha": self.head_sha,
            "external_id": self.external_id,
            "url": url,
            "html_url": html_url,
            "details_url": self.details_url.as_ref().unwrap_or(&html_url),
            "status": self.status,
            "conclusion": self.conclusion,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "output": {
                "title": self.title,
                "summary": self.summary,
                "text": self.text,
                "annotations_count": self.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": { "id": self.suite },
            "app": crate::installation_tokens::app_json(app),
            "pull_requests": suites::pull_requests(app, repository, &self.head_sha),
        })
    }
}

fn find(place: &Place, id: u64) -> Result<CheckRun, Problem> {
    let data = place.app.data();
    let run = data.checks.iter().find(|run| run.id == id && run.repository == place.repository.id);
    run.cloned().ok_or_else(Problem::not_found)
}

async fn show(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.reads("checks")?;
    Ok(ok(find(&place, id)?.json(&place.app, &place.repository)))
}

async fn annotations(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    listing: Listing,
) -> Answer {
    place.reads("checks")?;
    let run = find(&place, id)?;
    let html_url = place.html_url();
    let entries = run.annotations.iter().map(|annotation| {
        let mut entry = json!(annotation);
        entry["blob_href"] = json!(format!("{html_url}/blob/{}/{}", run.head_sha, annotation.path));
        entry
    });
    Ok(listing.array(entries.collect()))
}

#[derive(Deserialize)]
struct Filter {
    check_name: Option<String>,
    status: Option<String>,
    #[serde(rename = "filter")]
    extent: Option<String>,
    app_id: Option<u64>,
}

/// `GET commits/{ref}/check-runs`.
pub(crate) async fn of_ref(place: &Place, reference: &str, query: &str, listing: &Listing) -> Answer {
    place.reads("checks")?;
    let uri = axum::http::Uri::builder().path_and_query(format!("/?{query}")).build();
    let filter = uri.ok().and_then(|uri| Query::<Filter>::try_from_uri(&uri).ok());
    let Query(filter) = filter.ok_or_else(|| Problem::unprocessable("Invalid request."))?;
    let sha = place.commit(reference).await?;
    let mut found: Vec<CheckRun> = {
        let data = place.app.data();
        let wanted = data.checks.iter().rev().filter(|run| {
            run.repository == place.repository.id
                && run.head_sha == sha
                && filter.check_name.as_ref().is_none_or(|name| *name == run.name)
                && filter.status.as_ref().is_none_or(|status| *status == run.status)
                && filter.app_id.is_none_or(|id| id == place.app.options.app_id)
        });
        wanted.cloned().collect()
    };
    if filter.extent.as_deref() != Some("all") {
        let mut seen = std::collections::HashSet::new();
        found.retain(|run| seen.insert(run.name.clone()));
    }
    let entries = found.iter().map(|run| run.json(&place.app, &place.repository));
    Ok(listing.counted("check_runs", entries.collect()))
}

/// <https://docs.github.com/en/rest/checks/runs#rerequest-a-check-run>: not with the tokens of people.
async fn rerequest(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.writes_as_app("checks")?;
    ask_again(&place, id)
}

/// Somebody asks to run a check again: the App is told and the suite is queued, the run stays as it is.
pub(crate) fn ask_again(place: &Place, id: u64) -> Answer {
    let run = find(place, id)?;
    if run.status != "completed" {
        return Err(Problem::unprocessable("This check run is not rerequestable"));
    }
    suites::reset(&mut place.app.data(), run.suite);
    tell(place, &run, "rerequested", None);
    Ok((StatusCode::CREATED, Json(json!({}))).into_response())
}

/// A person presses a button of a completed check run.
pub(crate) fn press(place: &Place, id: u64, identifier: &str) -> Result<(), Problem> {
    let run = find(place, id)?;
    let known = run.buttons().iter().any(|action| action.identifier == identifier);
    if !known {
        return Err(Problem::unprocessable("This check run shows no such button"));
    }
    tell(place, &run, "requested_action", Some(identifier));
    Ok(())
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run>
fn tell(place: &Place, run: &CheckRun, action: &str, identifier: Option<&str>) {
    let suite = place.app.data().suite_of(run.repository, &run.head_sha).cloned();
    let mut in_payload = run.json(&place.app, &place.repository);
    in_payload["check_suite"] = suite.map_or(Value::Null, |suite| suite.json(&place.app, &place.repository));
    let mut payload = json!({
        "action": action,
        "check_run": in_payload,
        "sender": place.caller.account(&place.app),
    });
    if let Some(identifier) = identifier {
        payload["requested_action"] = json!({ "identifier": identifier });
    }
    webhook::send(&place.app, &place.repository, "check_run", payload);
}
