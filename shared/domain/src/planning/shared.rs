//! The services whose tests share a build.

use std::collections::BTreeSet;

use super::Planner;
use crate::files::Step;
use crate::ids::ServiceName;
use crate::spec::{BuildSettings, ServiceSpec};

/// The most services of one build: their attempts stand in one of its variables, one after the other.
const MOST: usize = 8;

impl Planner<'_> {
    /// The groups, held against the services; a problem elsewhere may be why a service is missing, and comes first.
    pub(super) fn shared_builds(
        &mut self,
        groups: &[Vec<ServiceName>],
        services: &[ServiceSpec],
    ) -> Vec<Vec<ServiceName>> {
        if !self.problems.is_empty() {
            return Vec::new();
        }
        let mut placed = BTreeSet::new();
        for group in groups {
            self.refuse_group(group, services, &mut placed);
        }
        groups.to_vec()
    }

    fn refuse_group<'a>(
        &mut self,
        group: &'a [ServiceName],
        services: &[ServiceSpec],
        placed: &mut BTreeSet<&'a ServiceName>,
    ) {
        if !(2..=MOST).contains(&group.len()) {
            let count = group.len();
            return self.of_group(format!(
                "2 to {MOST} services share a build; a list of `shared_builds` names {count}"
            ));
        }
        let mut first: Option<(&ServiceName, &BuildSettings)> = None;
        for name in group {
            if !placed.insert(name) {
                self.of_group(format!("`{name}` stands twice in `shared_builds`; leave it in one place"));
                continue;
            }
            let service = services.iter().find(|service| service.name == *name);
            let Some(test) = service.and_then(|service| service.test.as_ref()) else {
                let message =
                    format!("`shared_builds` names `{name}`, which is no service with tests; take it out");
                self.of_group(message);
                continue;
            };
            match first {
                None => first = Some((name, &test.build)),
                Some((other, settings)) if *settings != test.build => {
                    let message = format!(
                        "`{other}` and `{name}` cannot share a build: their `test` differs in {}; give both the same, \
                         or take one of them out of `shared_builds`",
                        differences(settings, &test.build).join(", ")
                    );
                    self.of_group(message);
                }
                Some(_) => {}
            }
        }
    }

    fn of_group(&mut self, message: String) {
        self.problem(&[Step::Key("shared_builds")], message);
    }
}

/// The fields in which they differ, as the pipeline file calls them.
fn differences(one: &BuildSettings, other: &BuildSettings) -> Vec<&'static str> {
    [
        ("`environment`", one.environment != other.environment),
        ("`secrets`", one.secrets != other.secrets),
        ("`image`", one.image != other.image),
        ("`compute`", one.compute != other.compute),
        ("`timeout`", one.timeout != other.timeout),
        ("`retries`", one.retries != other.retries),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
