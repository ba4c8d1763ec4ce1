//! What a start lays over its project: all of it is a function of the request, so that a repeated start is the same.

use aws_sdk_codebuild::error::BuildError;
use aws_sdk_codebuild::types::{
    ArtifactNamespace, ArtifactPackaging, ArtifactsType, CacheType, EnvironmentVariable,
    EnvironmentVariableType, ImagePullCredentialsType, ProjectArtifacts, ProjectCache,
};
use domain::message::TASK_VARIABLE;
use domain::ports::{BuildOptions, BuildRequest};

/// What the names of CodeBuild's own images begin with.
const CURATED: &str = "aws/codebuild/";

/// The request's variables, its secrets, and the one that names the attempts. Plain variables win over secrets of the
/// same name, and the attempts over all.
pub(crate) fn variables(request: &BuildRequest) -> Result<Vec<EnvironmentVariable>, BuildError> {
    use EnvironmentVariableType::{Plaintext, SecretsManager};

    let task = request.task();
    let plain = request.variables.iter().filter(|(name, _)| *name != TASK_VARIABLE);
    let is_free = |name: &str| name != TASK_VARIABLE && !request.variables.contains_key(name);
    let secrets = request.options.secrets.iter().filter(|(name, _)| is_free(name));
    let all = plain
        .map(|(name, value)| (name.as_str(), value.as_str(), Plaintext))
        .chain(secrets.map(|(name, reference)| (name.as_str(), reference.as_str(), SecretsManager)))
        .chain([(TASK_VARIABLE, task.as_str(), Plaintext)]);
    all.map(|(name, value, kind)| EnvironmentVariable::builder().name(name).value(value).r#type(kind).build())
        .collect()
}

/// One zip, at the same place whatever the build's id.
pub(crate) fn result(bucket: &str, request: &BuildRequest) -> Result<ProjectArtifacts, BuildError> {
    ProjectArtifacts::builder()
        .r#type(ArtifactsType::S3)
        .location(bucket)
        .path(request.result.trim_end_matches('/'))
        .name("result.zip")
        .packaging(ArtifactPackaging::Zip)
        .namespace_type(ArtifactNamespace::None)
        .override_artifact_name(false)
        .build()
}

/// CodeBuild pulls its own images itself and refuses to do so with a role; all others are pulled with the project's
/// (<https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html>, `imagePullCredentialsTypeOverride`).
pub(crate) fn image_credentials(image: &str) -> ImagePullCredentialsType {
    if image.starts_with(CURATED) {
        ImagePullCredentialsType::Codebuild
    } else {
        ImagePullCredentialsType::ServiceRole
    }
}

/// Where the build's cache lies. Said in any case: no project's own setting gives a build a cache.
pub(crate) fn cache(options: &BuildOptions) -> Result<ProjectCache, BuildError> {
    match &options.cache {
        Some(place) => ProjectCache::builder().r#type(CacheType::S3).location(place).build(),
        None => ProjectCache::builder().r#type(CacheType::NoCache).build(),
    }
}
