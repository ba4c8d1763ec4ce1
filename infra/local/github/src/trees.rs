//! Trees of git: <https://docs.github.com/en/rest/git/trees#get-a-tree>.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Place;
use crate::answer::{Answer, Problem, ok};
use crate::git::lossy;
use crate::state::App;

/// GitHub cuts a recursive listing after so many entries.
const MOST_ENTRIES: usize = 100_000;
/// And when it becomes larger than this.
const LARGEST_LISTING: usize = 7 * 1024 * 1024;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/repos/{owner}/{repo}/git/trees/{*name}", get(show))
}

#[derive(Deserialize)]
struct Depth {
    /// Any value at all means yes.
    recursive: Option<String>,
}

async fn show(
    place: Place,
    Path((_, _, name)): Path<(String, String, String)>,
    Query(depth): Query<Depth>,
) -> Answer {
    place.reads("contents")?;
    let git = &place.repository.git;
    let tree = git.tree(&name).await?.ok_or_else(Problem::not_found)?;
    let mut arguments = vec!["ls-tree", "-z", "--long", "--full-tree"];
    if depth.recursive.is_some() {
        arguments.extend(["-r", "-t"]);
    }
    arguments.push(&tree);
    let output = lossy(&git.bytes(&arguments).await?);
    let api_url = place.api_url();
    let (mut entries, mut size, mut truncated) = (Vec::new(), 0, false);
    for entry in output.split('\0').filter_map(|line| entry(line, &api_url)) {
        size += entry.to_string().len();
        truncated = entries.len() == MOST_ENTRIES || size > LARGEST_LISTING;
        if truncated {
            break;
        }
        entries.push(entry);
    }
    Ok(ok(json!({
        "sha": tree,
        "url": format!("{api_url}/git/trees/{tree}"),
        "tree": entries,
        "truncated": truncated,
    })))
}

/// `<mode> <type> <sha> <size>\t<path>`, where a folder's and a submodule's size is `-`.
fn entry(line: &str, api_url: &str) -> Option<Value> {
    let (about, path) = line.split_once('\t')?;
    let fields: Vec<&str> = about.split_whitespace().collect();
    let [mode, kind, sha, size] = fields.try_into().ok()?;
    let mut entry = json!({ "path": path, "mode": mode, "type": kind, "sha": sha });
    if let Ok(size) = size.parse::<u64>() {
        entry["size"] = json!(size);
    }
    if kind != "commit" {
        entry["url"] = json!(format!("{api_url}/git/{kind}s/{sha}"));
    }
    Some(entry)
}
