//! What people ask for: re-runs of checks, buttons under them, comments.

use super::{
    EventError, GithubEvent, NO_INSTALLATION, Wish, checked, given, ignored, login, of_action, payload,
};
use crate::command::{About, Checked, Command, checked_by, commands};
use crate::ids::{RepositoryName, RunId};

/// GitHub tells `rerequested` and `requested_action` to the App alone whose check it is; whatever names no run of this
/// repository is somebody else's all the same.
pub(super) fn check_run(payload: payload::CheckRun) -> Result<GithubEvent, EventError> {
    let event = of_action("check_run", Some(&payload.action));
    let is_button = match payload.action.as_str() {
        "rerequested" => false,
        "requested_action" => true,
        _ => return Ok(ignored(&event, "nobody asks for anything")),
    };
    let Some(installation) = payload.installation else {
        return Ok(ignored(&event, NO_INSTALLATION));
    };
    let repository: RepositoryName = checked("repository.full_name", &payload.repository.full_name)?;
    let run = payload.body.external_id.as_deref().and_then(|id| id.parse::<RunId>().ok());
    let Some(run) = run.filter(|run| run.repository == repository) else {
        return Ok(ignored(&event, "the check is none of Slipway's: its `external_id` names no run"));
    };
    let name = given("check_run.name", payload.body.name)?;
    let command = if is_button {
        let button = given("requested_action", payload.requested_action)?;
        pressed(&button.identifier, checked_by(&name))
    } else {
        checked_by(&name).map(again)
    };
    let Some(command) = command else {
        return Ok(ignored(&event, "of this check nothing is run again from GitHub"));
    };
    Ok(GithubEvent::Wish(Wish {
        repository,
        installation: installation.id,
        by: login("sender.login", &payload.sender.login)?,
        about: About::Run(run),
        comment: None,
        commands: vec![command],
    }))
}

/// GitHub's "Re-run" of one check.
fn again(check: Checked) -> Command {
    match check {
        Checked::Run => Command::Retest,
        Checked::Test(subject) => Command::Test(subject),
    }
}

/// A button under a check, by its identifier.
fn pressed(identifier: &str, check: Option<Checked>) -> Option<Command> {
    match (identifier, check) {
        ("retest", _) => Some(Command::Retest),
        ("test-all", _) => Some(Command::TestAll),
        ("cancel", _) => Some(Command::Cancel),
        ("test", Some(Checked::Test(subject))) => Some(Command::Test(subject)),
        _ => None,
    }
}

/// GitHub's "Re-run all checks".
pub(super) fn check_suite(payload: payload::CheckSuite) -> Result<GithubEvent, EventError> {
    let event = of_action("check_suite", Some(&payload.action));
    if payload.action != "rerequested" {
        return Ok(ignored(&event, "nobody asks for anything; the push is judged"));
    }
    let Some(installation) = payload.installation else {
        return Ok(ignored(&event, NO_INSTALLATION));
    };
    let sha = given("check_suite.head_sha", payload.body.head_sha)?;
    Ok(GithubEvent::Wish(Wish {
        repository: checked("repository.full_name", &payload.repository.full_name)?,
        installation: installation.id,
        by: login("sender.login", &payload.sender.login)?,
        about: About::Commit(checked("check_suite.head_sha", &sha)?),
        comment: None,
        commands: vec![Command::TestAll],
    }))
}

pub(super) fn issue_comment(payload: payload::IssueComment) -> Result<GithubEvent, EventError> {
    let event = of_action("issue_comment", Some(&payload.action));
    if payload.action != "created" {
        return Ok(ignored(&event, "only a new comment can ask for something"));
    }
    if payload.issue.pull_request.is_none() {
        return Ok(ignored(&event, "it is on an issue, not on a pull request"));
    }
    let Some(user) = payload.comment.user.filter(|user| user.kind.as_deref() == Some("User")) else {
        return Ok(ignored(&event, "it was not written by a person"));
    };
    let commands = commands(payload.comment.body.as_deref().unwrap_or_default());
    if commands.is_empty() {
        return Ok(ignored(&event, "it holds no command"));
    }
    let Some(installation) = payload.installation else {
        return Ok(ignored(&event, NO_INSTALLATION));
    };
    Ok(GithubEvent::Wish(Wish {
        repository: checked("repository.full_name", &payload.repository.full_name)?,
        installation: installation.id,
        by: login("comment.user.login", &user.login)?,
        about: About::Pull(payload.issue.number),
        comment: Some(payload.comment.id),
        commands,
    }))
}
