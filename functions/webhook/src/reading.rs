//! What an event means for plan.

use domain::command::Asked;
use domain::github_event::{Departure, GithubEvent, MergeGroup, PullRequest, Push, Wish};
use domain::ids::{DeliveryId, RepositoryName};
use domain::message::{Gone, Message, PlanRequest};

/// What plan is to be told, or why nothing.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub(crate) enum Reading {
    Send(Message),
    Ignored(String),
}

pub(crate) fn read(id: &DeliveryId, event: GithubEvent) -> Reading {
    Reading::Send(match event {
        GithubEvent::Push(push) => Message::Plan(from_push(id, push)),
        GithubEvent::PullRequest(request) => Message::Plan(from_pull_request(id, request)),
        GithubEvent::MergeGroup(group) => Message::Plan(from_merge_group(id, group)),
        GithubEvent::Gone(departure) => Message::Gone(gone(id, departure)),
        GithubEvent::Wish(wish) => Message::Asked(asked(id, wish)),
        GithubEvent::Ping { .. } => return Reading::Ignored("a ping; the webhook works".to_owned()),
        GithubEvent::Ignored { reason, .. } => return Reading::Ignored(reason),
    })
}

/// The same message, as the other delivery's.
pub(crate) fn under(message: Message, id: &DeliveryId) -> Message {
    match message {
        Message::Plan(request) => Message::Plan(PlanRequest { delivery: id.clone(), ..request }),
        Message::Asked(asked) => Message::Asked(Asked { delivery: id.clone(), ..asked }),
        Message::Gone(gone) => Message::Gone(Gone { delivery: id.clone(), ..gone }),
        other => other,
    }
}

/// What is answered when the message was sent.
pub(crate) fn word(message: &Message) -> &'static str {
    match message {
        Message::Asked(_) => "asked",
        Message::Gone(_) => "taken note of",
        _ => "planned",
    }
}

/// For the log.
pub(crate) fn repository(message: &Message) -> &str {
    match message {
        Message::Plan(PlanRequest { repository, .. })
        | Message::Asked(Asked { repository, .. })
        | Message::Gone(Gone { repository, .. }) => repository.as_str(),
        _ => "",
    }
}

fn from_push(id: &DeliveryId, push: Push) -> PlanRequest {
    PlanRequest {
        delivery: id.clone(),
        repository: push.repository,
        installation: push.installation,
        sha: push.after,
        before: push.before,
        branch: push.branch.to_string(),
        tag: push.tag,
        forced: push.forced,
        fork: None,
        pull_request: None,
        sender: push.sender,
        title: push.title,
        base: None,
        draft: false,
        skip: push.skip,
        admitted: None,
    }
}

fn from_pull_request(id: &DeliveryId, request: PullRequest) -> PlanRequest {
    let is_strange = request.is_from_elsewhere();
    // A deleted fork is still a stranger.
    let fork = request.head_repository.or_else(|| unknown_fork(&request.repository));
    PlanRequest {
        delivery: id.clone(),
        installation: request.installation,
        sha: request.head_sha,
        before: request.before,
        branch: request.head_branch.to_string(),
        tag: false,
        forced: false,
        fork: fork.filter(|_| is_strange),
        repository: request.repository,
        pull_request: Some(request.number),
        sender: request.sender,
        title: request.title,
        base: Some(request.base),
        draft: request.draft,
        skip: None,
        admitted: None,
    }
}

/// Words such as `[skip ci]` do not count here: whoever queues a merge wants it judged.
fn from_merge_group(id: &DeliveryId, group: MergeGroup) -> PlanRequest {
    PlanRequest {
        delivery: id.clone(),
        repository: group.repository,
        installation: group.installation,
        sha: group.sha,
        before: None,
        branch: group.branch.to_string(),
        tag: false,
        forced: false,
        fork: None,
        pull_request: None,
        sender: group.sender,
        title: group.title,
        base: Some(group.base),
        draft: false,
        skip: None,
        admitted: None,
    }
}

fn gone(id: &DeliveryId, departure: Departure) -> Gone {
    Gone {
        delivery: id.clone(),
        repository: departure.repository,
        installation: departure.installation,
        line: departure.line,
        why: departure.why.to_owned(),
    }
}

fn asked(id: &DeliveryId, wish: Wish) -> Asked {
    Asked {
        delivery: id.clone(),
        repository: wish.repository,
        installation: wish.installation,
        by: wish.by,
        about: wish.about,
        comment: wish.comment,
        commands: wish.commands,
        tries: 0,
    }
}

fn unknown_fork(repository: &RepositoryName) -> Option<RepositoryName> {
    format!("unknown/{}", repository.name()).parse().ok()
}
