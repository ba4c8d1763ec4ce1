//! Routes of the stand-in itself, under `/_local`: for the launcher, the demo and tests.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{Caller, Place};
use crate::answer::{Answer, Body, Problem, created, ok};
use crate::faults::{Outage, Secondary};
use crate::options::NewRepository;
use crate::state::App;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/_local/health", get(async || "ok\n"))
        .route("/_local/state", get(state))
        .route("/_local/repositories", post(create_repository))
        .route("/_local/webhook", put(set_webhook))
        .route("/_local/rate-limit", put(set_rate_limit))
        .route("/_local/secondary-limit", put(limit_writes))
        .route("/_local/outage", put(break_down))
        .route("/_local/deliveries/{id}/attempts", post(redeliver))
        .route(
            "/_local/repos/{owner}/{repo}/collaborators/{user}",
            put(set_collaborator).delete(remove_collaborator),
        )
        .route("/_local/repos/{owner}/{repo}/pulls/{number}/draft", put(set_draft))
        .route("/_local/repos/{owner}/{repo}/merge-queue/{number}", put(enqueue).delete(leave_queue))
        .route("/_local/repos/{owner}/{repo}/check-runs/{id}/rerequest", post(run_again))
        .route("/_local/repos/{owner}/{repo}/check-suites/{id}/rerequest", post(run_all_again))
        .route("/_local/repos/{owner}/{repo}/check-runs/{id}/buttons/{identifier}", post(press))
}

/// What changes something asks for the push token, so that no page in a browser can do it.
pub(crate) fn only_people(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::Person(_) => Ok(()),
        _ => Err(Problem::unauthorized("This route needs the push token")),
    }
}

async fn create_repository(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(wanted): Body<NewRepository>,
) -> Answer {
    only_people(&caller)?;
    let result = app.create_repository(wanted).await;
    let repository = result.map_err(|error| Problem::unprocessable(format!("{error:#}")))?;
    Ok(created(crate::repositories::json(&app, &repository)))
}

#[derive(Deserialize)]
struct Webhook {
    url: Option<String>,
    secret: Option<String>,
}

async fn set_webhook(State(app): State<Arc<App>>, caller: Caller, Body(sent): Body<Webhook>) -> Answer {
    only_people(&caller)?;
    let target = &mut app.data().target;
    target.url = sent.url;
    target.secret = sent.secret.unwrap_or(std::mem::take(&mut target.secret));
    Ok(ok(json!({ "url": target.url })))
}

#[derive(Deserialize)]
struct RateLimit {
    limit: u32,
}

async fn set_rate_limit(State(app): State<Arc<App>>, caller: Caller, Body(sent): Body<RateLimit>) -> Answer {
    only_people(&caller)?;
    app.data().rate_limit = sent.limit;
    Ok(ok(json!({ "limit": sent.limit })))
}

async fn limit_writes(State(app): State<Arc<App>>, caller: Caller, Body(limit): Body<Secondary>) -> Answer {
    only_people(&caller)?;
    app.data().faults.limit_writes(limit)?;
    Ok(ok(json!({})))
}

async fn break_down(State(app): State<Arc<App>>, caller: Caller, Body(outage): Body<Outage>) -> Answer {
    only_people(&caller)?;
    app.data().faults.break_down(outage)?;
    Ok(ok(json!({})))
}

async fn redeliver(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<u64>) -> Answer {
    only_people(&caller)?;
    if !crate::webhook::redeliver(&app, id) {
        return Err(Problem::not_found());
    }
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))).into_response())
}

#[derive(Deserialize)]
struct Role {
    /// `admin`, `maintain`, `write`, `triage` or `read`.
    role: String,
}

async fn set_collaborator(
    place: Place,
    Path((_, _, user)): Path<(String, String, String)>,
    Body(sent): Body<Role>,
) -> Answer {
    only_people(&place.caller)?;
    if !["admin", "maintain", "write", "triage", "read"].contains(&sent.role.as_str()) {
        return Err(Problem::unprocessable("There is no such role"));
    }
    change_collaborators(&place, &user, Some(sent.role));
    Ok(ok(json!({})))
}

async fn remove_collaborator(place: Place, Path((_, _, user)): Path<(String, String, String)>) -> Answer {
    only_people(&place.caller)?;
    change_collaborators(&place, &user, None);
    Ok(ok(json!({})))
}

fn change_collaborators(place: &Place, user: &str, role: Option<String>) {
    let mut data = place.app.data();
    if let Some(known) = data.repositories.iter_mut().find(|known| known.id == place.repository.id) {
        known.collaborators.retain(|login, _| !login.eq_ignore_ascii_case(user));
        known.collaborators.extend(role.map(|role| (user.to_owned(), role)));
    }
}

#[derive(Deserialize)]
struct Draft {
    draft: bool,
}

async fn set_draft(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    Body(sent): Body<Draft>,
) -> Answer {
    only_people(&place.caller)?;
    crate::pull_actions::set_draft(&place, number, sent.draft).await
}

async fn enqueue(place: Place, Path((_, _, number)): Path<(String, String, u64)>) -> Answer {
    only_people(&place.caller)?;
    crate::merges::enqueue(&place, number).await
}

#[derive(Deserialize)]
struct Leaving {
    reason: crate::merges::Reason,
}

async fn leave_queue(
    place: Place,
    Path((_, _, number)): Path<(String, String, u64)>,
    Body(sent): Body<Leaving>,
) -> Answer {
    only_people(&place.caller)?;
    crate::merges::leave_queue(&place, number, sent.reason).await
}

/// The "Re-run" of one check.
async fn run_again(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    only_people(&place.caller)?;
    crate::checks::ask_again(&place, id)
}

/// The "Re-run all checks" of a commit.
async fn run_all_again(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    only_people(&place.caller)?;
    crate::suites::ask_again(&place, id).await
}

async fn press(place: Place, Path((_, _, id, identifier)): Path<(String, String, u64, String)>) -> Answer {
    only_people(&place.caller)?;
    crate::checks::press(&place, id, &identifier)?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))).into_response())
}

async fn state(State(app): State<Arc<App>>) -> Answer {
    Ok(ok(snapshot(&app)))
}

/// Everything that is remembered, without secrets.
pub(crate) fn snapshot(app: &App) -> Value {
    let repositories = app.data().repositories.clone();
    let one = |repository: &crate::state::Repository| {
        // Rendering takes the lock itself, so the lists are copied out first.
        let (checks, comments) = {
            let data = app.data();
            let checks: Vec<_> =
                data.checks.iter().filter(|known| known.repository == repository.id).cloned().collect();
            let comments: Vec<_> =
                data.comments.iter().filter(|known| known.repository == repository.id).cloned().collect();
            (checks, comments)
        };
        let mut body = crate::repositories::json(app, repository);
        body["check_runs"] = checks
            .iter()
            .map(|run| {
                let mut entry = run.json(app, repository);
                entry["output"]["annotations"] = json!(run.annotations);
                entry["actions"] = json!(run.actions);
                entry
            })
            .collect();
        body["comments"] = comments.iter().map(|comment| comment.json(app, repository)).collect();
        let data = app.data();
        let pulls = data.pulls.iter().filter(|known| known.base_repository == repository.id);
        body["pulls"] = pulls
            .map(|pull| {
                json!({
                    "number": pull.number,
                    "title": pull.title,
                    "open": pull.open,
                    "merged": pull.merged,
                    "draft": pull.draft,
                    "labels": pull.labels.iter().map(|label| label.name.as_str()).collect::<Vec<_>>(),
                    "head": { "repository": pull.head_repository, "branch": pull.head_branch, "sha": pull.head_sha },
                    "base": { "branch": pull.base_branch, "sha": pull.base_sha },
                })
            })
            .collect();
        let deployments = data.deployments.iter().filter(|known| known.repository == repository.id);
        body["deployments"] = deployments
            .map(|deployment| {
                let states = deployment.statuses.iter().map(|status| status.state.as_str());
                json!({
                    "id": deployment.id,
                    "sha": deployment.sha,
                    "environment": deployment.environment,
                    "states": states.collect::<Vec<_>>(),
                })
            })
            .collect();
        body
    };
    let repositories: Vec<Value> = repositories.iter().map(one).collect();
    let data = app.data();
    json!({
        "webhook_url": data.target.url,
        "repositories": repositories,
        "deliveries": data.deliveries.iter().map(crate::webhook::Delivery::summary).collect::<Vec<_>>(),
    })
}
