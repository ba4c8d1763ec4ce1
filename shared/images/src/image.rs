//! Reads manifests and writes tags.

use aws_sdk_ecr::operation::batch_get_image::{BatchGetImageError, BatchGetImageOutput};
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::{Image, ImageFailureCode, ImageIdentifier};
use domain::ids::Digest;
use domain::ports::{Answer, Fault, Images as _};

use crate::Images;

/// Every form that a push may have had: without them ECR would convert a manifest, and its digest with it.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// What a repository holds of a digest and under a tag.
pub(crate) struct Read {
    pub(crate) wanted: Option<Found>,
    pub(crate) tagged: Option<Found>,
}

/// An image in the registry.
#[derive(Clone)]
pub(crate) struct Found(Image);

impl Found {
    pub(crate) fn digest(&self) -> Answer<Digest> {
        let digest = self.0.image_id().and_then(ImageIdentifier::image_digest).unwrap_or_default();
        digest.parse().map_err(|error| aws::lasting("the registry names an image without a digest", error))
    }

    fn is(&self, digest: &Digest) -> bool {
        self.digest().is_ok_and(|own| own == *digest)
    }
}

impl Images {
    /// Asks for a digest, a tag or both in one request; none where there is no such repository.
    pub(crate) async fn read(
        &self,
        repository: &str,
        digest: Option<&Digest>,
        tag: Option<&str>,
    ) -> Answer<Option<Read>> {
        let by_digest = digest.map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
        let by_tag = tag.map(|tag| ImageIdentifier::builder().image_tag(tag).build());
        let sent = self
            .client
            .batch_get_image()
            .repository_name(repository)
            .set_image_ids(Some([by_digest, by_tag].into_iter().flatten().collect()))
            .set_accepted_media_types(Some(MEDIA_TYPES.map(String::from).to_vec()))
            .send()
            .await;
        match sent {
            Ok(answer) => read_from(answer, digest, tag).map(Some),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(BatchGetImageError::is_repository_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(aws::fault(format!("images of `{repository}` cannot be read"), error)),
        }
    }

    /// Writes the image's own manifest under one more tag.
    pub(crate) async fn put(&self, repository: &str, image: Found, digest: &Digest, tag: &str) -> Answer<()> {
        let sent = self
            .client
            .put_image()
            .repository_name(repository)
            .set_image_manifest(image.0.image_manifest)
            .set_image_manifest_media_type(image.0.image_manifest_media_type)
            .image_digest(digest.as_str())
            .image_tag(tag)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(PutImageError::is_image_already_exists_exception) =>
            {
                Ok(())
            }
            Err(error) => {
                let raced = error
                    .as_service_error()
                    .is_some_and(PutImageError::is_image_tag_already_exists_exception);
                // Somebody else may have given the same digest the same tag meanwhile.
                if raced && self.digest(repository, tag).await?.as_ref() == Some(digest) {
                    return Ok(());
                }
                Err(aws::fault(format!("`{repository}@{digest}` cannot be tagged `{tag}`"), error))
            }
        }
    }
}

/// Sorts the answer. What is missing stands among the failures under the name it was asked by.
fn read_from(answer: BatchGetImageOutput, digest: Option<&Digest>, tag: Option<&str>) -> Answer<Read> {
    let failures = answer.failures.unwrap_or_default();
    let severe =
        failures.iter().find(|failure| failure.failure_code() != Some(&ImageFailureCode::ImageNotFound));
    if let Some(failure) = severe {
        let why = failure.failure_reason().unwrap_or("no reason").to_owned();
        return Err(Fault::retry("the registry cannot read an image", why));
    }
    let tag_is_missing = failures.iter().any(|failure| {
        failure.image_id().is_some_and(|id| id.image_tag().is_some() && id.image_tag() == tag)
    });
    let images: Vec<Found> = answer.images.unwrap_or_default().into_iter().map(Found).collect();
    let wanted = digest.and_then(|digest| images.iter().find(|image| image.is(digest)).cloned());
    let tagged = match (tag, tag_is_missing) {
        (None, _) | (_, true) => None,
        // Another digest than the one asked for can only be the tag's.
        (Some(_), false) => images
            .iter()
            .find(|image| digest.is_none_or(|digest| !image.is(digest)))
            .or(images.first())
            .cloned(),
    };
    Ok(Read { wanted, tagged })
}
