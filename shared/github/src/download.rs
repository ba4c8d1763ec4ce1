//! An answer's body into a file, never more than allowed, never half of it.

use std::path::Path;

use domain::ports::{Answer, Fault};
use reqwest::Response;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Streams the body into `file`; whatever goes wrong, no part of it is left behind.
pub(crate) async fn into_file(response: Response, file: &Path, most: u64, what: &str) -> Answer<()> {
    let written = stream(response, file, most, what).await;
    if written.is_err()
        && let Err(error) = tokio::fs::remove_file(file).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "could not remove a partial download");
    }
    written
}

async fn stream(mut response: Response, file: &Path, most: u64, what: &str) -> Answer<()> {
    let too_large =
        || Fault::reject(format!("{what}: it is larger than the {} MB allowed", most / 1_000_000));
    if response.content_length().is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let mut target = File::create(file).await.map_err(|error| Fault::retry(what, error))?;
    let mut left = most;
    while let Some(bytes) = response.chunk().await.map_err(|error| Fault::retry(what, error.without_url()))? {
        left = left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
        target.write_all(&bytes).await.map_err(|error| Fault::retry(what, error))?;
    }
    target.flush().await.map_err(|error| Fault::retry(what, error))
}
