//! What becomes of the App's installations, and what the App hears of that.
//!
//! These events reach every App, subscribed or not:
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation>

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{post, put};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::admin::only_people;
use crate::answer::{Answer, Body, Problem, ok};
use crate::installation_tokens::{covered, installation_json};
use crate::options::Installation;
use crate::state::{App, Data, Repository, node_id, now};
use crate::webhook;

/// One installation as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) what: Installation,
    pub(crate) suspended_at: Option<Timestamp>,
    pub(crate) is_deleted: bool,
}

impl Installed {
    pub(crate) fn new(what: Installation) -> Self {
        Self { what, suspended_at: None, is_deleted: false }
    }

    /// Whether it stands on a repository.
    pub(crate) fn covers(&self, repository: &Repository) -> bool {
        let named = |name: &String| name.eq_ignore_ascii_case(&repository.name);
        !self.is_deleted
            && self.what.account.eq_ignore_ascii_case(&repository.owner)
            && self.what.repositories.as_ref().is_none_or(|names| names.iter().any(named))
    }
}

/// Routes of the stand-in itself, by which people do what GitHub's pages let them do.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/_local/ping", post(ping))
        .route("/_local/installations/{id}/repositories", put(choose))
        .route("/_local/installations/{id}/{action}", post(act))
}

/// What GitHub sends when the webhook was set up.
async fn ping(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    only_people(&caller)?;
    let hook = webhook::HOOK_ID;
    let payload = json!({
        "zen": "Keep it logically awesome.",
        "hook_id": hook,
        "hook": {
            "type": "App",
            "id": hook,
            "name": "web",
            "active": true,
            "events": app.options.events,
            "config": { "content_type": "json", "insecure_ssl": "0", "url": app.data().target.url },
            "app_id": app.options.app_id,
        },
    });
    webhook::send_to_app(&app, None, "ping", &payload);
    Ok(ok(json!({})))
}

async fn act(State(app): State<Arc<App>>, caller: Caller, Path((id, action)): Path<(u64, String)>) -> Answer {
    only_people(&caller)?;
    let before = find(&mut app.data(), id)?.clone();
    let is_allowed = match action.as_str() {
        "created" => before.is_deleted,
        "deleted" => !before.is_deleted,
        "suspend" => !before.is_deleted && before.suspended_at.is_none(),
        "unsuspend" => !before.is_deleted && before.suspended_at.is_some(),
        _ => return Err(Problem::not_found()),
    };
    if !is_allowed {
        return Err(Problem::unprocessable(format!("The installation cannot be `{action}` now")));
    }
    let repositories = covered(&app, &Installed { is_deleted: false, ..before });
    let after = {
        let mut data = app.data();
        if action == "deleted" {
            data.tokens.retain(|_, token| token.installation != id);
        }
        let known = find(&mut data, id)?;
        match action.as_str() {
            "deleted" => known.is_deleted = true,
            "suspend" => known.suspended_at = Some(now()),
            "unsuspend" => known.suspended_at = None,
            _ => (known.is_deleted, known.suspended_at) = (false, None),
        }
        known.clone()
    };
    let payload = json!({
        "action": action,
        "installation": installation_json(&app, &after),
        "repositories": repositories.iter().map(short).collect::<Vec<_>>(),
        "requester": null,
        "sender": caller.account(&app),
    });
    webhook::send_to_app(&app, Some(id), "installation", &payload);
    Ok(ok(installation_json(&app, &after)))
}

#[derive(Deserialize)]
struct Choice {
    /// The names of the repositories; none for all of the account.
    repositories: Option<Vec<String>>,
}

/// Somebody chooses the repositories of an installation: one event for those that came, one for those that went.
///
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation_repositories>
async fn choose(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(choice): Body<Choice>,
) -> Answer {
    only_people(&caller)?;
    let before = find(&mut app.data(), id)?.clone();
    let mut after = before.clone();
    after.what.repositories = choice.repositories;
    let (had, has) = (covered(&app, &before), covered(&app, &after));
    find(&mut app.data(), id)?.what = after.what.clone();
    let only_in = |these: &[Repository], others: &[Repository]| -> Vec<Value> {
        let missing = |known: &&Repository| others.iter().all(|other| other.id != known.id);
        these.iter().filter(missing).map(short).collect()
    };
    for (action, added, removed) in
        [("added", only_in(&has, &had), Vec::new()), ("removed", Vec::new(), only_in(&had, &has))]
    {
        if added.is_empty() && removed.is_empty() {
            continue;
        }
        let installation = installation_json(&app, &after);
        let payload = json!({
            "action": action,
            "repository_selection": installation["repository_selection"],
            "installation": installation,
            "repositories_added": added,
            "repositories_removed": removed,
            "requester": null,
            "sender": caller.account(&app),
        });
        webhook::send_to_app(&app, Some(id), "installation_repositories", &payload);
    }
    Ok(ok(installation_json(&app, &after)))
}

fn find(data: &mut Data, id: u64) -> Result<&mut Installed, Problem> {
    data.installations.iter_mut().find(|known| known.what.id == id).ok_or_else(Problem::not_found)
}

/// The form in which these events name repositories.
fn short(repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name(),
        "private": repository.private,
    })
}
