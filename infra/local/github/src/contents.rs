//! Files and folders of a commit.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Problem, ok};
use crate::git::{is_path, lossy};
use crate::state::App;

/// Beyond this size GitHub gives a file's bytes only in raw form.
const LARGEST_INLINE: u64 = 1024 * 1024;
/// Beyond this size it does not give them at all here.
const LARGEST_FILE: u64 = 100 * 1024 * 1024;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/repos/{owner}/{repo}/contents", get(root))
        .route("/repos/{owner}/{repo}/contents/", get(root))
        .route("/repos/{owner}/{repo}/contents/{*path}", get(show))
}

#[derive(Deserialize)]
struct At {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

struct Entry {
    kind: &'static str,
    sha: String,
    size: u64,
    path: String,
}

async fn root(place: Place, query: Query<At>, headers: HeaderMap) -> Answer {
    answer(&place, query, &headers, "").await
}

async fn show(
    place: Place,
    Path((_, _, path)): Path<(String, String, String)>,
    query: Query<At>,
    headers: HeaderMap,
) -> Answer {
    answer(&place, query, &headers, path.trim_matches('/')).await
}

async fn answer(place: &Place, Query(at): Query<At>, headers: &HeaderMap, path: &str) -> Answer {
    place.reads("contents")?;
    let git = &place.repository.git;
    let reference = at.reference.unwrap_or_else(|| place.repository.default_branch.clone());
    let commit = git.commit(&reference).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, format!("No commit found for the ref {reference}"))
    })?;
    let wants_raw = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("raw"));
    let links = Links { place, reference: &reference, commit: &commit };
    if path.is_empty() {
        return Ok(ok(links.listing(&list(place, &commit, "").await?)));
    }
    if !is_path(path) {
        return Err(Problem::not_found());
    }
    let found = list(place, &commit, path).await?.into_iter().next().ok_or_else(Problem::not_found)?;
    if found.kind == "dir" {
        return Ok(ok(links.listing(&list(place, &commit, &format!("{path}/")).await?)));
    }
    if found.size > LARGEST_FILE {
        return Err(Problem::custom("Blob", "This API returns blobs up to 100 MB in size."));
    }
    if wants_raw && found.kind != "submodule" {
        let bytes = git.bytes(&["cat-file", "blob", &found.sha]).await?;
        return Ok(
            ([(header::CONTENT_TYPE, "application/vnd.github.raw; charset=utf-8")], bytes).into_response()
        );
    }
    let mut body = links.entry(&found);
    match found.kind {
        "file" if found.size <= LARGEST_INLINE => {
            body["encoding"] = json!("base64");
            body["content"] =
                json!(in_lines(&STANDARD.encode(git.bytes(&["cat-file", "blob", &found.sha]).await?)));
        }
        "file" => {
            body["encoding"] = json!("none");
            body["content"] = json!("");
        }
        "symlink" => body["target"] = json!(git.text(&["cat-file", "blob", &found.sha]).await?),
        _ => {}
    }
    Ok(ok(body))
}

/// The entries git lists for a path: a folder's own entry, or its content when the path ends in `/`.
async fn list(place: &Place, commit: &str, path: &str) -> Result<Vec<Entry>, Problem> {
    let mut arguments = vec!["ls-tree", "-z", "--long", "--full-tree", commit];
    if !path.is_empty() {
        arguments.extend(["--", path]);
    }
    let output = lossy(&place.repository.git.bytes(&arguments).await?);
    let entries = output.split('\0').filter_map(|line| {
        let (about, path) = line.split_once('\t')?;
        let mut fields = about.split_whitespace();
        let (mode, kind) = (fields.next()?, fields.next()?);
        let (sha, size) = (fields.next()?, fields.next()?);
        let kind = match (mode, kind) {
            ("120000", _) => "symlink",
            (_, "tree") => "dir",
            (_, "commit") => "submodule",
            _ => "file",
        };
        Some(Entry { kind, sha: sha.to_owned(), size: size.parse().unwrap_or(0), path: path.to_owned() })
    });
    Ok(entries.collect())
}

/// What every entry's addresses are made of.
struct Links<'a> {
    place: &'a Place,
    reference: &'a str,
    commit: &'a str,
}

impl Links<'_> {
    fn listing(&self, entries: &[Entry]) -> Value {
        entries.iter().map(|entry| self.entry(entry)).collect()
    }

    fn entry(&self, entry: &Entry) -> Value {
        let (api_url, html_url) = (self.place.api_url(), self.place.html_url());
        let path = &entry.path;
        let kind = if entry.kind == "dir" { "tree" } else { "blob" };
        json!({
            "type": entry.kind,
            "name": path.rsplit('/').next(),
            "path": path,
            "sha": entry.sha,
            "size": entry.size,
            "url": format!("{api_url}/contents/{path}?ref={}", self.reference),
            "git_url": format!("{api_url}/git/{kind}s/{}", entry.sha),
            "html_url": format!("{html_url}/{kind}/{}/{path}", self.commit),
        })
    }
}

/// GitHub breaks base64 after sixty characters, and so must its clients expect.
fn in_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for chunk in text.as_bytes().chunks(60) {
        lines.push_str(&lossy(chunk));
        lines.push('\n');
    }
    lines
}
