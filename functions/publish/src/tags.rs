//! The tags of an image: for people when it is published, and for what an environment runs once that is verified.

use domain::ids::{RunId, Stage, TaskId};
use domain::message::Verified;
use domain::ports::{Answer, Environments, Fault, Images, Runs};
use domain::scan::RELEASED;
use domain::task::{Outcome, Output, PinnedImage, Task};
use domain::time::Timestamp;
use jiff::tz::TimeZone;

/// How often the newest verified release may be another one after its tags were written. Each time somebody has verified
/// a release meanwhile, which takes seconds.
const MOST_LOOKS: usize = 5;

/// Lets the tags follow a task of verify that has passed: `released-…` names its image for good, and
/// `env-<environment>` is moved to the image of the environment's verified release. That is read, not told, and read
/// again at the end: whoever comes late, or lay still in between, leaves the newest one's tags.
pub(crate) async fn follow(
    store: &(impl Runs + Environments),
    images: &impl Images,
    Verified { run, task }: &Verified,
) -> Answer<()> {
    let (Stage::Verify, Some(service), Some(environment)) =
        (task.stage, task.subject.service(), &task.environment)
    else {
        return Err(Fault::reject("field `task` must be a task of verify"));
    };
    if let Some(image) = passed(store, run, task).await? {
        images.tag(name_of(&image)?, &image.digest, &released(&image)).await?;
    }
    let newest = async || -> Answer<Option<PinnedImage>> {
        let (_, verified) = store.releases(&run.repository, environment, service).await?;
        Ok(verified.and_then(|release| release.image))
    };
    let mut image = newest().await?;
    for _ in 0..MOST_LOOKS {
        let Some(pinned) = &image else {
            tracing::warn!(%run, %task, "no verified release has an image; nothing is tagged");
            return Ok(());
        };
        let name = name_of(pinned)?;
        images.tag(name, &pinned.digest, &released(pinned)).await?;
        images.tag(name, &pinned.digest, &format!("env-{environment}")).await?;
        let now = newest().await?;
        if now == image {
            tracing::info!(%run, %task, image = %pinned, "tagged as verified");
            return Ok(());
        }
        image = now;
    }
    Err(Fault::retry(
        "the tags of a verified release are not settled",
        "another one is verified all the time",
    ))
}

/// The image that the run has published, where its task of verify has passed. A way back verifies an image of another
/// run, which had its tag then.
async fn passed(store: &impl Runs, run: &RunId, task: &TaskId) -> Answer<Option<PinnedImage>> {
    let publish = TaskId { stage: Stage::Publish, environment: None, ..task.clone() };
    if task.subject.is_rollback() {
        return Ok(None);
    }
    let (_, tasks) = store.case(run, &[task.clone(), publish.clone()]).await?;
    let verdict = |id: &TaskId| {
        let verdict = tasks.iter().find(|known| known.id == *id).and_then(Task::verdict);
        verdict.filter(|verdict| verdict.outcome == Outcome::Passed)
    };
    Ok(match (verdict(task), verdict(&publish).map(|verdict| &verdict.output)) {
        (Some(_), Some(Output::Image { image, .. })) => Some(image.clone()),
        _ => None,
    })
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
