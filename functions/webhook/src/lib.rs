//! Takes GitHub's webhooks: checks the signature over the raw bytes, records the delivery, sends one small message
//! to plan and answers 202. It never calls GitHub and never waits.

mod request;
mod signature;

use domain::github_event::{GithubEvent, PullRequest, Push, parse};
use domain::ids::{DeliveryId, RepositoryName};
use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Deliveries, Delivery, DeliveryState, Fault, Queue, Secrets};
use domain::time::Timestamp;
use sha2::{Digest, Sha256};

pub use request::{Request, Response};

/// The function with its ports.
#[derive(Debug)]
pub struct Webhook<D, Q, S> {
    /// Where deliveries are recorded.
    pub deliveries: D,
    /// Where plan is woken.
    pub queue: Q,
    /// Where the webhook's secret lies.
    pub secrets: S,
    /// The secret's name.
    pub secret_id: String,
}

/// What plan is to be told, or why nothing.
enum Reading {
    Plan(PlanRequest),
    Ignored(String),
}

impl<D: Deliveries, Q: Queue, S: Secrets> Webhook<D, Q, S> {
    /// Answers one request; every outcome is an HTTP answer, so that GitHub's list of deliveries shows it.
    pub async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match self.answer(request, now).await {
            Ok(response) => response,
            Err(fault) => {
                tracing::error!(fault = fault.chain(), "delivery not taken");
                Response::new(503, "Slipway could not record the delivery; press `Redeliver` on GitHub")
            }
        }
    }

    async fn answer(&self, request: &Request, now: Timestamp) -> Result<Response, Fault> {
        let Some(body) = request.bytes() else {
            return Ok(Response::new(400, "the body is not valid base64"));
        };
        let secret = self.secrets.secret(&self.secret_id).await?;
        if !signature::matches(secret.reveal(), request.header("x-hub-signature-256"), &body) {
            return Ok(Response::new(
                401,
                "the signature in `X-Hub-Signature-256` is missing or does not match the body",
            ));
        }
        let Some(id) = request.header("x-github-delivery").and_then(|id| id.parse::<DeliveryId>().ok())
        else {
            return Ok(Response::new(400, "the header `X-GitHub-Delivery` is missing or malformed"));
        };
        let event = request.header("x-github-event").unwrap_or_default();
        let reading = match parse(event, &body) {
            Ok(parsed) => read(&id, parsed),
            Err(error) => {
                tracing::warn!(delivery = %id, event, %error, "event refused");
                return Ok(Response::new(400, &error.to_string()));
            }
        };
        let delivery = Delivery {
            id: id.clone(),
            event: event.to_owned(),
            body: hex::encode(Sha256::digest(&body)),
            received: now,
            state: DeliveryState::Received,
        };
        self.take(&delivery, reading).await
    }

    /// Does what the recorded state says is still to be done; a redelivery repeats nothing.
    async fn take(&self, delivery: &Delivery, reading: Reading) -> Result<Response, Fault> {
        let recorded = match &reading {
            Reading::Plan(_) => self.deliveries.record(delivery).await?,
            // What needs no more work is written once, with its reason.
            Reading::Ignored(reason) => {
                self.deliveries
                    .record(&Delivery { state: DeliveryState::Ignored(reason.clone()), ..delivery.clone() })
                    .await?
            }
        };
        match (recorded.state, reading) {
            (DeliveryState::Received, Reading::Plan(request)) => {
                tracing::info!(delivery = %delivery.id, repository = %request.repository, sha = %request.sha, "delivery taken");
                self.queue.send(&[Outgoing::now(Message::Plan(request))]).await?;
                self.deliveries.note(&delivery.id, &DeliveryState::Enqueued).await?;
                Ok(Response::new(202, "planned"))
            }
            (DeliveryState::Ignored(reason), _) | (_, Reading::Ignored(reason)) => {
                tracing::info!(delivery = %delivery.id, event = delivery.event, reason, "delivery ignored");
                Ok(Response::new(202, &format!("ignored: {reason}")))
            }
            (DeliveryState::Enqueued | DeliveryState::Planned(_), Reading::Plan(_)) => {
                tracing::info!(delivery = %delivery.id, "delivery known already");
                Ok(Response::new(202, "this delivery was taken before"))
            }
        }
    }
}

fn read(id: &DeliveryId, event: GithubEvent) -> Reading {
    match event {
        GithubEvent::Push(push) => Reading::Plan(from_push(id, push)),
        // A branch of the repository itself is judged by its push.
        GithubEvent::PullRequest(request) if request.is_from_elsewhere() => {
            Reading::Plan(from_fork(id, request))
        }
        GithubEvent::PullRequest(_) => Reading::Ignored("the branch's own push is judged".to_owned()),
        GithubEvent::Ping { .. } => Reading::Ignored("a ping; the webhook works".to_owned()),
        GithubEvent::Ignored { reason, .. } => Reading::Ignored(reason),
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
        fork: None,
        pull_request: None,
        sender: push.sender,
        title: push.title,
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    }
}

fn from_fork(id: &DeliveryId, request: PullRequest) -> PlanRequest {
    PlanRequest {
        delivery: id.clone(),
        installation: request.installation,
        sha: request.head_sha,
        before: Some(request.base_sha),
        branch: request.head_branch.to_string(),
        // A deleted fork is still a stranger.
        fork: request.head_repository.or_else(|| unknown_fork(&request.repository)),
        repository: request.repository,
        pull_request: Some(request.number),
        sender: request.sender,
        title: request.title,
        tag: false,
        forced: false,
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    }
}

fn unknown_fork(repository: &RepositoryName) -> Option<RepositoryName> {
    format!("unknown/{}", repository.name()).parse().ok()
}
