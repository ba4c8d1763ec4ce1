//! The App's routes: itself, its installations and their tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{Caller, Place};
use crate::answer::{Answer, Body, Listing, Problem, ok};
use crate::installations::Installed;
use crate::state::{App, Repository, account, now, random_hex};

const LIFE_OF_A_TOKEN: SignedDuration = SignedDuration::from_hours(1);

/// What a token given to an installation is good for.
#[derive(Clone, Debug)]
pub(crate) struct InstallationToken {
    pub(crate) installation: u64,
    /// The repositories it was narrowed to.
    pub(crate) repositories: Option<Vec<u64>>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) expires_at: Timestamp,
}

impl InstallationToken {
    pub(crate) fn covers(&self, app: &App, repository: &Repository) -> bool {
        app.installation_of(repository).is_some_and(|known| known.what.id == self.installation)
            && self.repositories.as_ref().is_none_or(|ids| ids.contains(&repository.id))
    }
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/app", get(show_app))
        .route("/app/installations", get(list_installations))
        .route("/app/installations/{id}", get(show_installation))
        .route("/app/installations/{id}/access_tokens", post(create_token))
        .route("/repos/{owner}/{repo}/installation", get(installation_of_repository))
        .route("/installation/repositories", get(list_repositories))
}

pub(crate) fn only_app(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::App => Ok(()),
        _ => Err(Problem::unauthorized("A JSON web token could not be decoded")),
    }
}

async fn show_app(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    only_app(&caller)?;
    Ok(ok(app_json(&app)))
}

/// The App as check runs and deployments name it.
pub(crate) fn app_json(app: &App) -> Value {
    let slug = &app.options.app_slug;
    json!({
        "id": app.options.app_id,
        "slug": slug,
        "name": slug,
        "html_url": format!("{}/apps/{slug}", app.base_url()),
        "events": app.options.events,
        "installations_count": standing(app).len(),
    })
}

async fn list_installations(State(app): State<Arc<App>>, caller: Caller, listing: Listing) -> Answer {
    only_app(&caller)?;
    Ok(listing.array(standing(&app).iter().map(|known| installation_json(&app, known)).collect()))
}

async fn show_installation(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<u64>) -> Answer {
    only_app(&caller)?;
    Ok(ok(installation_json(&app, &find(&app, id)?)))
}

async fn installation_of_repository(place: Place) -> Answer {
    only_app(&place.caller)?;
    let found = place.app.installation_of(&place.repository).ok_or_else(Problem::not_found)?;
    Ok(ok(installation_json(&place.app, &found)))
}

/// Those that nobody has removed.
fn standing(app: &App) -> Vec<Installed> {
    app.data().installations.iter().filter(|known| !known.is_deleted).cloned().collect()
}

fn find(app: &App, id: u64) -> Result<Installed, Problem> {
    standing(app).into_iter().find(|known| known.what.id == id).ok_or_else(Problem::not_found)
}

pub(crate) fn installation_json(app: &App, installed: &Installed) -> Value {
    let installation = &installed.what;
    let id = installation.id;
    json!({
        "id": id,
        "app_id": app.options.app_id,
        "app_slug": app.options.app_slug,
        "account": account(app.base_url(), &installation.account, "Organization"),
        "target_type": "Organization",
        "repository_selection": if installation.repositories.is_some() { "selected" } else { "all" },
        "permissions": installation.permissions,
        "events": app.options.events,
        "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", app.base_url()),
        "repositories_url": format!("{}/installation/repositories", app.base_url()),
        "suspended_at": installed.suspended_at,
    })
}

#[derive(Deserialize)]
struct Wanted {
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<u64>>,
    permissions: Option<BTreeMap<String, String>>,
}

async fn create_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(wanted): Body<Wanted>,
) -> Answer {
    only_app(&caller)?;
    let installed = find(&app, id)?;
    if installed.suspended_at.is_some() {
        return Err(Problem::suspended());
    }
    let (covered, installation) = (covered(&app, &installed), installed.what);
    let narrowed = (wanted.repositories.is_some() || wanted.repository_ids.is_some()).then(|| {
        let names = wanted.repositories.unwrap_or_default();
        let by_name =
            names.iter().map(|name| covered.iter().find(|known| known.name.eq_ignore_ascii_case(name)));
        let ids = wanted.repository_ids.unwrap_or_default();
        let by_id = ids.iter().map(|id| covered.iter().find(|known| known.id == *id));
        by_name.chain(by_id).map(|found| found.map(|known| known.id)).collect::<Option<Vec<u64>>>()
    });
    let repositories = match narrowed {
        None => None,
        Some(Some(ids)) => Some(ids),
        Some(None) => {
            return Err(Problem::unprocessable(
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            ));
        }
    };
    let permissions = wanted.permissions.unwrap_or_else(|| installation.permissions.clone());
    let granted = |(name, level): (&String, &String)| {
        installation.permissions.get(name).is_some_and(|held| held == level || level == "read")
    };
    if !permissions.iter().all(granted) {
        return Err(Problem::unprocessable(
            "The permissions requested are not granted to this installation.",
        ));
    }
    let token = format!("ghs_{}", random_hex(18));
    let expires_at = now() + LIFE_OF_A_TOKEN;
    let mut answer = json!({
        "token": token,
        "expires_at": expires_at,
        "permissions": permissions,
        "repository_selection": if repositories.is_some() { "selected" } else { "all" },
    });
    if let Some(ids) = &repositories {
        let chosen = covered.iter().filter(|known| ids.contains(&known.id));
        answer["repositories"] = chosen.map(|known| crate::repositories::json(&app, known)).collect();
    }
    let mut data = app.data();
    let moment = Timestamp::now();
    data.tokens.retain(|_, known| known.expires_at > moment);
    data.tokens.insert(token, InstallationToken { installation: id, repositories, permissions, expires_at });
    drop(data);
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

pub(crate) fn covered(app: &App, installed: &Installed) -> Vec<Repository> {
    app.data().repositories.iter().filter(|known| installed.covers(known)).cloned().collect()
}

async fn list_repositories(State(app): State<Arc<App>>, caller: Caller, listing: Listing) -> Answer {
    let Caller::Installation(token) = caller else { return Err(Problem::forbidden()) };
    let all = app.data().repositories.clone();
    let covered = all.iter().filter(|known| token.covers(&app, known));
    Ok(listing.counted("repositories", covered.map(|known| crate::repositories::json(&app, known)).collect()))
}
