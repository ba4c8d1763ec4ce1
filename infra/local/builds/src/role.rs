//! The role that a build runs as: its source, secrets, cache and artifacts are asked for and left with its credentials.

use crate::Service;
use crate::aws::LocalAws;
use crate::build::Build;

/// The local AWS as the build's role sees it, in a session named as CodeBuild names it.
pub(crate) async fn of(service: &Service, build: &Build) -> anyhow::Result<LocalAws> {
    service.aws.of_role(&build.service_role, &format!("AWSCodeBuild-{}", build.uuid())).await
}
