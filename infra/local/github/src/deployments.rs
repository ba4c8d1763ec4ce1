//! Deployments and their statuses.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Body, Listing, Problem, created, ok};
use crate::state::{App, Data, node_id, now};

const STATES: [&str; 7] = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
const LONGEST_DESCRIPTION: usize = 140;

/// One deployment of one commit to one environment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: u64,
    pub(crate) repository: u64,
    pub(crate) sha: String,
    reference: String,
    task: String,
    pub(crate) environment: String,
    description: Option<String>,
    payload: Value,
    transient: bool,
    production: bool,
    author: Value,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// In the order of creation.
    pub(crate) statuses: Vec<DeploymentStatus>,
}

/// One step in a deployment's life.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentStatus {
    id: u64,
    pub(crate) state: String,
    pub(crate) description: String,
    log_url: String,
    environment: String,
    environment_url: String,
    author: Value,
    created_at: Timestamp,
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/deployments", get(list).post(create))
        .route("/repos/{owner}/{repo}/deployments/{id}", get(show))
        .route("/repos/{owner}/{repo}/deployments/{id}/statuses", get(list_statuses).post(create_status))
        .route("/repos/{owner}/{repo}/deployments/{id}/statuses/{status}", get(show_status))
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "ref")]
    reference: String,
    task: Option<String>,
    environment: Option<String>,
    description: Option<String>,
    #[serde(default)]
    payload: Value,
    /// `None`: every status and check of the commit must be green.
    required_contexts: Option<Vec<String>>,
    #[serde(default)]
    transient_environment: bool,
    production_environment: Option<bool>,
}

async fn create(place: Place, Body(sent): Body<Sent>) -> Answer {
    place.writes("deployments")?;
    let found = place.repository.git.commit(&sent.reference).await?;
    let sha = found.ok_or_else(|| Problem::unprocessable(format!("No ref found for: {}", sent.reference)))?;
    let deployment = {
        let mut data = place.app.data();
        if !contexts_pass(&data, place.repository.id, &sha, sent.required_contexts.as_deref()) {
            let message = format!("Conflict: Commit status checks failed for {}.", sent.reference);
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let environment = sent.environment.unwrap_or_else(|| "production".to_owned());
        let deployment = Deployment {
            id: data.next_id(),
            repository: place.repository.id,
            sha,
            reference: sent.reference,
            task: sent.task.unwrap_or_else(|| "deploy".to_owned()),
            production: sent.production_environment.unwrap_or(environment == "production"),
            environment,
            description: sent.description,
            payload: if sent.payload.is_null() { json!({}) } else { sent.payload },
            transient: sent.transient_environment,
            author: place.caller.account(&place.app),
            created_at: now(),
            updated_at: now(),
            statuses: Vec::new(),
        };
        data.deployments.push(deployment.clone());
        deployment
    };
    Ok(created(deployment.json(&place)))
}

/// Whether the newest status or check run of each wanted context is green.
fn contexts_pass(data: &Data, repository: u64, sha: &str, wanted: Option<&[String]>) -> bool {
    let mut newest = std::collections::HashMap::new();
    for status in data.statuses.iter().filter(|known| known.repository == repository && known.sha == sha) {
        newest.insert(status.context.as_str(), status.state == "success");
    }
    for run in data.checks.iter().filter(|known| known.repository == repository && known.head_sha == sha) {
        let green = matches!(run.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
        newest.insert(run.name.as_str(), green);
    }
    match wanted {
        None => newest.values().all(|green| *green),
        Some(contexts) => contexts.iter().all(|context| newest.get(context.as_str()).copied() == Some(true)),
    }
}

#[derive(Deserialize)]
struct Filter {
    sha: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    task: Option<String>,
    environment: Option<String>,
}

async fn list(place: Place, Query(filter): Query<Filter>, listing: Listing) -> Answer {
    place.reads("deployments")?;
    let matches =
        |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    let found: Vec<Deployment> = {
        let data = place.app.data();
        let mine = data.deployments.iter().rev().filter(|known| known.repository == place.repository.id);
        let wanted = mine.filter(|known| {
            matches(&filter.sha, &known.sha)
                && matches(&filter.reference, &known.reference)
                && matches(&filter.task, &known.task)
                && matches(&filter.environment, &known.environment)
        });
        wanted.cloned().collect()
    };
    Ok(listing.array(found.iter().map(|deployment| deployment.json(&place)).collect()))
}

fn find(place: &Place, id: u64) -> Result<Deployment, Problem> {
    let data = place.app.data();
    let found =
        data.deployments.iter().find(|known| known.id == id && known.repository == place.repository.id);
    found.cloned().ok_or_else(Problem::not_found)
}

async fn show(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.reads("deployments")?;
    Ok(ok(find(&place, id)?.json(&place)))
}

#[derive(Deserialize)]
struct SentStatus {
    state: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "target_url")]
    log_url: String,
    environment: Option<String>,
    #[serde(default)]
    environment_url: String,
    auto_inactive: Option<bool>,
}

async fn create_status(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    Body(sent): Body<SentStatus>,
) -> Answer {
    place.writes("deployments")?;
    if !STATES.contains(&sent.state.as_str()) {
        return Err(Problem::field("DeploymentStatus", "state", "invalid"));
    }
    if sent.description.chars().count() > LONGEST_DESCRIPTION {
        let message = format!("description is too long (maximum is {LONGEST_DESCRIPTION} characters)");
        return Err(Problem::custom("DeploymentStatus", message));
    }
    let deployment = find(&place, id)?;
    let status = {
        let mut data = place.app.data();
        let status = DeploymentStatus {
            id: data.next_id(),
            state: sent.state,
            description: sent.description,
            log_url: sent.log_url,
            environment: sent.environment.unwrap_or_else(|| deployment.environment.clone()),
            environment_url: sent.environment_url,
            author: place.caller.account(&place.app),
            created_at: now(),
        };
        if status.state == "success" && sent.auto_inactive.unwrap_or(true) {
            retire(&mut data, &deployment, &status);
        }
        if let Some(known) = data.deployments.iter_mut().find(|known| known.id == id) {
            known.environment.clone_from(&status.environment);
            known.updated_at = status.created_at;
            known.statuses.push(status.clone());
        }
        status
    };
    Ok(created(status.json(&place, id)))
}

/// Success makes the earlier deployments of the environment inactive, unless they are of a kind that stays.
fn retire(data: &mut Data, newer: &Deployment, success: &DeploymentStatus) {
    let mut retired = Vec::new();
    for known in data.deployments.iter().filter(|known| known.id < newer.id) {
        let in_place = known.repository == newer.repository && known.environment == success.environment;
        let last = known.statuses.last().map(|status| status.state.as_str());
        if in_place && !known.transient && !known.production && last == Some("success") {
            retired.push(known.id);
        }
    }
    for id in retired {
        let status = DeploymentStatus {
            id: data.next_id(),
            state: "inactive".to_owned(),
            description: String::new(),
            ..success.clone()
        };
        if let Some(known) = data.deployments.iter_mut().find(|known| known.id == id) {
            known.statuses.push(status);
        }
    }
}

async fn list_statuses(
    place: Place,
    Path((_, _, id)): Path<(String, String, u64)>,
    listing: Listing,
) -> Answer {
    place.reads("deployments")?;
    let found = find(&place, id)?;
    Ok(listing.array(found.statuses.iter().rev().map(|status| status.json(&place, id)).collect()))
}

async fn show_status(place: Place, Path((_, _, id, status)): Path<(String, String, u64, u64)>) -> Answer {
    place.reads("deployments")?;
    let deployment = find(&place, id)?;
    let found = deployment.statuses.iter().find(|known| known.id == status).ok_or_else(Problem::not_found)?;
    Ok(ok(found.json(&place, id)))
}

impl Deployment {
    fn json(&self, place: &Place) -> Value {
        let url = format!("{}/deployments/{}", place.api_url(), self.id);
        json!({
            "id": self.id,
            "node_id": node_id("Deployment", self.id),
            "url": url,
            "sha": self.sha,
            "ref": self.reference,
            "task": self.task,
            "payload": self.payload,
            "original_environment": self.environment,
            "environment": self.environment,
            "description": self.description,
            "creator": self.author,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "statuses_url": format!("{url}/statuses"),
            "repository_url": place.api_url(),
            "transient_environment": self.transient,
            "production_environment": self.production,
        })
    }
}

impl DeploymentStatus {
    fn json(&self, place: &Place, deployment: u64) -> Value {
        let deployment_url = format!("{}/deployments/{deployment}", place.api_url());
        json!({
            "id": self.id,
            "node_id": node_id("DeploymentStatus", self.id),
            "url": format!("{deployment_url}/statuses/{}", self.id),
            "state": self.state,
            "description": self.description,
            "log_url": self.log_url,
            "target_url": self.log_url,
            "environment": self.environment,
            "environment_url": self.environment_url,
            "creator": self.author,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "deployment_url": deployment_url,
            "repository_url": place.api_url(),
        })
    }
}
