//! What becomes of images that nobody needs any more.

use std::num::ParseIntError;
use std::time::{Duration, SystemTime};

use aws_sdk_ecr::operation::get_lifecycle_policy::GetLifecyclePolicyError;
use aws_sdk_ecr::types::Repository;
use domain::ports::Answer;
use domain::scan::RELEASED;

use crate::Images;

/// The lifecycle policy that new repositories get
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifecycle {
    kept: u32,
    untagged_days: u32,
}

/// Numbers of a lifecycle that are none.
#[derive(Debug, thiserror::Error)]
#[error("the number of kept images and the days of untagged ones must be whole numbers")]
pub struct InvalidLifecycle(#[source] ParseIntError);

/// The first rule matches released images and expires none: an image that a rule matches cannot be expired by one of
/// lower priority, and no repository comes to hold so many that were released.
const NEVER: u32 = 9_999;

/// For how long after a repository was made it is seen to that it has a policy: whoever died between making it and
/// giving it one comes again within minutes, or by a person's hand within the day. Older ones are left as they are.
const NEW: Duration = Duration::from_hours(24);

impl Lifecycle {
    /// Keeps so many of the newest images of a repository, beside all that were released, and untagged ones for so many
    /// days; with no kept images nothing ever expires.
    ///
    /// # Errors
    /// When one of them is no whole number.
    pub fn parse(kept: &str, untagged_days: &str) -> Result<Option<Self>, InvalidLifecycle> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(InvalidLifecycle);
        let (kept, untagged_days) = (number(kept)?, number(untagged_days)?);
        Ok((kept > 0).then_some(Self { kept, untagged_days: untagged_days.max(1) }))
    }

    /// The policy's text.
    fn text(self) -> String {
        let Self { kept, untagged_days } = self;
        let rules = [
            format!(
                r#"{{"rulePriority":1,"description":"Released images are kept","selection":{{"tagStatus":"tagged","tagPrefixList":["{RELEASED}"],"countType":"imageCountMoreThan","countNumber":{NEVER}}},"action":{{"type":"expire"}}}}"#
            ),
            format!(
                r#"{{"rulePriority":2,"description":"Images without a tag expire","selection":{{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":{untagged_days}}},"action":{{"type":"expire"}}}}"#
            ),
            format!(
                r#"{{"rulePriority":3,"description":"Of all others the newest are kept","selection":{{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":{kept}}},"action":{{"type":"expire"}}}}"#
            ),
        ];
        format!(r#"{{"rules":[{}]}}"#, rules.join(","))
    }
}

impl Images {
    /// Gives a new repository its lifecycle policy, unless somebody has given it one.
    pub(crate) async fn give_lifecycle(&self, name: &str, repository: &Repository) -> Answer<()> {
        let Some(lifecycle) = self.lifecycle.filter(|_| is_new(repository)) else { return Ok(()) };
        let asked = self.client.get_lifecycle_policy().repository_name(name).send().await;
        match asked {
            Ok(_) => return Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetLifecyclePolicyError::is_lifecycle_policy_not_found_exception) => {}
            Err(error) => {
                return Err(aws::fault(format!("the lifecycle policy of `{name}` cannot be read"), error));
            }
        }
        let put = self.client.put_lifecycle_policy().repository_name(name);
        match put.lifecycle_policy_text(lifecycle.text()).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(aws::fault(format!("repository `{name}` gets no lifecycle policy"), error)),
        }
    }
}

/// A repository whose age is not told counts as old: it is left as it is.
fn is_new(repository: &Repository) -> bool {
    let made = repository.created_at().and_then(|made| SystemTime::try_from(*made).ok());
    made.is_some_and(|made| made.elapsed().unwrap_or_default() < NEW)
}
