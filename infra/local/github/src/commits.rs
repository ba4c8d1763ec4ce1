//! Commits, their comparison, and what hangs on them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Listing, Problem, ok, with_link};
use crate::git::is_path;
use crate::history;
use crate::patches;
use crate::pulls::in_network;
use crate::state::App;

/// GitHub shows at most this many files of one comparison.
const MOST_FILES: usize = 300;
/// A comparison that nobody asked pages of shows its newest commits, at most this many.
const MOST_COMMITS: usize = 250;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/commits", get(list))
        .route("/repos/{owner}/{repo}/commits/{*rest}", get(of_ref))
        .route("/repos/{owner}/{repo}/compare/{*range}", get(compare))
}

/// Branches have slashes in their names, so what follows the ref is found from the end.
async fn of_ref(
    place: Place,
    Path((_, _, rest)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    listing: Listing,
    request: Request,
) -> Answer {
    let query = query.unwrap_or_default();
    if let Some(reference) = rest.strip_suffix("/check-runs") {
        return crate::checks::of_ref(&place, reference, &query, &listing).await;
    }
    if let Some(reference) = rest.strip_suffix("/check-suites") {
        return crate::suites::of_ref(&place, reference, &listing).await;
    }
    if let Some(reference) = rest.strip_suffix("/pulls") {
        return crate::pulls::of_commit(&place, reference, &listing).await;
    }
    if let Some(reference) = rest.strip_suffix("/status") {
        return crate::statuses::combined(&place, reference, &listing).await;
    }
    if let Some(reference) = rest.strip_suffix("/statuses") {
        return crate::statuses::list(&place, reference, &listing).await;
    }
    show(&place, &rest, request.headers()).await
}

async fn show(place: &Place, reference: &str, headers: &HeaderMap) -> Answer {
    place.reads("contents")?;
    let sha = place.commit(reference).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/vnd.github.sha") {
        let content_type = [(header::CONTENT_TYPE, "application/vnd.github.sha; charset=utf-8")];
        return Ok((content_type, sha).into_response());
    }
    let (api_url, html_url) = (place.api_url(), place.html_url());
    let git = &place.repository.git;
    let commit = history::one(git, &sha).await?;
    let parent = commit.parents.first().map(String::as_str);
    let mut files = history::files(git, parent, &sha, (&api_url, &html_url)).await?;
    let sum = |name: &str| files.iter().filter_map(|file| file[name].as_u64()).sum::<u64>();
    let mut body = commit.in_rest(&api_url, &html_url);
    body["stats"] =
        json!({ "total": sum("changes"), "additions": sum("additions"), "deletions": sum("deletions") });
    files.truncate(MOST_FILES);
    patches::add(git, parent, &sha, &mut files).await?;
    body["files"] = Value::Array(files);
    Ok(ok(body))
}

#[derive(serde::Deserialize)]
struct Filter {
    sha: Option<String>,
    path: Option<String>,
}

async fn list(
    place: Place,
    axum::extract::Query(filter): axum::extract::Query<Filter>,
    listing: Listing,
) -> Answer {
    place.reads("contents")?;
    let git = &place.repository.git;
    let from = filter.sha.unwrap_or_else(|| place.repository.default_branch.clone());
    let sha = git.commit(&from).await?;
    let sha = sha.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "Git Repository is empty."))?;
    let mut arguments = vec![sha.as_str()];
    if let Some(path) =
        filter.path.as_deref().map(|path| path.trim_matches('/')).filter(|path| !path.is_empty())
    {
        if !is_path(path) {
            return Ok(listing.array(Vec::new()));
        }
        arguments.extend(["--", path]);
    }
    let (page, link) = listing.cut(history::log(git, &arguments).await?);
    let (api_url, html_url) = (place.api_url(), place.html_url());
    let body: Vec<Value> = page.iter().map(|commit| commit.in_rest(&api_url, &html_url)).collect();
    Ok(with_link(ok(Value::Array(body)), link))
}

/// <https://docs.github.com/en/rest/commits/commits#compare-two-commits>
async fn compare(
    place: Place,
    Path((_, _, range)): Path<(String, String, String)>,
    listing: Listing,
) -> Answer {
    place.reads("contents")?;
    let (base, head) = range.split_once("...").ok_or_else(Problem::not_found)?;
    let git = &place.repository.git;
    let base_sha = end_of_range(&place, base).await?;
    let head_sha = end_of_range(&place, head).await?;
    let merge_base = git.merge_base(&base_sha, &head_sha).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, format!("No common ancestor between {base} and {head}."))
    })?;
    let (behind, ahead) = git.distance(&base_sha, &head_sha).await?;
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let (api_url, html_url) = (place.api_url(), place.html_url());
    // Files stand on the first page only; the pages are those of the commits.
    let mut files = Vec::new();
    if listing.is_first() {
        files = history::files(git, Some(&merge_base), &head_sha, (&api_url, &html_url)).await?;
        files.truncate(MOST_FILES);
        patches::add(git, Some(&merge_base), &head_sha, &mut files).await?;
    }
    let mut commits = history::log(git, &[head_sha.as_str(), &format!("^{base_sha}")]).await?;
    commits.reverse();
    let (page, link) = if listing.is_asked() {
        listing.cut(commits)
    } else {
        (commits.split_off(commits.len().saturating_sub(MOST_COMMITS)), None)
    };
    let rest = |commit: &history::Commit| commit.in_rest(&api_url, &html_url);
    let base_commit = rest(&history::one(git, &base_sha).await?);
    let merge_base_commit = if merge_base == base_sha {
        base_commit.clone()
    } else {
        rest(&history::one(git, &merge_base).await?)
    };
    let body = json!({
        "url": format!("{api_url}/compare/{range}"),
        "html_url": format!("{html_url}/compare/{range}"),
        "base_commit": base_commit,
        "merge_base_commit": merge_base_commit,
        "status": status,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": page.iter().map(rest).collect::<Vec<_>>(),
        "files": files,
    });
    Ok(with_link(ok(body), link))
}

/// The commit at one end of a comparison: `ref`, or `owner:branch` in the network of forks.
async fn end_of_range(place: &Place, name: &str) -> Result<String, Problem> {
    let git = &place.repository.git;
    let Some((owner, branch)) = name.split_once(':') else {
        return git.commit(name).await?.ok_or_else(Problem::not_found);
    };
    let other = in_network(&place.app, &place.repository, owner).ok_or_else(Problem::not_found)?;
    let source = format!("refs/heads/{branch}");
    let sha = other.git.commit(&source).await?.ok_or_else(Problem::not_found)?;
    if other.id != place.repository.id {
        git.fetch(other.git.directory(), &source, &format!("refs/network/{owner}/{branch}")).await?;
    }
    Ok(sha)
}
