//! Reads an object's body, never more of it than allowed.

use std::path::Path;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use domain::ports::{Answer, Fault};
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Copies the body into `into`.
pub(crate) async fn copy(
    key: &str,
    mut object: GetObjectOutput,
    most: u64,
    into: &mut (impl AsyncWrite + Unpin),
) -> Answer<()> {
    let too_large = || Fault::reject(format!("`{key}` is larger than {most} bytes"));
    if object.content_length.and_then(|length| u64::try_from(length).ok()).is_some_and(|length| length > most)
    {
        return Err(too_large());
    }
    let mut left = most;
    while let Some(chunk) = object.body.next().await {
        let chunk =
            chunk.map_err(|error| Fault::retry(format!("`{key}` cannot be read to its end"), error))?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(too_large)?;
        into.write_all(&chunk)
            .await
            .map_err(|error| Fault::retry(format!("`{key}` cannot be written to disk"), error))?;
    }
    into.flush().await.map_err(|error| Fault::retry(format!("`{key}` cannot be written to disk"), error))
}

/// Copies the body into a file; leaves none behind that is not whole.
pub(crate) async fn copy_to_file(key: &str, object: GetObjectOutput, most: u64, path: &Path) -> Answer<()> {
    let mut file = File::create(path)
        .await
        .map_err(|error| aws::lasting(format!("`{}` cannot be created", path.display()), error))?;
    let copied = copy(key, object, most, &mut file).await;
    if copied.is_err() {
        // The first failure is the one to tell.
        let _ = tokio::fs::remove_file(path).await;
    }
    copied
}
