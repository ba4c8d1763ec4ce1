//! A stage function from its queue to its work.

use domain::ids::Stage;
use domain::ports::{Environments, Greens, Queue, Redelivery, Runs, Timeline};
use domain::time::Timestamp;
use lambda_runtime::Error;

use crate::{SqsEvent, StageFunction, StageWork, each_stage_message, run};

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
    S: Runs + Environments + Timeline + Greens,
    Q: Queue,
    R: Redelivery,
    W: StageWork,
{
    let function = StageFunction::new(store, queue, redelivery, work);
    run(async |event: SqsEvent| {
        Ok(each_stage_message(event, redelivery, stage, async |message| {
            function.attend(&message, Timestamp::now).await
        })
        .await)
    })
    .await
}
