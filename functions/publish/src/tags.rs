//! The tags of an image: for people when it is published, and for what an environment runs once that is verified.

use domain::message::Verified;
use domain::ports::{Answer, Environments, Fault, Images};
use domain::scan::RELEASED;
use domain::task::PinnedImage;
use domain::time::Timestamp;
use jiff::tz::TimeZone;

/// How often the newest verified release may be another one after its tags were written. Each time somebody has verified
/// a release meanwhile, which takes seconds.
const MOST_LOOKS: usize = 5;

/// Lets the tags follow the verified release of a service: `released-…` names its image for good, and
/// `env-<environment>` is moved to it. The release is read, not told, and read again at the end: whoever comes late, or
/// lay still in between, leaves the newest one's tags.
pub(crate) async fn follow(
    store: &impl Environments,
    images: &impl Images,
    verified: &Verified,
) -> Answer<()> {
    let Verified { repository, environment, service } = verified;
    let newest = async || -> Answer<Option<PinnedImage>> {
        let (_, verified) = store.releases(repository, environment, service).await?;
        Ok(verified.and_then(|release| release.image))
    };
    let mut image = newest().await?;
    for _ in 0..MOST_LOOKS {
        let Some(pinned) = &image else {
            tracing::warn!(%repository, %environment, %service, "no verified release has an image; nothing is tagged");
            return Ok(());
        };
        let name = name_of(pinned)?;
        images.tag(name, &pinned.digest, &released(pinned)).await?;
        images.tag(name, &pinned.digest, &format!("env-{environment}")).await?;
        let now = newest().await?;
        if now == image {
            tracing::info!(%repository, %environment, %service, image = %pinned, "tagged as verified");
            return Ok(());
        }
        image = now;
    }
    Err(Fault::retry(
        "the tags of a verified release are not settled",
        "another one is verified all the time",
    ))
}

/// The registry's name of the repository, without the registry.
fn name_of(image: &PinnedImage) -> Answer<&str> {
    let named = image.repository.split_once('/').map(|(_, name)| name);
    named.ok_or_else(|| Fault::reject(format!("the address `{}` names no repository", image.repository)))
}

/// The tag of the digest, the same for every release of it.
fn released(image: &PinnedImage) -> String {
    let digest = image.digest.as_str();
    let hexadecimal = digest.split_once(':').map_or(digest, |(_, hexadecimal)| hexadecimal);
    format!("{RELEASED}{hexadecimal}")
}

/// `<branch>-<date>-<short sha>`, in the characters that a tag allows
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).
pub(crate) fn for_people(branch: &str, created: Timestamp, short: &str) -> String {
    let safe: String = branch
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(80)
        .collect();
    let safe = safe.trim_start_matches(['.', '-']);
    let seconds = i64::try_from(created.seconds()).unwrap_or(i64::MAX);
    let date = jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d")
        .to_string();
    format!("{safe}-{date}-{short}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_hold_only_what_a_registry_takes() {
        let noon = Timestamp(1_795_435_200_000);
        assert_eq!(for_people("develop", noon, "abc1234"), "develop-20261123-abc1234");
        assert_eq!(for_people("feature/Größe", noon, "abc1234"), "feature-Gr--e-20261123-abc1234");
        assert_eq!(for_people("--x", noon, "abc1234"), "x-20261123-abc1234");
    }

    #[test]
    fn a_release_is_tagged_by_its_digest() {
        let digest = format!("sha256:{}", "ab".repeat(32)).parse().expect("a digest");
        let image =
            PinnedImage { repository: "127.0.0.1:4566/vive-sphere/authentication".to_owned(), digest };
        assert_eq!(released(&image), format!("released-{}", "ab".repeat(32)));
        assert_eq!(name_of(&image).ok(), Some("vive-sphere/authentication"));
    }
}
