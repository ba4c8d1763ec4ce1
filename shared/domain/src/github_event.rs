//! What GitHub's webhook posts, parsed into one closed enum; nothing behind it sees the raw JSON.

use std::str::FromStr;

use serde::Deserialize;

use crate::ids::{BranchName, InvalidName, RepositoryName, Sha};
use crate::text;

/// One webhook event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GithubEvent {
    /// Commits arrived on a branch.
    Push(Push),
    /// A pull request offers commits.
    PullRequest(PullRequest),
    /// GitHub says hello after the webhook was set up.
    Ping {
        /// The hook's number.
        hook: u64,
    },
    /// Well-formed, and nothing to do.
    Ignored {
        /// The event's name, with its action where it has one.
        event: String,
        /// Why there is nothing to do.
        reason: String,
    },
}

/// Commits arrived on a branch. Deleted branches and tags are [`GithubEvent::Ignored`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository pushed to.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// The branch.
    pub branch: BranchName,
    /// Its tip before; none when the push created it.
    pub before: Option<Sha>,
    /// Its tip now.
    pub after: Sha,
    /// Whether the push was not a fast-forward.
    pub forced: bool,
    /// The login of who pushed.
    pub sender: String,
    /// The first line of the tip's message.
    pub title: String,
}

/// A pull request offers commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// What happened.
    pub action: PullRequestAction,
    /// The repository that it asks to merge into.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// Its number.
    pub number: u64,
    /// The tip offered.
    pub head_sha: Sha,
    /// The repository that the tip lies in; none when it was deleted.
    pub head_repository: Option<RepositoryName>,
    /// The branch offered.
    pub head_branch: BranchName,
    /// The branch to merge into.
    pub base_branch: BranchName,
    /// The tip of that branch when the event was sent.
    pub base_sha: Sha,
    /// The login of who acted.
    pub sender: String,
    /// Whether it is marked as a draft.
    pub draft: bool,
    /// Its title, one line.
    pub title: String,
}

/// The actions on a pull request that give a commit to judge; all others are [`GithubEvent::Ignored`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestAction {
    /// Opened.
    Opened,
    /// New commits.
    Synchronize,
    /// Opened again after it was closed.
    Reopened,
    /// No longer a draft.
    ReadyForReview,
}

impl PullRequest {
    /// Whether its commits lie in another repository than the one served: a stranger's until admitted.
    pub fn is_from_elsewhere(&self) -> bool {
        self.head_repository.as_ref() != Some(&self.repository)
    }
}

/// A payload that GitHub would not have sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not the JSON that the event's kind demands.
    #[error("the body is not a `{event}` event: {problem}")]
    Body {
        /// The event's name.
        event: String,
        /// What the JSON reader says.
        problem: String,
    },
    /// A field whose value is not allowed.
    #[error("field `{field}`: {problem}")]
    Field {
        /// The field's path in the payload.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads the body of a webhook, whose signature is already checked.
///
/// # Errors
///
/// [`EventError`] names the field that is missing or not allowed.
pub fn parse(event: &str, body: &[u8]) -> Result<GithubEvent, EventError> {
    match event {
        "push" => push(read(event, body)?),
        "pull_request" => pull_request(read(event, body)?),
        "ping" => Ok(GithubEvent::Ping { hook: read::<payload::Ping>(event, body)?.hook_id }),
        other => {
            // Also an event that nobody handles is JSON, or it did not come from GitHub.
            read::<serde::de::IgnoredAny>(other, body)?;
            Ok(ignored(&line(other), "this kind of event is not handled"))
        }
    }
}

fn push(payload: payload::Push) -> Result<GithubEvent, EventError> {
    let Some(branch) = payload.reference.strip_prefix("refs/heads/") else {
        return Ok(ignored("push", format!("`{}` is not a branch", line(&payload.reference))));
    };
    let branch: BranchName = checked("ref", branch)?;
    let repository = checked("repository.full_name", &payload.repository.full_name)?;
    let after = match (payload.deleted, commit("after", &payload.after)?) {
        (false, Some(after)) => after,
        (true, None) => return Ok(ignored("push", format!("branch `{branch}` was deleted"))),
        _ => return Err(EventError::field("after", "it must be zeros exactly when `deleted` is true")),
    };
    let Some(installation) = payload.installation else {
        return Ok(ignored("push", NO_INSTALLATION));
    };
    Ok(GithubEvent::Push(Push {
        repository,
        installation: installation.id,
        branch,
        before: commit("before", &payload.before)?,
        after,
        forced: payload.forced,
        sender: login(&payload.sender.login)?,
        title: payload.head_commit.map(|commit| line(&commit.message)).unwrap_or_default(),
    }))
}

fn pull_request(payload: payload::PullRequest) -> Result<GithubEvent, EventError> {
    let action = match payload.action.as_str() {
        "opened" => PullRequestAction::Opened,
        "synchronize" => PullRequestAction::Synchronize,
        "reopened" => PullRequestAction::Reopened,
        "ready_for_review" => PullRequestAction::ReadyForReview,
        other => {
            let event = format!("pull_request.{}", line(other));
            return Ok(ignored(&event, "this action brings no commit to judge"));
        }
    };
    let Some(installation) = payload.installation else {
        return Ok(ignored("pull_request", NO_INSTALLATION));
    };
    let pull_request = payload.body;
    let head_repository = pull_request.head.repository;
    Ok(GithubEvent::PullRequest(PullRequest {
        action,
        repository: checked("repository.full_name", &payload.repository.full_name)?,
        installation: installation.id,
        number: pull_request.number,
        head_sha: checked("pull_request.head.sha", &pull_request.head.sha)?,
        head_repository: head_repository
            .map(|repository| checked("pull_request.head.repo.full_name", &repository.full_name))
            .transpose()?,
        head_branch: checked("pull_request.head.ref", &pull_request.head.reference)?,
        base_branch: checked("pull_request.base.ref", &pull_request.base.reference)?,
        base_sha: checked("pull_request.base.sha", &pull_request.base.sha)?,
        sender: login(&payload.sender.login)?,
        draft: pull_request.draft,
        title: line(&pull_request.title),
    }))
}

const NO_INSTALLATION: &str = "it names no installation: only the webhook of a GitHub App is served";

fn read<'a, T: Deserialize<'a>>(event: &str, body: &'a [u8]) -> Result<T, EventError> {
    serde_json::from_slice(body)
        .map_err(|error| EventError::Body { event: line(event), problem: line(&error.to_string()) })
}

fn ignored(event: &str, reason: impl Into<String>) -> GithubEvent {
    GithubEvent::Ignored { event: event.to_owned(), reason: reason.into() }
}

impl EventError {
    fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field { field, problem: problem.into() }
    }
}

fn checked<T: FromStr<Err = InvalidName>>(field: &'static str, value: &str) -> Result<T, EventError> {
    value.parse().map_err(|error: InvalidName| EventError::field(field, line(&error.to_string())))
}

/// A commit, or none where GitHub writes zeros for "no commit".
fn commit(field: &'static str, value: &str) -> Result<Option<Sha>, EventError> {
    let sha: Sha = checked(field, value)?;
    Ok(if sha.as_str().bytes().all(|digit| digit == b'0') { None } else { Some(sha) })
}

fn login(value: &str) -> Result<String, EventError> {
    let name = value.strip_suffix("[bot]").unwrap_or(value);
    // Users of GitHub Enterprise carry `_<enterprise>` at the end.
    let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if allowed && (1..=100).contains(&name.len()) {
        Ok(value.to_owned())
    } else {
        Err(EventError::field("sender.login", "a login has 1 to 100 letters, digits, `-` and `_`"))
    }
}

/// One line, short enough to show.
fn line(text: &str) -> String {
    text::first_line(text, 200)
}

/// The few fields read of GitHub's payloads; unknown ones are left unread, since GitHub adds some every month.
mod payload {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub struct Push {
        #[serde(rename = "ref")]
        pub reference: String,
        pub before: String,
        pub after: String,
        pub deleted: bool,
        pub forced: bool,
        pub repository: Repository,
        pub installation: Option<Installation>,
        pub sender: Sender,
        pub head_commit: Option<Commit>,
    }

    #[derive(Deserialize)]
    pub struct PullRequest {
        pub action: String,
        #[serde(rename = "pull_request")]
        pub body: PullRequestBody,
        pub repository: Repository,
        pub installation: Option<Installation>,
        pub sender: Sender,
    }

    #[derive(Deserialize)]
    pub struct PullRequestBody {
        pub number: u64,
        pub title: String,
        #[serde(default)]
        pub draft: bool,
        pub head: Side,
        pub base: Side,
    }

    #[derive(Deserialize)]
    pub struct Side {
        #[serde(rename = "ref")]
        pub reference: String,
        pub sha: String,
        #[serde(rename = "repo")]
        pub repository: Option<Repository>,
    }

    #[derive(Deserialize)]
    pub struct Repository {
        pub full_name: String,
    }

    #[derive(Deserialize)]
    pub struct Installation {
        pub id: u64,
    }

    #[derive(Deserialize)]
    pub struct Sender {
        pub login: String,
    }

    #[derive(Deserialize)]
    pub struct Commit {
        pub message: String,
    }

    #[derive(Deserialize)]
    pub struct Ping {
        pub hook_id: u64,
    }
}

#[cfg(test)]
mod tests;
