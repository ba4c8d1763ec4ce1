//! What GitHub's webhook posts, parsed into one closed enum; nothing behind it sees the raw JSON.

mod commits;
mod payload;
mod pulls;
mod skip;
mod wishes;

use std::str::FromStr;

use serde::Deserialize;

use crate::command::{About, Command};
use crate::ids::{BranchName, InvalidName, Line, RepositoryName, Sha};
use crate::message::Base;
use crate::text;

/// One webhook event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GithubEvent {
    /// Commits arrived on a branch, or a tag names one.
    Push(Push),
    /// A pull request offers commits.
    PullRequest(PullRequest),
    /// A merge queue wants a commit to be judged.
    MergeGroup(MergeGroup),
    /// A branch, tag or pull request is there no more.
    Gone(Departure),
    /// A person asks for something.
    Wish(Wish),
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

/// Commits arrived on a branch, or a tag names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository pushed to.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// The branch or tag.
    pub branch: BranchName,
    /// Whether it is a tag.
    pub tag: bool,
    /// The branch's tip before; none when the push created it, and none of a tag.
    pub before: Option<Sha>,
    /// The commit it names now.
    pub after: Sha,
    /// Whether the push was not a fast-forward.
    pub forced: bool,
    /// The words of the commit's message that ask for no run, such as `[skip ci]`.
    pub skip: Option<String>,
    /// The login of who pushed.
    pub sender: String,
    /// The first line of the commit's message.
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
    /// The tip offered before; known of new commits only.
    pub before: Option<Sha>,
    /// The repository that the tip lies in; none when it was deleted.
    pub head_repository: Option<RepositoryName>,
    /// The branch offered.
    pub head_branch: BranchName,
    /// The branch to merge into, and its tip when the event was sent.
    pub base: Base,
    /// The login of who acted.
    pub sender: String,
    /// Whether it is marked as a draft.
    pub draft: bool,
    /// Its title, one line.
    pub title: String,
}

/// The actions on a pull request that give a commit to judge. A closed one is [`GithubEvent::Gone`] where nothing else
/// holds its commit; all others are [`GithubEvent::Ignored`].
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
    /// A draft again.
    ConvertedToDraft,
    /// It asks to be merged into another branch.
    BaseChanged,
}

/// A merge queue's commit: what the base branch would be after the merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeGroup {
    /// The repository.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// The queue's own branch, `gh-readonly-queue/…`.
    pub branch: BranchName,
    /// The commit to judge.
    pub sha: Sha,
    /// The branch to merge into, and the commit that the group stands on.
    pub base: Base,
    /// The login of who acted.
    pub sender: String,
    /// The first line of the commit's message.
    pub title: String,
}

/// A branch, tag or pull request is there no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The repository.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// What is gone.
    pub line: Line,
    /// What became of it, for people.
    pub why: &'static str,
}

/// A person asks for something; whether he may is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The repository.
    pub repository: RepositoryName,
    /// The GitHub App's installation that the event came from.
    pub installation: u64,
    /// The login of who asks.
    pub by: String,
    /// What it is about.
    pub about: About,
    /// The comment that asks; none for buttons and re-runs.
    pub comment: Option<u64>,
    /// What is asked, in order; at least one.
    pub commands: Vec<Command>,
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

/// Reads the body of a webhook, whose signature is already checked. Of a large body only what is needed is kept.
///
/// # Errors
///
/// [`EventError`] names the field that is missing or not allowed.
pub fn parse(event: &str, body: &[u8]) -> Result<GithubEvent, EventError> {
    match event {
        "push" => commits::push(read(event, body)?),
        "pull_request" => pulls::pull_request(read(event, body)?),
        "merge_group" => commits::merge_group(read(event, body)?),
        "check_run" => wishes::check_run(read(event, body)?),
        "check_suite" => wishes::check_suite(read(event, body)?),
        "issue_comment" => wishes::issue_comment(read(event, body)?),
        "ping" => Ok(GithubEvent::Ping { hook: read::<payload::Ping>(event, body)?.hook_id }),
        other => {
            // Also an event that nobody handles is JSON, or it did not come from GitHub.
            let action = read::<payload::Any>(other, body)?.action;
            let reason = match other {
                "installation" | "installation_repositories" => {
                    "the operator's file, not the installation, says which repositories are served"
                }
                _ => "this kind of event is not handled",
            };
            Ok(ignored(&of_action(other, action.as_deref()), reason))
        }
    }
}

const NO_INSTALLATION: &str = "it names no installation: only the webhook of a GitHub App is served";

fn read<'a, T: Deserialize<'a>>(event: &str, body: &'a [u8]) -> Result<T, EventError> {
    serde_json::from_slice(body).map_err(|_| EventError::Body {
        event: line(event),
        problem: if body.starts_with(b"payload=") {
            "it is a form; set the webhook's content type to `application/json`".to_owned()
        } else {
            line(&problem::<T>(body))
        },
    })
}

/// What is wrong with a body that cannot be read, with the field's path. To keep the path costs time, so only here.
fn problem<'a, T: Deserialize<'a>>(body: &'a [u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().next().is_some() => {
            format!("field `{}`: {}", error.path(), error.inner())
        }
        Err(error) => error.into_inner().to_string(),
        Ok(_) => "something follows its end".to_owned(),
    }
}

fn ignored(event: &str, reason: impl Into<String>) -> GithubEvent {
    GithubEvent::Ignored { event: event.to_owned(), reason: reason.into() }
}

/// An event's name with its action, as GitHub's documentation writes them.
fn of_action(event: &str, action: Option<&str>) -> String {
    match action {
        Some(action) => line(&format!("{event}.{action}")),
        None => line(event),
    }
}

impl EventError {
    fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field { field, problem: problem.into() }
    }
}

fn checked<T: FromStr<Err = InvalidName>>(field: &'static str, value: &str) -> Result<T, EventError> {
    value.parse().map_err(|error: InvalidName| EventError::field(field, line(&error.to_string())))
}

/// A field that not every action of the event has.
fn given<T>(field: &'static str, value: Option<T>) -> Result<T, EventError> {
    value.ok_or_else(|| EventError::field(field, "it is missing; GitHub sends it with this action"))
}

/// A commit, or none where GitHub writes zeros for "no commit".
fn commit(field: &'static str, value: &str) -> Result<Option<Sha>, EventError> {
    let sha: Sha = checked(field, value)?;
    Ok(if sha.as_str().bytes().all(|digit| digit == b'0') { None } else { Some(sha) })
}

fn login(field: &'static str, value: &str) -> Result<String, EventError> {
    let name = value.strip_suffix("[bot]").unwrap_or(value);
    // Users of GitHub Enterprise carry `_<enterprise>` at the end.
    let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if allowed && (1..=100).contains(&name.len()) {
        Ok(value.to_owned())
    } else {
        Err(EventError::field(field, "a login has 1 to 100 letters, digits, `-` and `_`"))
    }
}

/// One line, short enough to show. Of a text that fills megabytes only the beginning is looked at.
fn line(text: &str) -> String {
    text::first_line(&text[..text.floor_char_boundary(MOST_LOOKED_AT)], 200)
}

const MOST_LOOKED_AT: usize = 4096;

#[cfg(test)]
mod tests;
