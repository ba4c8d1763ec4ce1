//! What a push means for the open pull requests.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::access::app_account;
use crate::pulls::{Pull, in_payload};
use crate::push::Change;
use crate::state::{App, Repository, account, now};
use crate::webhook;

/// Moves the heads of pull requests whose branch was pushed, and closes those whose branch went or was merged.
pub(crate) async fn after_push(
    app: &Arc<App>,
    repository: &Repository,
    changes: &[Change],
    login: &str,
) -> Result<()> {
    let open: Vec<Pull> = app.data().pulls.iter().filter(|pull| pull.open).cloned().collect();
    for pull in open {
        let touches = |id: u64, branch: &str| {
            changes.iter().find(move |change| repository.id == id && change.branch() == Some(branch))
        };
        if let Some(change) = touches(pull.head_repository, &pull.head_branch) {
            match &change.after {
                Some(head) => synchronize(app, &pull, head, login).await?,
                None => close(app, pull.id, false, login).await?,
            }
        } else if let Some(Change { after: Some(tip), .. }) = touches(pull.base_repository, &pull.base_branch)
            && repository.git.is_ancestor(&pull.head_sha, tip).await?
        {
            close(app, pull.id, true, login).await?;
        }
    }
    Ok(())
}

async fn synchronize(app: &Arc<App>, pull: &Pull, head: &str, login: &str) -> Result<()> {
    let base = bring_head(app, pull, head).await?;
    let base_sha = base.git.commit(&format!("refs/heads/{}", pull.base_branch)).await?;
    let moved = change(app, pull.id, |pull| {
        head.clone_into(&mut pull.head_sha);
        if let Some(base_sha) = base_sha {
            pull.base_sha = base_sha;
        }
    });
    let moved = moved.context("the pull request is known")?;
    let payload = json!({
        "action": "synchronize",
        "number": pull.number,
        "before": pull.head_sha,
        "after": head,
        "pull_request": in_payload(app, &moved).await?,
        "sender": account(app.base_url(), login, "User"),
    });
    webhook::send(app, &base, "pull_request", payload);
    Ok(())
}

/// Closes a pull request and tells so; `login` is empty when the App did it.
pub(crate) async fn close(app: &Arc<App>, id: u64, merged: bool, login: &str) -> Result<()> {
    let closed = change(app, id, |pull| {
        pull.open = false;
        pull.merged = merged;
        pull.closed_at = Some(now());
    });
    let closed = closed.context("the pull request is known")?;
    tell(app, &closed, "closed", login).await
}

/// Sends a `pull_request` event of one pull request.
pub(crate) async fn tell(app: &Arc<App>, pull: &Pull, action: &str, login: &str) -> Result<()> {
    let sender = if login.is_empty() { app_account(app) } else { account(app.base_url(), login, "User") };
    let base = app.data().repository_by_id(pull.base_repository).cloned().context("the base is known")?;
    let payload = json!({
        "action": action,
        "number": pull.number,
        "pull_request": in_payload(app, pull).await?,
        "sender": sender,
    });
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
