//! The `patch` of changed files, left out where GitHub leaves it out.

use anyhow::Result;
use serde_json::{Value, json};

use crate::git::{Git, lossy};

// <https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits>
const LARGEST_PATCH: usize = 500 * 1024;
const LARGEST_TOTAL: usize = 1024 * 1024;
const MOST_LINES: usize = 20_000;

/// Adds the patches to files that lie in the order of git's difference of the same two trees.
///
/// Binary files, mere renames and what is too large have none; nor has anything after the total is used up.
pub(crate) async fn add(git: &Git, base: Option<&str>, head: &str, files: &mut [Value]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let shape = ["diff-tree", "--no-commit-id", "-r", "-M", "-p", "--no-color", "--no-ext-diff"];
    let output = match base {
        Some(base) => git.bytes(&[&shape[..], &[base, head]].concat()).await?,
        None => git.bytes(&[&shape[..], &["--root", head]].concat()).await?,
    };
    let text = lossy(&output);
    // A line of a file's content never begins a section: it has a mark before it.
    let mut sections = text.strip_prefix("diff --git ").unwrap_or_default().split("\ndiff --git ");
    let (mut bytes, mut lines) = (0, 0);
    for file in files {
        let section = sections.next().unwrap_or_default();
        if file["status"] == "changed" {
            // Another kind of file is written as one that went and one that came.
            sections.next();
            continue;
        }
        let Some(start) = section.find("\n@@ ") else { continue };
        let patch = section[start + 1..].trim_end_matches('\n');
        let count = patch.lines().count();
        if patch.len() > LARGEST_PATCH || count > MOST_LINES {
            continue;
        }
        bytes += patch.len();
        lines += count;
        if bytes > LARGEST_TOTAL || lines > MOST_LINES {
            break;
        }
        file["patch"] = json!(patch);
    }
    Ok(())
}
