//! A repository itself: its description, branches, refs, collaborators and its zip.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use crate::access::Place;
use crate::answer::{Answer, Listing, Problem, ok};
use crate::git::Object;
use crate::history;
use crate::state::{App, Repository, account, node_id};

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}", get(show))
        .route("/repos/{owner}/{repo}/branches", get(list_branches))
        .route("/repos/{owner}/{repo}/branches/{*branch}", get(show_branch))
        .route("/repos/{owner}/{repo}/git/ref/{*name}", get(show_ref))
        .route("/repos/{owner}/{repo}/collaborators/{user}/permission", get(permission))
        .route("/repos/{owner}/{repo}/zipball", get(zip_of_default_branch))
        .route("/repos/{owner}/{repo}/zipball/{*name}", get(zip_of_ref))
}

/// What the download host answers; its routes carry no `ETag`.
pub(crate) fn downloads() -> Router<Arc<App>> {
    Router::new().route("/codeload/{owner}/{repo}/legacy.zip/{*name}", get(download))
}

/// The REST form of a repository.
pub(crate) fn json(app: &App, repository: &Repository) -> Value {
    let (api_url, html_url) = (app.api_url(repository), app.html_url(repository));
    json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name(),
        "private": repository.private,
        "visibility": if repository.private { "private" } else { "public" },
        "owner": account(app.base_url(), &repository.owner, "Organization"),
        "fork": repository.fork_of.is_some(),
        "default_branch": repository.default_branch,
        "created_at": repository.created_at,
        "archived": false,
        "disabled": false,
        "url": api_url,
        "html_url": html_url,
        "clone_url": format!("{html_url}.git"),
        "archive_url": format!("{api_url}/{{archive_format}}{{/ref}}"),
        "commits_url": format!("{api_url}/commits{{/sha}}"),
        "compare_url": format!("{api_url}/compare/{{base}}...{{head}}"),
        "contents_url": format!("{api_url}/contents/{{+path}}"),
    })
}

/// The form in webhooks, which adds the older fields of push events.
pub(crate) fn in_payload(app: &App, repository: &Repository) -> Value {
    let mut payload = json(app, repository);
    payload["owner"]["name"] = json!(repository.owner);
    payload["master_branch"] = json!(repository.default_branch);
    payload
}

async fn show(place: Place) -> Answer {
    place.reads("metadata")?;
    let mut body = json(&place.app, &place.repository);
    let parent = place.repository.fork_of.and_then(|id| place.app.data().repository_by_id(id).cloned());
    if let Some(parent) = parent {
        body["parent"] = json(&place.app, &parent);
    }
    Ok(ok(body))
}

async fn list_branches(place: Place, listing: Listing) -> Answer {
    place.reads("contents")?;
    let refs = place.repository.git.refs().await?;
    let branches = refs.iter().filter_map(|(name, sha)| Some((name.strip_prefix("refs/heads/")?, sha)));
    let api_url = place.api_url();
    let entry = |(name, sha): (&str, &String)| json!({ "name": name, "commit": { "sha": sha, "url": format!("{api_url}/commits/{sha}") }, "protected": false });
    Ok(listing.array(branches.map(entry).collect()))
}

async fn show_branch(place: Place, Path((_, _, branch)): Path<(String, String, String)>) -> Answer {
    place.reads("contents")?;
    let found = place.repository.git.commit(&format!("refs/heads/{branch}")).await?;
    let sha = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Branch not found"))?;
    let commit = history::one(&place.repository.git, &sha).await?;
    Ok(ok(json!({
        "name": branch,
        "commit": commit.in_rest(&place.api_url(), &place.html_url()),
        "protected": false,
    })))
}

async fn show_ref(place: Place, Path((_, _, name)): Path<(String, String, String)>) -> Answer {
    place.reads("contents")?;
    let reference = format!("refs/{name}");
    let Object { sha, kind } =
        place.repository.git.object(&reference).await?.ok_or_else(Problem::not_found)?;
    let api_url = place.api_url();
    Ok(ok(json!({
        "ref": reference,
        "node_id": node_id("Ref", format!("{}:{reference}", place.repository.id)),
        "url": format!("{api_url}/git/{reference}"),
        "object": { "type": kind, "sha": sha, "url": format!("{api_url}/git/{kind}s/{sha}") },
    })))
}

/// <https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user>
async fn permission(place: Place, Path((_, _, user)): Path<(String, String, String)>) -> Answer {
    place.reads("metadata")?;
    let role = place.repository.role(&user);
    // The older field knows four levels only.
    let permission = match role {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let levels = ["none", "read", "triage", "write", "maintain", "admin"];
    let height = |role: &str| levels.iter().position(|level| *level == role).unwrap_or_default();
    let reaches = |level: &str| height(role) >= height(level);
    let mut account = account(place.app.base_url(), &user, "User");
    account["role_name"] = json!(role);
    account["permissions"] = json!({
        "pull": reaches("read"),
        "triage": reaches("triage"),
        "push": reaches("write"),
        "maintain": reaches("maintain"),
        "admin": reaches("admin"),
    });
    Ok(ok(json!({ "permission": permission, "role_name": role, "user": account })))
}

async fn zip_of_default_branch(place: Place) -> Answer {
    let branch = place.repository.default_branch.clone();
    redirect(&place, &branch).await
}

async fn zip_of_ref(place: Place, Path((_, _, name)): Path<(String, String, String)>) -> Answer {
    redirect(&place, &name).await
}

/// Sends the client to the download host, with a name that does not move any more.
async fn redirect(place: &Place, name: &str) -> Answer {
    place.reads("contents")?;
    let sha = place.repository.git.commit(name).await?.ok_or_else(Problem::not_found)?;
    let full_name = place.repository.full_name();
    let base_url = place.app.base_url();
    let mut location = format!("{base_url}/codeload/{full_name}/legacy.zip/{sha}");
    if place.repository.private {
        // As on GitHub, the address itself opens the download for a while: the header does not follow.
        location = format!("{location}?token={}", place.app.download_pass(&place.repository, &sha));
    }
    Ok((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}

async fn download(
    axum::extract::State(app): axum::extract::State<Arc<App>>,
    Path((owner, name, sha)): Path<(String, String, String)>,
    uri: axum::http::Uri,
) -> Answer {
    let repository = app.data().repository(&owner, &name).cloned().ok_or_else(Problem::not_found)?;
    let pass = format!("token={}", app.download_pass(&repository, &sha));
    if repository.private && uri.query() != Some(pass.as_str()) {
        return Err(Problem::not_found());
    }
    let sha = repository.git.commit(&sha).await?.ok_or_else(Problem::not_found)?;
    let folder = format!("{}-{}-{}", repository.owner, repository.name, &sha[..7]);
    let mut command = repository.git.command();
    command.args(["archive", "--format=zip", &format!("--prefix={folder}/"), &sha]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("start git archive")?;
    let output = child.stdout.take().context("git has an output")?;
    tokio::spawn(async move { child.wait().await });
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename={folder}.zip")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(output))).into_response())
}
