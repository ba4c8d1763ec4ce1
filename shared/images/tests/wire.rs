//! The registry against a local ECR, and against one in which somebody else is faster.

#[path = "wire/lifecycle.rs"]
mod lifecycle;
#[path = "wire/scans.rs"]
mod scans;

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability};
use domain::ids::Digest;
use domain::ports::{Advice, Images as _};
use images::Images;
use serde_json::{Value, json};
use testkit::aws;
use testkit::aws_json::{JsonService, refusal};

type Outcome = Result<(), Box<dyn Error>>;

fn config() -> SdkConfig {
    aws::config(local_ministack::shared().endpoint())
}

/// An image manifest that differs from every other with another number.
fn manifest(number: u32) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": number, "digest": "sha256:00" },
        "layers": [],
    })
    .to_string()
}

/// A new repository that holds image 1 tagged `one` and image 2 tagged `two`; their digests.
async fn repository(config: &SdkConfig) -> Result<(String, Digest, Digest), Box<dyn Error>> {
    let name = aws::unique("vive-sphere/service");
    Images::new(config, None).ensure_repository(&name).await?;
    let mut digests = Vec::new();
    for (number, tag) in [(1, "one"), (2, "two")] {
        let request = Client::new(config).put_image().repository_name(&name).image_tag(tag);
        let answer = request
            .image_manifest(manifest(number))
            .image_manifest_media_type("application/vnd.oci.image.manifest.v1+json")
            .send()
            .await?;
        let id = answer.image().and_then(|image| image.image_id()).and_then(|id| id.image_digest());
        digests.push(id.ok_or("an image has a digest")?.parse()?);
    }
    let [one, two] = digests.try_into().map_err(|_| "two images")?;
    Ok((name, one, two))
}

#[tokio::test]
async fn a_repository_is_made_once() -> Outcome {
    let (config, name) = (config(), aws::unique("vive-sphere/new"));
    let images = Images::new(&config, None);

    let answers = tokio::join!(
        images.ensure_repository(&name),
        images.ensure_repository(&name),
        images.ensure_repository(&name),
    );
    let address = images.ensure_repository(&name).await?;

    assert!(address.ends_with(&format!(".amazonaws.com/{name}")), "{address}");
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer?, address);
    }
    let found = Client::new(&config).describe_repositories().repository_names(&name).send().await?;
    let repository = found.repositories().first().ok_or("it was made")?;
    assert_eq!(
        repository.image_tag_mutability().map(ImageTagMutability::as_str),
        Some("IMMUTABLE_WITH_EXCLUSION")
    );
    assert!(repository.image_scanning_configuration().is_some_and(ImageScanningConfiguration::scan_on_push));
    Ok(())
}

#[tokio::test]
async fn a_local_registry_has_its_own_address() -> Outcome {
    let (config, name) = (config(), aws::unique("vive-sphere/local"));
    let images = Images::new(&config, Some("127.0.0.1:4566/".to_owned()));
    assert_eq!(images.ensure_repository(&name).await?, format!("127.0.0.1:4566/{name}"));
    assert_eq!(images.ensure_repository(&name).await?, format!("127.0.0.1:4566/{name}"));
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_none() -> Outcome {
    let config = config();
    let (name, one, _) = repository(&config).await?;
    let images = Images::new(&config, None);
    let unknown: Digest = format!("sha256:{}", "0".repeat(64)).parse()?;
    assert_eq!(images.digest(&name, "nowhere").await?, None);
    assert_eq!(images.digest("vive-sphere/nowhere", "one").await?, None);
    assert!(!images.holds(&name, &unknown).await?);
    assert!(!images.holds("vive-sphere/nowhere", &one).await?);
    let tagged = images.tag(&name, &unknown, "three").await.err().ok_or("it was tagged")?;
    assert_eq!(tagged.advice, Advice::Reject);
    assert!(tagged.chain().ends_with("the registry does not hold it"), "{}", tagged.chain());
    Ok(())
}

#[tokio::test]
async fn a_digest_gets_more_tags_but_no_tag_moves() -> Outcome {
    let config = config();
    let (name, one, two) = repository(&config).await?;
    let images = Images::new(&config, None);
    assert_eq!(images.digest(&name, "one").await?, Some(one.clone()));
    assert_eq!(images.digest(&name, "two").await?, Some(two.clone()));
    assert!(images.holds(&name, &one).await?);

    images.tag(&name, &one, "commit").await?;
    images.tag(&name, &one, "commit").await?;
    let moved = images.tag(&name, &two, "commit").await.err().ok_or("the tag moved")?;

    assert_eq!(moved.advice, Advice::Reject);
    assert!(moved.chain().ends_with(&format!("the tag names {one}")), "{}", moved.chain());
    for tag in ["one", "commit"] {
        assert_eq!(images.digest(&name, tag).await?, Some(one.clone()), "{tag}");
    }
    Ok(())
}

#[tokio::test]
async fn the_tag_of_an_environment_moves() -> Outcome {
    let config = config();
    let (name, one, two) = repository(&config).await?;
    let images = Images::new(&config, None);
    images.tag(&name, &one, "env-development").await?;
    images.tag(&name, &two, "env-development").await?;
    assert_eq!(images.digest(&name, "env-development").await?, Some(two));
    assert_eq!(images.digest(&name, "one").await?, Some(one));
    Ok(())
}

fn digest(number: u8) -> Result<Digest, Box<dyn Error>> {
    Ok(format!("sha256:{}", format!("{number:x}").repeat(64)).parse()?)
}

/// A registry that refuses the tag because it came to name `present` between reading and writing.
async fn raced(present: Digest) -> Result<JsonService, Box<dyn Error>> {
    let wanted = digest(1)?;
    let mut taken = false;
    let service = JsonService::start(move |operation, input| {
        if operation == "PutImage" {
            taken = true;
            return refusal("ImageTagAlreadyExistsException");
        }
        let ids = input["imageIds"].as_array().cloned().unwrap_or_default();
        let image = |digest: &str| json!({ "imageId": { "imageDigest": digest }, "imageManifest": "{}" });
        let (mut images, mut failures) = (Vec::new(), Vec::<Value>::new());
        for id in ids {
            match (id["imageDigest"].as_str(), taken) {
                (Some(_), _) => images.push(image(wanted.as_str())),
                (None, true) => images.push(image(present.as_str())),
                (None, false) => failures.push(json!({ "imageId": id, "failureCode": "ImageNotFound" })),
            }
        }
        (200, json!({ "images": images, "failures": failures }))
    })
    .await?;
    Ok(service)
}

#[tokio::test]
async fn a_tag_that_another_gave_meanwhile_is_success_only_for_the_same_digest() -> Outcome {
    let same = raced(digest(1)?).await?;
    Images::new(&same.config(), None).tag("repository", &digest(1)?, "commit").await?;
    assert_eq!(same.operations(), ["BatchGetImage", "PutImage", "BatchGetImage"]);

    let other = raced(digest(2)?).await?;
    let tagged = Images::new(&other.config(), None).tag("repository", &digest(1)?, "commit").await;
    let fault = tagged.err().ok_or("it was tagged")?;
    assert_eq!(fault.advice, Advice::Reject);
    assert!(fault.chain().contains("ImageTagAlreadyExistsException"), "{}", fault.chain());
    Ok(())
}

#[tokio::test]
async fn a_repository_that_another_made_meanwhile_is_taken() -> Outcome {
    let mut created = false;
    let service = JsonService::start(move |operation, _| match (operation, created) {
        ("CreateRepository", _) => {
            created = true;
            refusal("RepositoryAlreadyExistsException")
        }
        (_, false) => refusal("RepositoryNotFoundException"),
        (_, true) => (200, json!({ "repositories": [{ "repositoryUri": "registry/name", "createdAt": 1 }] })),
    })
    .await?;

    let address = Images::new(&service.config(), None).ensure_repository("name").await?;

    assert_eq!(address, "registry/name");
    let (_, input) = service.requests().into_iter().nth(1).ok_or("it was created")?;
    let filters = json!([
        { "filterType": "WILDCARD", "filter": "cache*" },
        { "filterType": "WILDCARD", "filter": "env-*" },
    ]);
    assert_eq!(input["imageTagMutabilityExclusionFilters"], filters);
    assert_eq!(input["encryptionConfiguration"], json!({ "encryptionType": "AES256" }));
    Ok(())
}
