//! What the build of an image gets beside its folder.

use std::collections::BTreeMap;

use super::Planner;
use crate::files::Step;
use crate::files::pipeline::{ImageBuildEntry, ServiceEntry};
use crate::ids::ServiceName;

/// What the build itself gives.
const GIVEN: [&str; 3] = ["BASE_IMAGE", "BUILDKIT_INLINE_CACHE", "SOURCE_DATE_EPOCH"];

impl Planner<'_> {
    /// Arguments and secrets.
    pub(super) fn image_build(
        &mut self,
        name: &ServiceName,
        entry: &ServiceEntry,
    ) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let ImageBuildEntry { arguments, secrets } = entry.build.clone().unwrap_or_default();
        let (arguments, secrets) = (arguments.unwrap_or_default(), secrets.unwrap_or_default());
        for given in arguments.keys().filter(|argument| GIVEN.contains(&argument.as_str())) {
            let way = [Step::Key("build"), Step::Key("arguments"), Step::Key(given.as_str())];
            let message = format!("service `{name}`: the build itself sets `{given}`; take it out");
            self.of_service(name, &way, message);
        }
        (
            arguments.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            secrets.into_iter().map(|(name, secret)| (name.into(), secret.into())).collect(),
        )
    }
}
