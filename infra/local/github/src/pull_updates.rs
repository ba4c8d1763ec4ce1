//! What moves a pull request, and the `pull_request` events that tell of it.
//!
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request>

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::pulls::{Pull, in_payload};
use crate::push::Change;
use crate::state::{App, Repository, now};
use crate::webhook;

/// Moves the heads of pull requests whose branch was pushed, and closes those whose branch went or was merged.
pub(crate) async fn after_push(
    app: &Arc<App>,
    repository: &Repository,
    changes: &[Change],
    sender: &Value,
) -> Result<()> {
    let open: Vec<Pull> = app.data().pulls.iter().filter(|pull| pull.open).cloned().collect();
    for pull in open {
        let touches = |id: u64, branch: &str| {
            changes.iter().find(move |change| repository.id == id && change.branch() == Some(branch))
        };
        if let Some(change) = touches(pull.head_repository, &pull.head_branch) {
            match &change.after {
                Some(head) => synchronize(app, &pull, head, sender).await?,
                None => close(app, pull.id, None, sender).await?,
            }
        } else if let Some(change) = touches(pull.base_repository, &pull.base_branch) {
            match &change.after {
                Some(tip) if repository.git.is_ancestor(&pull.head_sha, tip).await? => {
                    close(app, pull.id, Some(tip), sender).await?;
                }
                Some(_) => {}
                None => close(app, pull.id, None, sender).await?,
            }
        }
    }
    Ok(())
}

async fn synchronize(app: &Arc<App>, pull: &Pull, head: &str, sender: &Value) -> Result<()> {
    let base = bring_head(app, pull, head).await?;
    let base_sha = base.git.commit(&format!("refs/heads/{}", pull.base_branch)).await?;
    let moved = change(app, pull.id, |pull| {
        head.clone_into(&mut pull.head_sha);
        if let Some(base_sha) = base_sha {
            pull.base_sha = base_sha;
        }
    });
    let moved = moved.context("the pull request is known")?;
    tell_more(app, &moved, "synchronize", sender, json!({ "before": pull.head_sha, "after": head })).await
}

/// Closes a pull request and tells so; `merged` is the commit that brought it into its base.
pub(crate) async fn close(app: &Arc<App>, id: u64, merged: Option<&str>, sender: &Value) -> Result<()> {
    let closed = change(app, id, |pull| {
        pull.open = false;
        pull.closed_at = Some(now());
        pull.merged = merged.is_some();
        pull.merge_commit_sha = merged.map(str::to_owned);
        pull.merged_by = merged.map(|_| sender.clone());
    });
    let closed = closed.context("the pull request is known")?;
    tell(app, &closed, "closed", sender).await
}

/// Sends a `pull_request` event of one pull request.
pub(crate) async fn tell(app: &Arc<App>, pull: &Pull, action: &str, sender: &Value) -> Result<()> {
    tell_more(app, pull, action, sender, json!({})).await
}

/// As [`tell`], with the fields that only this action has.
pub(crate) async fn tell_more(
    app: &Arc<App>,
    pull: &Pull,
    action: &str,
    sender: &Value,
    more: Value,
) -> Result<()> {
    let base = app.data().repository_by_id(pull.base_repository).cloned().context("the base is known")?;
    let mut payload = more;
    payload["action"] = json!(action);
    payload["number"] = json!(pull.number);
    payload["pull_request"] = in_payload(app, pull).await?;
    payload["sender"] = sender.clone();
    webhook::send(app, &base, "pull_request", payload);
    Ok(())
}

/// Changes one pull request and gives back what it became.
pub(crate) fn change(app: &App, id: u64, edit: impl FnOnce(&mut Pull)) -> Option<Pull> {
    let mut data = app.data();
    let pull = data.pulls.iter_mut().find(|pull| pull.id == id)?;
    edit(pull);
    pull.updated_at = now();
    Some(pull.clone())
}

/// Makes the head's commits readable in the base repository, as GitHub does under `refs/pull`.
pub(crate) async fn bring_head(app: &App, pull: &Pull, head: &str) -> Result<Repository> {
    let (base, source) = {
        let data = app.data();
        let base = data.repository_by_id(pull.base_repository).cloned().context("the base is known")?;
        (base, data.repository_by_id(pull.head_repository).cloned().context("the head is known")?)
    };
    let reference = format!("refs/pull/{}/head", pull.number);
    if base.id == source.id {
        base.git.set_ref(&reference, head).await?;
    } else {
        base.git
            .fetch(source.git.directory(), &format!("refs/heads/{}", pull.head_branch), &reference)
            .await?;
    }
    Ok(base)
}
