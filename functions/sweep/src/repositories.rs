//! Asks plan to look at the branches of repositories whose time has come.

use domain::ids::RepositoryName;
use domain::message::{Message, Outgoing};
use domain::ports::{Answer, Queue, Repositories, Written};
use domain::time::Timestamp;
use domain::tips::INTERVAL;

/// Sends a message for each repository, then moves its time on: whoever dies in between has asked once too often.
///
/// # Errors
/// When the queue or the store does not answer; what was not moved on stays due.
pub async fn ask(
    store: &impl Repositories,
    queue: &impl Queue,
    repositories: &[RepositoryName],
    now: Timestamp,
) -> Answer<()> {
    let message = |name: &RepositoryName| Outgoing::now(Message::Tips { repository: name.clone() });
    let messages: Vec<_> = repositories.iter().map(message).collect();
    if messages.is_empty() {
        return Ok(());
    }
    tracing::info!(repositories = messages.len(), "asking for tip checks");
    queue.send(&messages).await?;
    for name in repositories {
        // A conflict means that plan has found nobody to watch it for.
        let (Written::Yes | Written::Conflict) = store.postpone(name, now.after(INTERVAL)).await?;
    }
    Ok(())
}
