//! What a push did to the refs, told as GitHub's `push` events.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use crate::git::{NO_OBJECT, Refs};
use crate::history;
use crate::state::{App, Repository};
use crate::webhook;

/// GitHub tells of no tag when one push brings more than this.
const MOST_TAGS: usize = 3;
/// GitHub lists at most this many commits in one event.
const MOST_COMMITS: &str = "--max-count=2048";

/// One ref that a push created, moved or deleted.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) reference: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

impl Change {
    /// The branch's name, if it is a branch.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }
}

/// Sends the events of a push, and those of the pull requests that it touched.
pub(crate) async fn announce(
    app: &Arc<App>,
    repository: &Repository,
    before: &Refs,
    after: &Refs,
    sender: &Value,
) -> Result<()> {
    let changes = changes(before, after);
    let repository = &choose_default_branch(app, repository, after, &changes).await?;
    let tags = changes.iter().filter(|change| change.branch().is_none()).count();
    for change in &changes {
        if change.branch().is_some() || tags <= MOST_TAGS {
            let payload = payload(app, repository, change, before, sender).await?;
            webhook::send(app, repository, "push", payload);
        }
    }
    crate::suites::after_push(app, repository, &changes, sender).await?;
    crate::pull_updates::after_push(app, repository, &changes, sender).await
}

/// As on GitHub, the first branch of an empty repository becomes its default branch.
async fn choose_default_branch(
    app: &App,
    repository: &Repository,
    after: &Refs,
    changes: &[Change],
) -> Result<Repository> {
    let mut chosen = repository.clone();
    let has_default = after.contains_key(&format!("refs/heads/{}", repository.default_branch));
    let Some(branch) = changes.iter().find_map(Change::branch).filter(|_| !has_default) else {
        return Ok(chosen);
    };
    if after.contains_key(&format!("refs/heads/{branch}")) {
        repository.git.text(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).await?;
        branch.clone_into(&mut chosen.default_branch);
        if let Some(known) = app.data().repositories.iter_mut().find(|known| known.id == repository.id) {
            branch.clone_into(&mut known.default_branch);
        }
    }
    Ok(chosen)
}

fn changes(before: &Refs, after: &Refs) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let all = names.into_iter().map(|name| Change {
        reference: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    });
    all.filter(|change| change.before != change.after).collect()
}

async fn payload(
    app: &App,
    repository: &Repository,
    change: &Change,
    refs_before: &Refs,
    sender: &Value,
) -> Result<Value> {
    let git = &repository.git;
    let html_url = app.html_url(repository);
    let (old, new) = (change.before.as_deref(), change.after.as_deref());
    let head = match new {
        Some(_) => git.commit(&change.reference).await?,
        None => None,
    };
    let forced = match (old, new) {
        (Some(old), Some(new)) if change.branch().is_some() => !git.is_ancestor(old, new).await?,
        (Some(_), Some(_)) => true,
        _ => false,
    };
    let mut commits = match (change.branch(), old, &head) {
        (Some(_), Some(old), Some(head)) => {
            history::log(git, &[MOST_COMMITS, head.as_str(), &format!("^{old}")]).await?
        }
        // A new branch brings the commits that no ref had before.
        (Some(_), None, Some(head)) => {
            let known: Vec<String> = refs_before.values().map(|object| format!("^{object}")).collect();
            let known = known.iter().map(String::as_str);
            let arguments: Vec<&str> = [MOST_COMMITS, head.as_str()].into_iter().chain(known).collect();
            history::log(git, &arguments).await?
        }
        _ => Vec::new(),
    };
    commits.reverse();
    let head_commit = match (&head, commits.last()) {
        (Some(head), Some(last)) if last.sha == *head => last.in_push(&html_url),
        (Some(head), _) => history::one(git, head).await?.in_push(&html_url),
        (None, _) => Value::Null,
    };
    let same_tip = |(name, object): &(&String, &String)| {
        Some(object.as_str()) == head.as_deref() && name.starts_with("refs/heads/")
    };
    let base_ref = if old.is_none() { refs_before.iter().find(same_tip).map(|(name, _)| name) } else { None };
    let short = |sha: Option<&str>| sha.unwrap_or(NO_OBJECT)[..12].to_owned();
    let compare = match (old, new) {
        (None, Some(_)) => format!("{html_url}/compare/{}", change.branch().unwrap_or(&change.reference)),
        _ => format!("{html_url}/compare/{}...{}", short(old), short(new)),
    };
    let login = sender["login"].as_str().unwrap_or_default();
    Ok(json!({
        "ref": change.reference,
        "before": old.unwrap_or(NO_OBJECT),
        "after": new.unwrap_or(NO_OBJECT),
        "base_ref": base_ref,
        "created": old.is_none(),
        "deleted": new.is_none(),
        "forced": forced,
        "compare": compare,
        "commits": commits.iter().map(|commit| commit.in_push(&html_url)).collect::<Vec<_>>(),
        "head_commit": head_commit,
        "pusher": { "name": login, "email": format!("{login}@users.noreply.github.com") },
        "sender": sender,
    }))
}
