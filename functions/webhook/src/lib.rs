//! Takes GitHub's webhooks: checks the signature over the raw bytes, records the delivery, sends one small message
//! to plan and answers 202. It never calls GitHub and never waits.

mod reading;
mod request;
mod signature;

use std::time::Duration;

use domain::github_event::parse;
use domain::ids::DeliveryId;
use domain::message::{Message, Outgoing};
use domain::ports::{Deliveries, Delivery, DeliveryState, Fault, Queue, Receipt, Secrets};
use domain::time::Timestamp;
use reading::{Reading, read};
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

/// Nothing in the body of a pressed button tells one press from the next. What comes so soon after the first is the same.
const SAME_PRESS: Duration = Duration::from_mins(1);

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
        match reading {
            // It says the same however often it comes, and each check run that we write brings some: nothing is recorded.
            Reading::Ignored(reason) => Ok(ignored(&id, event, &reason)),
            Reading::Send(message) => {
                let delivery = Delivery {
                    id,
                    event: event.to_owned(),
                    body: hex::encode(Sha256::digest(&body)),
                    received: now,
                    state: DeliveryState::Received,
                };
                self.take(&delivery, message).await
            }
        }
    }

    /// Does what the recorded state says is still to be done; a redelivery repeats nothing.
    async fn take(&self, delivery: &Delivery, message: Message) -> Result<Response, Fault> {
        match self.deliveries.receive(delivery).await? {
            Receipt::New => self.send(&delivery.id, message).await,
            Receipt::Known(known) => self.go_on(delivery, &known, message).await,
            Receipt::Before(first) => self.repeat(delivery, &first, message).await,
        }
    }

    async fn go_on(
        &self,
        delivery: &Delivery,
        known: &Delivery,
        message: Message,
    ) -> Result<Response, Fault> {
        match &known.state {
            _ if known.body != delivery.body => Ok(other_body(delivery)),
            DeliveryState::Received => self.send(&delivery.id, message).await,
            DeliveryState::Ignored(reason) => Ok(ignored(&delivery.id, &delivery.event, reason)),
            DeliveryState::Enqueued | DeliveryState::Planned(_) => {
                tracing::info!(delivery = %delivery.id, "delivery known already");
                Ok(Response::new(202, "this delivery was taken before"))
            }
        }
    }

    /// The body came before under another id. What was left undone of the first one is done under the first one's id, by
    /// which plan knows it should both be at work; this one is recorded last, so that a crash repeats all of it.
    async fn repeat(
        &self,
        delivery: &Delivery,
        first: &Delivery,
        message: Message,
    ) -> Result<Response, Fault> {
        let is_undone = first.state == DeliveryState::Received && first.event == delivery.event;
        if !is_undone && is_another_press(&message, first, delivery.received) {
            let recorded = self.deliveries.record(delivery).await?;
            return self.go_on(delivery, &recorded, message).await;
        }
        if is_undone {
            self.send(&first.id, reading::under(message, &first.id)).await?;
        }
        let reason = format!("the body of delivery `{}` came before as `{}`", delivery.id, first.id);
        let repeated = Delivery { state: DeliveryState::Ignored(reason.clone()), ..delivery.clone() };
        self.deliveries.record(&repeated).await?;
        if is_undone {
            return Ok(Response::new(202, &format!("done now: {reason}, and was left undone")));
        }
        Ok(ignored(&delivery.id, &delivery.event, &reason))
    }

    /// Sends the message of a delivery that is recorded, and notes that.
    async fn send(&self, id: &DeliveryId, message: Message) -> Result<Response, Fault> {
        let word = reading::word(&message);
        tracing::info!(delivery = %id, repository = reading::repository(&message), "delivery taken: {word}");
        self.queue.send(&[Outgoing::now(message)]).await?;
        self.deliveries.note(id, &DeliveryState::Enqueued).await?;
        Ok(Response::new(202, word))
    }
}

fn ignored(id: &DeliveryId, event: &str, reason: &str) -> Response {
    tracing::info!(delivery = %id, event, reason, "delivery ignored");
    Response::new(202, &format!("ignored: {reason}"))
}

fn other_body(delivery: &Delivery) -> Response {
    tracing::warn!(delivery = %delivery.id, event = delivery.event, "the id came before with another body");
    let id = &delivery.id;
    Response::new(
        409,
        &format!(
            "delivery `{id}` came before with another body; nothing was done, since GitHub gives each event an id of its own"
        ),
    )
}

/// Whether a person pressed the same button a second time, rather than that the first press came twice.
fn is_another_press(message: &Message, first: &Delivery, now: Timestamp) -> bool {
    matches!(message, Message::Asked(asked) if asked.comment.is_none())
        && now.since(first.received) >= SAME_PRESS
}
