//! What a rollout does beside applying manifests.

use super::Planner;
use super::tree::plain;
use crate::files::Step;
use crate::files::pipeline::{PIPELINE_FILE, ServiceEntry};
use crate::ids::{RepositoryPath, ServiceName};
use crate::spec::RolloutSpec;

impl Planner<'_> {
    pub(super) fn rollout(&mut self, name: &ServiceName, entry: &ServiceEntry) -> RolloutSpec {
        RolloutSpec {
            pre_deploy: self.jobs(name, "pre_deploy", entry.pre_deploy.as_deref()),
            post_deploy: self.jobs(name, "post_deploy", entry.post_deploy.as_deref()),
            on_failure: entry.on_failure.unwrap_or_default(),
        }
    }

    fn jobs(
        &mut self,
        name: &ServiceName,
        field: &'static str,
        named: Option<&[RepositoryPath]>,
    ) -> Vec<RepositoryPath> {
        let mut found = Vec::new();
        for written in named.unwrap_or_default() {
            let path = self.in_environment(plain(written.as_str()));
            if self.some(&path, |path| self.tree.has_file(path)) {
                found.extend(path.parse().ok());
                continue;
            }
            let near = self.did_you_mean(&path);
            let message = format!(
                "service `{name}`: `{path}` is not in the commit;{near} add it, or take it out of \
                 `services.{name}.{field}` in `{PIPELINE_FILE}`"
            );
            self.of_service(name, &[Step::Key(field), Step::Item(written.as_str())], message);
        }
        found
    }
}
