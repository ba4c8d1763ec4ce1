//! Sources, reports, manifests and logs in S3.

mod body;

use std::path::Path;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use domain::ports::Answer;

/// The bucket.
#[derive(Debug, Clone)]
pub struct Artifacts {
    client: Client,
    bucket: String,
}

impl Artifacts {
    /// The bucket of that name.
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        // A local S3 has one host, so that the bucket must stand in the path.
        let local = config.endpoint_url().is_some();
        let settings = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(local)
            .timeout_config(timeouts())
            .build();
        Self { client: Client::from_conf(settings), bucket: bucket.into() }
    }

    async fn open(&self, key: &str) -> Answer<Option<GetObjectOutput>> {
        let sent = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        match sent {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(aws::fault(format!("`{key}` cannot be read"), error)),
        }
    }

    async fn write(&self, key: &str, body: ByteStream) -> Answer<()> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type(key))
            .body(body)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| aws::fault(format!("`{key}` cannot be written"), error))
    }
}

impl domain::ports::Artifacts for Artifacts {
    async fn get(&self, key: &str, most: u64) -> Answer<Option<Vec<u8>>> {
        let Some(object) = self.open(key).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        body::copy(key, object, most, &mut bytes).await?;
        Ok(Some(bytes))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Answer<()> {
        self.write(key, ByteStream::from(bytes)).await
    }

    async fn put_file(&self, key: &str, file: &Path) -> Answer<()> {
        let body = ByteStream::from_path(file)
            .await
            .map_err(|error| aws::lasting(format!("`{}` cannot be read", file.display()), error))?;
        self.write(key, body).await
    }

    async fn get_file(&self, key: &str, file: &Path, most: u64) -> Answer<bool> {
        let Some(object) = self.open(key).await? else { return Ok(false) };
        body::copy_to_file(key, object, most, file).await?;
        Ok(true)
    }

    async fn exists(&self, key: &str) -> Answer<bool> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(aws::fault(format!("`{key}` cannot be looked up"), error)),
        }
    }

    fn place(&self, key: &str) -> String {
        format!("{}/{key}", self.bucket)
    }
}

/// The time until an answer begins holds the whole body of an upload, such as a repository's zip.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(45))
        .build()
}

fn is_missing(error: &SdkError<HeadObjectError>) -> bool {
    error.as_service_error().is_some_and(HeadObjectError::is_not_found)
}

/// The content type that a browser or `aws s3` should see for a key's ending.
fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, ending)| ending) {
        Some("zip") => "application/zip",
        Some("json") => "application/json",
        Some("yaml" | "yml") => "application/yaml",
        Some("xml") => "application/xml",
        Some("txt" | "log") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
