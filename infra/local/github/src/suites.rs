//! Check suites: what the check runs of one commit come to.
//!
//! <https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks>

use std::sync::Arc;

use anyhow::Result;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Listing, Problem, ok};
use crate::checks::CheckRun;
use crate::history;
use crate::push::Change;
use crate::state::{App, Data, Repository, node_id, now};
use crate::webhook;

/// GitHub reports the conclusion of the highest priority; its order is not published beyond an example, so this one
/// is ours: what is bad stands before what is good.
const PRIORITY: [&str; 7] =
    ["failure", "timed_out", "cancelled", "action_required", "success", "neutral", "skipped"];

/// The suite of one commit: one, as there is one App.
#[derive(Clone, Debug)]
pub(crate) struct CheckSuite {
    pub(crate) id: u64,
    repository: u64,
    head_sha: String,
    /// None for commits that came by no push to this repository, such as those of forks.
    head_branch: Option<String>,
    before: Option<String>,
    status: &'static str,
    conclusion: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/check-suites/{id}", get(show))
        .route("/repos/{owner}/{repo}/check-suites/{id}/check-runs", get(runs))
        .route("/repos/{owner}/{repo}/check-suites/{id}/rerequest", post(rerequest))
}

/// Opens the suites of pushed branches and asks the App to fill them.
pub(crate) async fn after_push(
    app: &Arc<App>,
    repository: &Repository,
    changes: &[Change],
    sender: &Value,
) -> Result<()> {
    for change in changes {
        let (Some(branch), Some(sha)) = (change.branch(), &change.after) else { continue };
        let (suite, is_new) = {
            let mut data = app.data();
            let is_new = data.suite_of(repository.id, sha).is_none();
            let suite = open(&mut data, repository.id, sha);
            if is_new {
                suite.head_branch = Some(branch.to_owned());
                suite.before.clone_from(&change.before);
            }
            (suite.clone(), is_new)
        };
        if is_new {
            tell(app, repository, &suite, "requested", sender).await?;
        }
    }
    Ok(())
}

/// The suite that a commit's check runs belong to; GitHub makes one where none is.
pub(crate) fn open<'a>(data: &'a mut Data, repository: u64, sha: &str) -> &'a mut CheckSuite {
    let position = data.suites.iter().position(|suite| suite.is_of(repository, sha));
    let position = position.unwrap_or_else(|| {
        let id = data.next_id();
        data.suites.push(CheckSuite {
            id,
            repository,
            head_sha: sha.to_owned(),
            head_branch: None,
            before: None,
            status: "queued",
            conclusion: None,
            created_at: now(),
            updated_at: now(),
        });
        data.suites.len() - 1
    });
    &mut data.suites[position]
}

/// Sums up the runs of a suite after one has changed; gives it back when it has just been completed.
pub(crate) fn sum_up(data: &mut Data, id: u64) -> Option<CheckSuite> {
    let latest = latest_runs(data, id);
    let status = if latest.iter().all(|run| run.status == "completed") {
        "completed"
    } else if latest.iter().any(|run| run.status != "queued") {
        "in_progress"
    } else {
        "queued"
    };
    let found = |wanted: &&&str| latest.iter().any(|run| run.conclusion.as_deref() == Some(**wanted));
    let conclusion = PRIORITY.iter().find(found).filter(|_| status == "completed");
    let conclusion = conclusion.map(|conclusion| (*conclusion).to_owned());
    let suite = data.suites.iter_mut().find(|suite| suite.id == id)?;
    let was_completed = suite.status == "completed";
    (suite.status, suite.conclusion, suite.updated_at) = (status, conclusion, now());
    (status == "completed" && !was_completed).then(|| suite.clone())
}

/// Whoever asks for a suite or one of its runs again has it queued; the runs stay as they are.
pub(crate) fn reset(data: &mut Data, id: u64) {
    if let Some(suite) = data.suites.iter_mut().find(|suite| suite.id == id) {
        (suite.status, suite.conclusion, suite.updated_at) = ("queued", None, now());
    }
}

/// The newest run of each name.
fn latest_runs(data: &Data, suite: u64) -> Vec<CheckRun> {
    let mut seen = std::collections::HashSet::new();
    let newest_first = data.checks.iter().rev().filter(|run| run.suite == suite);
    newest_first.filter(|run| seen.insert(run.name.as_str())).cloned().collect()
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite>
pub(crate) async fn tell(
    app: &Arc<App>,
    repository: &Repository,
    suite: &CheckSuite,
    action: &str,
    sender: &Value,
) -> Result<()> {
    if !webhook::is_heard(app, "check_suite") {
        return Ok(());
    }
    let commit = history::one(&repository.git, &suite.head_sha).await?;
    let mut in_payload = suite.json(app, repository);
    in_payload["head_commit"] = commit.in_suite();
    let payload = json!({ "action": action, "check_suite": in_payload, "sender": sender });
    webhook::send(app, repository, "check_suite", payload);
    Ok(())
}

impl Data {
    pub(crate) fn suite_of(&self, repository: u64, sha: &str) -> Option<&CheckSuite> {
        self.suites.iter().find(|suite| suite.is_of(repository, sha))
    }
}

impl CheckSuite {
    fn is_of(&self, repository: u64, sha: &str) -> bool {
        self.repository == repository && self.head_sha == sha
    }

    pub(crate) fn json(&self, app: &App, repository: &Repository) -> Value {
        let url = format!("{}/check-suites/{}", app.api_url(repository), self.id);
        let count = latest_runs(&app.data(), self.id).len();
        json!({
            "id": self.id,
            "node_id": node_id("CheckSuite", self.id),
            "head_branch": self.head_branch,
            "head_sha": self.head_sha,
            "status": self.status,
            "conclusion": self.conclusion,
            "url": url,
            "check_runs_url": format!("{url}/check-runs"),
            "before": self.before,
            "after": self.head_sha,
            "pull_requests": pull_requests(app, repository, &self.head_sha),
            "app": crate::installation_tokens::app_json(app),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "latest_check_runs_count": count,
        })
    }
}

/// Open pull requests inside the repository whose head is this commit; those of forks are not shown.
pub(crate) fn pull_requests(app: &App, repository: &Repository, sha: &str) -> Vec<Value> {
    let data = app.data();
    let mine = data.pulls.iter().filter(|pull| {
        pull.open
            && pull.head_sha == sha
            && (pull.base_repository, pull.head_repository) == (repository.id, repository.id)
    });
    let short = |pull: &crate::pulls::Pull| {
        json!({
            "id": pull.id,
            "number": pull.number,
            "head": { "ref": pull.head_branch, "sha": pull.head_sha },
            "base": { "ref": pull.base_branch, "sha": pull.base_sha },
        })
    };
    mine.map(short).collect()
}

/// `GET commits/{ref}/check-suites`.
pub(crate) async fn of_ref(place: &Place, reference: &str, listing: &Listing) -> Answer {
    place.reads("checks")?;
    let sha = place.commit(reference).await?;
    let found = place.app.data().suite_of(place.repository.id, &sha).cloned();
    let entries = found.iter().map(|suite| suite.json(&place.app, &place.repository));
    Ok(listing.counted("check_suites", entries.collect()))
}

fn find(place: &Place, id: u64) -> Result<CheckSuite, Problem> {
    let data = place.app.data();
    let suite = data.suites.iter().find(|suite| suite.id == id && suite.repository == place.repository.id);
    suite.cloned().ok_or_else(Problem::not_found)
}

async fn show(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.reads("checks")?;
    Ok(ok(find(&place, id)?.json(&place.app, &place.repository)))
}

async fn runs(place: Place, Path((_, _, id)): Path<(String, String, u64)>, listing: Listing) -> Answer {
    place.reads("checks")?;
    find(&place, id)?;
    let latest = latest_runs(&place.app.data(), id);
    let entries = latest.iter().map(|run| run.json(&place.app, &place.repository));
    Ok(listing.counted("check_runs", entries.collect()))
}

async fn rerequest(place: Place, Path((_, _, id)): Path<(String, String, u64)>) -> Answer {
    place.writes_as_app("checks")?;
    ask_again(&place, id).await
}

/// Somebody asks for the whole suite again.
pub(crate) async fn ask_again(place: &Place, id: u64) -> Answer {
    find(place, id)?;
    reset(&mut place.app.data(), id);
    let sender = place.caller.account(&place.app);
    tell(&place.app, &place.repository, &find(place, id)?, "rerequested", &sender).await?;
    Ok((StatusCode::CREATED, Json(json!({}))).into_response())
}
