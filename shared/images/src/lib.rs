//! Repositories and images in ECR.
//!
//! Tags cannot be moved, but those that begin as [`MOVABLE_TAGS`] says. Answers are compared by digest: a registry may
//! answer the question for one tag with a sibling of the same digest.

mod image;
mod lifecycle;
mod scan;

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::BuildError;
use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::operation::describe_repositories::DescribeRepositoriesError;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Repository,
};
use domain::ids::Digest;
use domain::ports::{Answer, Fault, MOVABLE_TAGS};
use domain::scan::Scan;

pub use lifecycle::{InvalidLifecycle, Lifecycle};

/// The account's registry.
#[derive(Debug, Clone)]
pub struct Images {
    client: Client,
    registry: Option<String>,
    lifecycle: Option<Lifecycle>,
}

impl Images {
    /// The registry of the configured account and region. `registry` replaces the host in addresses where
    /// images are pushed and pulled elsewhere than ECR says, such as `127.0.0.1:4566`.
    pub fn new(config: &SdkConfig, registry: Option<String>) -> Self {
        let registry = registry.map(|host| host.trim_end_matches('/').to_owned());
        Self { client: Client::new(config), registry, lifecycle: None }
    }

    /// The same registry, whose new repositories get this lifecycle policy.
    #[must_use]
    pub fn with_lifecycle(self, lifecycle: Option<Lifecycle>) -> Self {
        Self { lifecycle, ..self }
    }

    fn address(&self, name: &str, repository: Option<&Repository>) -> Answer<String> {
        let uri = repository.and_then(Repository::repository_uri);
        match (&self.registry, uri) {
            (Some(registry), _) => Ok(format!("{registry}/{name}")),
            (None, Some(uri)) => Ok(uri.to_owned()),
            (None, None) => Err(Fault::reject(format!("repository `{name}` has no address"))),
        }
    }

    async fn find_repository(&self, name: &str) -> Answer<Option<Repository>> {
        let sent = self.client.describe_repositories().repository_names(name).send().await;
        match sent {
            Ok(answer) => Ok(answer.repositories.unwrap_or_default().into_iter().next()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeRepositoriesError::is_repository_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(aws::fault(format!("repository `{name}` cannot be looked up"), error)),
        }
    }

    /// Creates the repository; none where somebody else was faster.
    async fn create_repository(&self, name: &str) -> Answer<Option<Repository>> {
        let what = || format!("repository `{name}` cannot be created");
        let encryption = EncryptionConfiguration::builder().encryption_type(EncryptionType::Aes256).build();
        let movable = MOVABLE_TAGS.into_iter().map(movable).collect::<Result<_, _>>();
        let sent = self
            .client
            .create_repository()
            .repository_name(name)
            .image_tag_mutability(ImageTagMutability::ImmutableWithExclusion)
            .set_image_tag_mutability_exclusion_filters(Some(
                movable.map_err(|error| aws::lasting(what(), error))?,
            ))
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
            .encryption_configuration(encryption.map_err(|error| aws::lasting(what(), error))?)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.repository),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateRepositoryError::is_repository_already_exists_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(aws::fault(what(), error)),
        }
    }
}

impl domain::ports::Images for Images {
    async fn ensure_repository(&self, name: &str) -> Answer<String> {
        let repository = match self.find_repository(name).await? {
            Some(found) => Some(found),
            None => match self.create_repository(name).await? {
                Some(created) => Some(created),
                None => self.find_repository(name).await?,
            },
        };
        if let Some(repository) = &repository {
            self.give_lifecycle(name, repository).await?;
        }
        self.address(name, repository.as_ref())
    }

    async fn digest(&self, repository: &str, tag: &str) -> Answer<Option<Digest>> {
        let answer = self.read(repository, None, Some(tag)).await?;
        answer.and_then(|read| read.tagged).map(|image| image.digest()).transpose()
    }

    async fn holds(&self, repository: &str, digest: &Digest) -> Answer<bool> {
        let answer = self.read(repository, Some(digest), None).await?;
        Ok(answer.is_some_and(|read| read.wanted.is_some()))
    }

    async fn scan(&self, repository: &str, digest: &Digest) -> Answer<Scan> {
        self.ask_for_scan(repository, digest).await
    }

    async fn tag(&self, repository: &str, digest: &Digest, tag: &str) -> Answer<()> {
        let wanted = format!("`{repository}@{digest}` cannot be tagged `{tag}`");
        let missing = || Fault::reject(format!("{wanted}: the registry does not hold it"));
        let answer = self.read(repository, Some(digest), Some(tag)).await?.ok_or_else(missing)?;
        let image = answer.wanted.ok_or_else(missing)?;
        match answer.tagged.map(|image| image.digest()).transpose()? {
            Some(present) if present == *digest => Ok(()),
            Some(present) if !MOVABLE_TAGS.iter().any(|prefix| tag.starts_with(prefix)) => {
                Err(Fault::reject(format!("{wanted}: the tag names {present}")))
            }
            Some(_) | None => self.put(repository, image, digest, tag).await,
        }
    }
}

fn movable(prefix: &str) -> Result<ImageTagMutabilityExclusionFilter, BuildError> {
    ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter(format!("{prefix}*"))
        .build()
}
