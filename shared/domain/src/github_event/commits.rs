//! Pushes of branches and tags, and a merge queue's groups.

use super::skip::skip;
use super::{
    BranchName, Departure, EventError, GithubEvent, Line, MergeGroup, NO_INSTALLATION, Push, checked, commit,
    given, ignored, line, login, of_action, payload,
};
use crate::message::Base;

/// Where GitHub makes the branches of merge queues.
const QUEUE: &str = "gh-readonly-queue/";
const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

pub(super) fn push(payload: payload::Push) -> Result<GithubEvent, EventError> {
    let reference = payload.reference.as_str();
    let (name, tag) = match (reference.strip_prefix(BRANCHES), reference.strip_prefix(TAGS)) {
        (Some(branch), _) => (branch, false),
        (_, Some(tag)) => (tag, true),
        _ => return Ok(ignored("push", format!("`{}` is neither a branch nor a tag", line(reference)))),
    };
    let branch: BranchName = checked("ref", name)?;
    let repository = checked("repository.full_name", &payload.repository.full_name)?;
    let Some(after) = commit("after", &payload.after)?.filter(|_| !payload.deleted) else {
        return deleted(&payload, branch, tag);
    };
    if payload.deleted {
        return Err(after_and_deleted());
    }
    if !tag && name.starts_with(QUEUE) {
        return Ok(ignored("push", "a merge queue's branch is judged by its `merge_group` event"));
    }
    let Some(installation) = payload.installation else {
        return Ok(ignored("push", NO_INSTALLATION));
    };
    let after = match (&payload.head_commit, tag) {
        // `after` of an annotated tag is the tag's own object; what it names is the commit beside it.
        (Some(head), true) => checked("head_commit.id", &head.id)?,
        (None, true) => return Ok(ignored("push", format!("the tag `{branch}` names no commit"))),
        (_, false) => after,
    };
    Ok(GithubEvent::Push(Push {
        repository,
        installation: installation.id,
        branch,
        tag,
        before: commit("before", &payload.before)?.filter(|_| !tag),
        after,
        forced: payload.forced,
        skip: payload.head_commit.as_ref().and_then(|commit| skip(&commit.message)),
        sender: login("sender.login", &payload.sender.login)?,
        title: payload.head_commit.map(|commit| line(&commit.message)).unwrap_or_default(),
    }))
}

fn deleted(payload: &payload::Push, name: BranchName, tag: bool) -> Result<GithubEvent, EventError> {
    if !payload.deleted || commit("after", &payload.after)?.is_some() {
        return Err(after_and_deleted());
    }
    if !tag && name.as_str().starts_with(QUEUE) {
        return Ok(ignored("push", "a merge queue's end is told by its `merge_group` event"));
    }
    let Some(installation) = &payload.installation else {
        return Ok(ignored("push", NO_INSTALLATION));
    };
    let (line, why) = if tag {
        (Line::Tag(name), "the tag was deleted")
    } else {
        (Line::Branch(name), "the branch was deleted")
    };
    Ok(GithubEvent::Gone(Departure {
        repository: checked("repository.full_name", &payload.repository.full_name)?,
        installation: installation.id,
        line,
        why,
    }))
}

fn after_and_deleted() -> EventError {
    EventError::field("after", "it must be zeros exactly when `deleted` is true")
}

pub(super) fn merge_group(payload: payload::MergeGroup) -> Result<GithubEvent, EventError> {
    let is_new = match payload.action.as_str() {
        "checks_requested" => true,
        "destroyed" => false,
        other => {
            let event = of_action("merge_group", Some(other));
            return Ok(ignored(&event, "this action brings no commit to judge"));
        }
    };
    let Some(installation) = payload.installation else {
        return Ok(ignored("merge_group", NO_INSTALLATION));
    };
    let group = payload.body;
    let name = |field, reference: &str| -> Result<BranchName, EventError> {
        checked(field, reference.strip_prefix(BRANCHES).unwrap_or(reference))
    };
    let branch = name("merge_group.head_ref", &group.head_ref)?;
    let repository = checked("repository.full_name", &payload.repository.full_name)?;
    if !is_new {
        let why = match payload.reason.as_deref() {
            Some("merged") => "the merge queue has merged it",
            Some("invalidated") => "the merge queue has dropped it: what it stands on has changed",
            Some("dequeued") => "it was taken out of the merge queue",
            _ => "the merge queue has dropped it",
        };
        let line = Line::Branch(branch);
        return Ok(GithubEvent::Gone(Departure { repository, installation: installation.id, line, why }));
    }
    let sender = given("sender", payload.sender)?;
    Ok(GithubEvent::MergeGroup(MergeGroup {
        repository,
        installation: installation.id,
        branch,
        sha: checked("merge_group.head_sha", &group.head_sha)?,
        base: Base {
            branch: name("merge_group.base_ref", &group.base_ref)?,
            sha: checked("merge_group.base_sha", &group.base_sha)?,
        },
        sender: login("sender.login", &sender.login)?,
        title: group.head_commit.map(|commit| line(&commit.message)).unwrap_or_default(),
    }))
}
