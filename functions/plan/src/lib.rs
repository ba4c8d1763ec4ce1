//! Decides what a commit needs: reads its tree and pipeline file once, writes the run and its tasks, draws the fence,
//! and wakes the first phase. What people ask of a run from GitHub is carried out here too.

mod answer;
mod choice;
mod commands;
mod delivery;
mod failure;
mod front;
mod join;
mod manifests;
mod preview;
mod source;
mod take;
mod tips;
mod wishes;

use domain::files::{LARGEST_FILE, operator};
use domain::ids::RepositoryName;
use domain::message::{Message, QueueName, Unreadable, parse_message};
use domain::ports::{
    Answer, Artifacts, Branches, Comments, Deliveries, Differences, Environments, Fault, Greens, Lines,
    People, Queue, Repositories, Runs, Source, Timeline,
};
use domain::time::Timestamp;
use lambda::Disposition;

/// Where the operator's file lies in the bucket.
pub const OPERATOR_FILE: &str = "operator.yaml";

/// The largest operator's file read, in bytes.
const LARGEST_OPERATOR_FILE: u64 = LARGEST_FILE as u64;

/// Everything that plan remembers and looks up.
pub trait Memory: Runs + Environments + Deliveries + Repositories + Lines + Greens + Timeline {}

impl<T: Runs + Environments + Deliveries + Repositories + Lines + Greens + Timeline> Memory for T {}

/// Everything that plan asks of GitHub.
pub trait Hub: Source + Branches + Differences + People + Comments {}

impl<T: Source + Branches + Differences + People + Comments> Hub for T {}

/// The function with its ports.
#[derive(Debug)]
pub struct Planner<S, Q, A, G> {
    /// Runs, fences, deliveries, lines, green results.
    pub store: S,
    /// Where the stages are woken.
    pub queue: Q,
    /// Sources and the operator's file.
    pub artifacts: A,
    /// GitHub.
    pub source: G,
    /// What test builds run in where the pipeline file says nothing: part of what a result depends on.
    pub build_image: String,
}

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Handles one message of the plan queue.
    pub async fn handle(&self, body: &str, now: Timestamp) -> Disposition {
        let done = match parse_message(body, QueueName::Plan) {
            Ok(Message::Plan(request)) => {
                return match Box::pin(self.take(&request, now)).await {
                    Ok(()) => Disposition::Acknowledge,
                    Err(fault) => self.failed(&request, fault, now).await,
                };
            }
            Ok(Message::Tips { repository }) => Box::pin(self.check_tips(&repository, now)).await,
            Ok(Message::Asked(asked)) => return Box::pin(self.asked(&asked, now)).await,
            Ok(Message::Gone(gone)) => self.gone(&gone, now).await,
            Ok(other) => {
                return Disposition::Refuse { reason: Unreadable::Elsewhere(other.queue()).to_string() };
            }
            Err(unreadable) => return Disposition::Refuse { reason: unreadable.to_string() },
        };
        done.map_or_else(Into::into, |()| Disposition::Acknowledge)
    }

    async fn operator_file(&self) -> Answer<operator::OperatorFile> {
        let bytes = self.artifacts.get(OPERATOR_FILE, LARGEST_OPERATOR_FILE).await?.ok_or_else(|| {
            Fault::reject(format!(
                "the bucket holds no `{OPERATOR_FILE}`; upload the operator's file of this stack"
            ))
        })?;
        operator::parse(&bytes).map_err(|error| {
            Fault::reject(format!("the operator's file `{OPERATOR_FILE}` cannot be read: {error}"))
        })
    }

    /// Why an event of the repository is only recorded; none where it is served.
    async fn not_served(&self, repository: &RepositoryName, installation: u64) -> Answer<Option<String>> {
        let operator = self.operator_file().await?;
        Ok(operator.serves(repository, installation).err().map(|reason| reason.to_string()))
    }
}
