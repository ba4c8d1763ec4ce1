//! Pull requests.

use super::{
    Departure, EventError, GithubEvent, Line, NO_INSTALLATION, PullRequest, PullRequestAction, checked,
    commit, ignored, line, login, of_action, payload,
};
use crate::message::Base;

/// What an action means.
enum Meaning {
    Judge(PullRequestAction),
    Closed,
    Nothing(&'static str),
}

pub(super) fn pull_request(payload: payload::PullRequest) -> Result<GithubEvent, EventError> {
    let event = of_action("pull_request", Some(&payload.action));
    let meaning = match meaning(&payload) {
        Meaning::Nothing(reason) => return Ok(ignored(&event, reason)),
        meaning => meaning,
    };
    let Some(installation) = payload.installation.as_ref().map(|installation| installation.id) else {
        return Ok(ignored(&event, NO_INSTALLATION));
    };
    match meaning {
        Meaning::Judge(action) => judged(payload, action, installation).map(GithubEvent::PullRequest),
        _ => closed(&payload, &event, installation),
    }
}

fn meaning(payload: &payload::PullRequest) -> Meaning {
    let has_other_base = || payload.changes.as_ref().is_some_and(|changes| changes.base.is_some());
    match payload.action.as_str() {
        "opened" => Meaning::Judge(PullRequestAction::Opened),
        "synchronize" => Meaning::Judge(PullRequestAction::Synchronize),
        "reopened" => Meaning::Judge(PullRequestAction::Reopened),
        "ready_for_review" => Meaning::Judge(PullRequestAction::ReadyForReview),
        "converted_to_draft" => Meaning::Judge(PullRequestAction::ConvertedToDraft),
        "edited" if has_other_base() => Meaning::Judge(PullRequestAction::BaseChanged),
        "edited" => Meaning::Nothing("only words were edited; the commit is judged already"),
        "labeled" | "unlabeled" => Meaning::Nothing("labels decide nothing; the commit is judged already"),
        "closed" => Meaning::Closed,
        _ => Meaning::Nothing("this action brings no commit to judge"),
    }
}

fn judged(
    payload: payload::PullRequest,
    action: PullRequestAction,
    installation: u64,
) -> Result<PullRequest, EventError> {
    let pull_request = payload.body;
    Ok(PullRequest {
        action,
        repository: checked("repository.full_name", &payload.repository.full_name)?,
        installation,
        number: pull_request.number,
        head_sha: checked("pull_request.head.sha", &pull_request.head.sha)?,
        before: match (payload.before, action) {
            (Some(before), PullRequestAction::Synchronize) => commit("before", &before)?,
            _ => None,
        },
        // A repository whose name cannot be read is not the one served: a stranger's, as a deleted one.
        head_repository: pull_request
            .head
            .repository
            .and_then(|repository| repository.full_name.parse().ok()),
        head_branch: checked("pull_request.head.ref", &pull_request.head.reference)?,
        base: Base {
            branch: checked("pull_request.base.ref", &pull_request.base.reference)?,
            sha: checked("pull_request.base.sha", &pull_request.base.sha)?,
        },
        sender: login("sender.login", &payload.sender.login)?,
        draft: pull_request.draft,
        title: line(&pull_request.title),
    })
}

/// A stranger's commit is held by nothing but its pull request.
fn closed(payload: &payload::PullRequest, event: &str, installation: u64) -> Result<GithubEvent, EventError> {
    let repository = checked("repository.full_name", &payload.repository.full_name)?;
    let from = payload.body.head.repository.as_ref().map(|repository| &repository.full_name);
    if from == Some(&payload.repository.full_name) {
        return Ok(ignored(event, "its branch is there until it is deleted"));
    }
    let why = match payload.body.merged {
        Some(true) => "the pull request was merged",
        _ => "the pull request was closed",
    };
    let line = Line::Pull(payload.body.number);
    Ok(GithubEvent::Gone(Departure { repository, installation, line, why }))
}
