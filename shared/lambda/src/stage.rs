//! A stage function from its queue to its work.

use domain::ids::Stage;
use domain::ports::{Environments, Queue, Redelivery, Runs};
use domain::time::Timestamp;
use lambda_runtime::Error;

use crate::{SqsEvent, StageWork, drive, each_stage_message, run};

/// Serves a stage's queue until the environment is shut down.
///
/// # Errors
/// When the Runtime API does not answer.
pub async fn serve_stage<S, Q, R, W>(
    stage: Stage,
    store: &S,
    queue: &Q,
    redelivery: &R,
    work: &W,
) -> Result<(), Error>
where
    S: Runs + Environments,
    Q: Queue,
    R: Redelivery,
    W: StageWork,
{
    run(async |event: SqsEvent| {
        Ok(each_stage_message(event, redelivery, stage, async |wake| {
            drive(store, queue, work, &wake, Timestamp::now).await
        })
        .await)
    })
    .await
}
