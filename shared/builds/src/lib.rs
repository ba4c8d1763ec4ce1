//! Test and image builds on CodeBuild: one project for each [`Builds`].
//!
//! A build belongs to one attempt of one task, or of each task that shares it, and says so in `SLIPWAY_TASK`. `StartBuild`'s token makes a start
//! repeatable for five minutes; after that the attempt's build is found by that variable.

mod find;
mod overrides;
mod status;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::error::SdkError;
use aws_sdk_codebuild::operation::start_build::StartBuildError;
use aws_sdk_codebuild::operation::stop_build::StopBuildError;
use aws_sdk_codebuild::types::SourceType;
use domain::ids::AttemptId;
use domain::ports::{Answer, BuildRequest, BuildStart, BuildStatus, Fault};
use sha2::{Digest, Sha256};

/// A CodeBuild project.
#[derive(Debug, Clone)]
pub struct Builds {
    client: Client,
    project: String,
    bucket: String,
}

impl Builds {
    /// The project of that name, whose results go into the bucket.
    pub fn new(config: &SdkConfig, project: impl Into<String>, bucket: impl Into<String>) -> Self {
        let settings = aws_sdk_codebuild::config::Builder::from(config).timeout_config(timeouts()).build();
        Self { client: Client::from_conf(settings), project: project.into(), bucket: bucket.into() }
    }
}

impl domain::ports::Builds for Builds {
    async fn start(&self, request: &BuildRequest) -> Answer<BuildStart> {
        let what = || format!("no build of `{}` can be started", request.task());
        let lasting = |error| aws::lasting(what(), error);
        let options = &request.options;
        let sent = self
            .client
            .start_build()
            .project_name(&self.project)
            .source_type_override(SourceType::S3)
            .source_location_override(&request.source)
            .buildspec_override(request.buildspec)
            .set_environment_variables_override(Some(overrides::variables(request).map_err(lasting)?))
            .artifacts_override(overrides::result(&self.bucket, request).map_err(lasting)?)
            .set_image_override(options.image.clone())
            .set_image_pull_credentials_type_override(
                options.image.as_deref().map(overrides::image_credentials),
            )
            .set_compute_type_override(options.compute.map(|compute| compute.as_str().into()))
            .set_timeout_in_minutes_override(options.timeout.map(i32::from))
            .cache_override(overrides::cache(options).map_err(lasting)?)
            .idempotency_token(token(request))
            .send()
            .await;
        match sent {
            Ok(answer) => {
                let id = answer.build_value.and_then(|build| build.id);
                let id = id.ok_or_else(|| Fault::reject(format!("{}: the answer names none", what())))?;
                Ok(BuildStart::Started(id))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(StartBuildError::is_account_limit_exceeded_exception) =>
            {
                Ok(BuildStart::Busy)
            }
            Err(error) => Err(aws::fault(what(), error)),
        }
    }

    async fn find(&self, attempt: &AttemptId) -> Answer<Option<String>> {
        let mut builds = find::of_attempt(self, attempt).await?.into_iter();
        let Some(oldest) = builds.next() else { return Ok(None) };
        for surplus in builds.filter(|build| build.in_progress) {
            self.stop(&surplus.id).await?;
        }
        Ok(Some(oldest.id))
    }

    async fn status(&self, id: &str) -> Answer<Option<BuildStatus>> {
        let answer = self
            .client
            .batch_get_builds()
            .ids(id)
            .send()
            .await
            .map_err(|error| aws::fault(format!("build `{id}` cannot be read"), error))?;
        Ok(answer.builds().first().map(status::of))
    }

    async fn stop(&self, id: &str) -> Answer<()> {
        match self.client.stop_build().id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(aws::fault(format!("build `{id}` cannot be stopped"), error)),
        }
    }
}

/// `StartBuild` and lists of a hundred builds take their time.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}

fn is_gone(error: &SdkError<StopBuildError>) -> bool {
    error.as_service_error().is_some_and(StopBuildError::is_resource_not_found_exception)
}

/// 64 characters, the most that a token may have.
fn token(request: &BuildRequest) -> String {
    hex::encode(Sha256::digest(request.task()))
}
