//! Reads the built image back from the registry by its digest and tags it for people. What the registry does not
//! hold does not pass.

use domain::next::Learned;
use domain::ports::{Answer, Fault, Images};
use domain::task::{Output, Verdict};
use domain::time::Timestamp;
use jiff::tz::TimeZone;
use lambda::{Case, StageWork};

/// The stage's work with its ports.
#[derive(Debug)]
pub struct Publishing<I> {
    /// The registry.
    pub images: I,
}

impl<I: Images> StageWork for Publishing<I> {
    async fn start(&self, case: &Case<'_>, _adopt: bool) -> Answer<Learned> {
        let Some(Output::Image { image, .. }) =
            case.previous.and_then(|build| build.verdict()).map(|verdict| &verdict.output)
        else {
            return Err(Fault::reject(format!("task `{}` follows no built image", case.task.id)));
        };
        let Some(spec) = case.task.spec.service().and_then(|service| service.image.as_ref()) else {
            return Err(Fault::reject(format!("task `{}` has no image", case.task.id)));
        };
        if !self.images.holds(&spec.repository, &image.digest).await? {
            let summary =
                format!("the registry does not hold `{image}`; somebody deleted it after its build");
            return Ok(Learned::Concluded(Verdict::failed(summary, Output::None)));
        }
        let tag = tag_for_people(&case.head.origin.branch, case.head.created, case.head.id.sha.short());
        self.images.tag(&spec.repository, &image.digest, &tag).await?;
        let output = Output::Image { image: image.clone(), log: None };
        Ok(Learned::Concluded(Verdict::passed(format!("published as `{tag}`"), output)))
    }

    async fn observe(&self, case: &Case<'_>, _handle: &str) -> Answer<Learned> {
        self.start(case, true).await
    }
}

/// `<branch>-<date>-<short sha>`, in the characters that a tag allows
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).
fn tag_for_people(branch: &str, created: Timestamp, short: &str) -> String {
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
        assert_eq!(tag_for_people("develop", noon, "abc1234"), "develop-20261123-abc1234");
        assert_eq!(tag_for_people("feature/Größe", noon, "abc1234"), "feature-Gr--e-20261123-abc1234");
        assert_eq!(tag_for_people("--x", noon, "abc1234"), "x-20261123-abc1234");
    }
}
