//! What a test build runs in, as the file says.

use super::Planner;
use crate::files::pipeline::BuildEntry;
use crate::files::{Retries, Step};
use crate::spec::BuildSettings;

/// The most variables of a build beside Slipway's own.
const MOST_VARIABLES: usize = 50;

impl Planner<'_> {
    /// The settings of the mapping at the end of the way.
    pub(super) fn settings(
        &mut self,
        way: &[Step<'_>],
        entry: &BuildEntry,
        retries: Option<Retries>,
    ) -> BuildSettings {
        let environment = entry.environment.clone().unwrap_or_default();
        let secrets = entry.secrets.clone().unwrap_or_default();
        for name in secrets.keys().filter(|name| environment.contains_key(name)) {
            let place = [way, &[Step::Key("secrets"), Step::Key(name.as_str())]].concat();
            let whose = dotted(way);
            let message = format!(
                "`{name}` stands in `{whose}.environment` and in `{whose}.secrets`; take it out of one of them"
            );
            self.problem(&place, message);
        }
        let count = environment.len() + secrets.len();
        if count > MOST_VARIABLES {
            let message = format!(
                "`{}` has {count} variables in `environment` and `secrets`; at most {MOST_VARIABLES} are allowed",
                dotted(way)
            );
            self.problem(way, message);
        }
        BuildSettings {
            environment: environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            secrets: secrets.into_iter().map(|(name, secret)| (name.into(), secret.into())).collect(),
            image: entry.image.clone().map(Into::into),
            compute: entry.compute,
            timeout: entry.timeout.map(crate::files::Minutes::get),
            retries: retries.map_or(0, Retries::get),
        }
    }
}

/// `services.chat.test`
fn dotted(way: &[Step<'_>]) -> String {
    let words = way.iter().map(|step| match step {
        Step::Key(word) | Step::Item(word) => *word,
    });
    words.collect::<Vec<_>>().join(".")
}
