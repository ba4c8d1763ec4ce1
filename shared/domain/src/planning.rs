//! From the tree of a commit and its pipeline file to the plan.
//!
//! The convention, for what the file leaves open:
//! - every `backend/<service>/` with a Dockerfile is a service, unless the file has `services`;
//! - its tests are `pytest backend/<service>/tests/ -v --cov=backend/<service>` with at least 80 % coverage, also where
//!   the folder is missing: a service without tests is red, never skipped;
//! - its image is `vive-sphere/<service>`, its manifest `infrastructure/kubernetes/<service>-deployment.yaml` (or the
//!   same with `-` for `_`), its health `/api/v1/<service>/health` on port 8000 of the Kubernetes Service of its name;
//! - a manifest `infrastructure/kubernetes/<name>-deployment.yaml` that belongs to no service is a component: deployed
//!   and verified, neither built nor tested nor probed;
//! - `pytest integration_tests/ -v` where that folder exists; flake8 over those of `backend/` and `docs/` that exist,
//!   bandit over `backend/`.

use std::collections::BTreeMap;

use crate::files::pipeline::{ChecksEntry, PIPELINE_FILE, PipelineFile, ServiceEntry};
use crate::ids::{RepositoryPath, ServiceName};
use crate::spec::{ChecksSpec, IntegrationSpec, Notifications, Plan, ServiceSpec};
use crate::text;

mod service;
mod tree;

pub use tree::Tree;

const SERVICES_FOLDER: &str = "backend";
const MANIFESTS_FOLDER: &str = "infrastructure/kubernetes";
const MANIFEST_SUFFIX: &str = "-deployment.yaml";
const INTEGRATION_FOLDER: &str = "integration_tests";
const MOST_PROBLEMS: usize = 50;

/// Decides what the commit says must run.
///
/// # Errors
///
/// Every problem found, one sentence each with what to do about it, all at once.
pub fn plan(file: Option<&PipelineFile>, tree: &Tree) -> Result<Plan, Vec<String>> {
    let mut planner = Planner { tree, problems: Vec::new(), notes: Vec::new() };
    if file.is_none() {
        planner.notes.push(format!("there is no `{PIPELINE_FILE}`: the convention decides"));
    }
    let default = PipelineFile::default();
    let file = file.unwrap_or(&default);
    let services = match &file.services {
        Some(named) => planner.named(named),
        None => planner.found(),
    };
    planner.refuse_collisions(&services);
    let checks = planner.checks(file.checks.as_ref());
    let integration = planner.integration(file, &services);
    if services.is_empty() && checks.is_none() && integration.is_none() && planner.problems.is_empty() {
        planner.problems.push(format!(
            "there is nothing to run: no `{SERVICES_FOLDER}/<service>/Dockerfile`, no `{INTEGRATION_FOLDER}/`; \
             name the services in `{PIPELINE_FILE}`"
        ));
    }
    let notifications =
        file.notifications.as_ref().map_or_else(Notifications::default, |entry| Notifications {
            slack: entry.slack.clone().map(Into::into),
            email: entry.email.iter().cloned().map(Into::into).collect(),
        });
    planner.finish(Plan { services, checks, integration, notifications, notes: Vec::new() })
}

/// Collects what is decided and what is wrong on the way to the plan.
struct Planner<'a> {
    tree: &'a Tree,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Planner<'_> {
    /// Exactly the services that the file names.
    fn named(&mut self, named: &BTreeMap<ServiceName, Option<ServiceEntry>>) -> Vec<ServiceSpec> {
        let open = ServiceEntry::default();
        named.iter().filter_map(|(name, entry)| self.service(name, entry.as_ref().unwrap_or(&open))).collect()
    }

    /// The services and components that the convention finds.
    fn found(&mut self) -> Vec<ServiceSpec> {
        let mut names = Vec::new();
        for folder in self.tree.folders_with("Dockerfile", SERVICES_FOLDER) {
            match folder.parse::<ServiceName>() {
                Ok(name) => names.push(name),
                Err(invalid) => self.problems.push(format!(
                    "the folder of `{SERVICES_FOLDER}/{}/Dockerfile` cannot name a service: {}; rename it or name the \
                     services in `{PIPELINE_FILE}`",
                    text::first_line(&folder, 80),
                    text::first_line(&invalid.to_string(), 300),
                )),
            }
        }
        let mut services: Vec<ServiceSpec> =
            names.iter().filter_map(|name| self.service(name, &ServiceEntry::default())).collect();
        if !names.is_empty() {
            self.notes.push(format!("services by convention: {}", listed(&names)));
        }
        services.extend(self.components(&names));
        services.sort_by(|left, right| left.name.cmp(&right.name));
        services
    }

    fn components(&mut self, services: &[ServiceName]) -> Vec<ServiceSpec> {
        let mut components = Vec::new();
        for file in self.tree.files_in(MANIFESTS_FOLDER) {
            let Some(stem) = file.strip_suffix(MANIFEST_SUFFIX) else { continue };
            if services.iter().any(|name| name.as_str() == stem || name.dns_label() == stem) {
                continue;
            }
            let path = format!("{MANIFESTS_FOLDER}/{file}");
            match (stem.parse::<ServiceName>(), path.parse::<RepositoryPath>()) {
                (Ok(name), Ok(manifest)) => {
                    self.notes.push(format!("`{name}` is a component: `{path}` belongs to no service folder"));
                    components.extend(self.component(&name, vec![manifest]));
                }
                (Err(invalid), _) | (_, Err(invalid)) => self.problems.push(format!(
                    "a manifest in `{MANIFESTS_FOLDER}` cannot name a component: {}; rename it or name the services \
                     in `{PIPELINE_FILE}`",
                    text::first_line(&invalid.to_string(), 300),
                )),
            }
        }
        components
    }

    /// Two services that would push to one image repository, or own the same Kubernetes names.
    fn refuse_collisions(&mut self, services: &[ServiceSpec]) {
        let mut images: BTreeMap<&str, &ServiceName> = BTreeMap::new();
        let mut labels: BTreeMap<String, &ServiceName> = BTreeMap::new();
        for service in services {
            let image = service.image.as_ref().map(|image| image.repository.as_str());
            if let Some((image, other)) =
                image.and_then(|image| Some((image, images.insert(image, &service.name)?)))
            {
                self.problems.push(format!(
                    "services `{other}` and `{}` both have the image `{image}`; give one of them another `image`",
                    service.name
                ));
            }
            if let Some(other) = labels.insert(service.name.dns_label(), &service.name) {
                self.problems.push(format!(
                    "services `{other}` and `{}` are the same name to Kubernetes; rename one of them",
                    service.name
                ));
            }
        }
    }

    fn checks(&mut self, entry: Option<&ChecksEntry>) -> Option<ChecksSpec> {
        let open = ChecksEntry::default();
        let entry = entry.unwrap_or(&open);
        let flake8 = self.folders("flake8", entry.flake8.as_deref(), &[SERVICES_FOLDER, "docs"]);
        let bandit = self.folders("bandit", entry.bandit.as_deref(), &[SERVICES_FOLDER]);
        (!flake8.is_empty() || !bandit.is_empty()).then_some(ChecksSpec { flake8, bandit })
    }

    fn folders(
        &mut self,
        tool: &str,
        named: Option<&[RepositoryPath]>,
        usual: &[&str],
    ) -> Vec<RepositoryPath> {
        let Some(named) = named else {
            let existing = usual.iter().filter(|folder| self.tree.has_folder(folder));
            return existing.filter_map(|folder| format!("{folder}/").parse().ok()).collect();
        };
        for path in named.iter().filter(|path| !self.tree.has_path(path.as_str())) {
            self.problems
                .push(format!("`{path}` is not in the commit; take it from `checks.{tool}` or add it"));
        }
        named.to_vec()
    }

    fn integration(&mut self, file: &PipelineFile, services: &[ServiceSpec]) -> Option<IntegrationSpec> {
        let command = match &file.integration {
            Some(entry) => entry.command.as_str().to_owned(),
            None if self.tree.has_folder(INTEGRATION_FOLDER) => format!("pytest {INTEGRATION_FOLDER}/ -v"),
            None => {
                self.notes.push(format!("no integration tests: there is no `{INTEGRATION_FOLDER}/`"));
                return None;
            }
        };
        let built = services.iter().filter(|service| service.image.is_some());
        let mut folders: Vec<&str> = built.map(|service| service.path.as_str()).collect();
        folders.push(INTEGRATION_FOLDER);
        Some(IntegrationSpec { command, requirements: self.tree.requirements(&folders) })
    }

    fn finish(mut self, plan: Plan) -> Result<Plan, Vec<String>> {
        if self.problems.is_empty() {
            return Ok(Plan { notes: self.notes, ..plan });
        }
        let more = self.problems.len().saturating_sub(MOST_PROBLEMS);
        if more > 0 {
            self.problems.truncate(MOST_PROBLEMS);
            self.problems.push(format!("and {more} more problems"));
        }
        Err(self.problems)
    }
}

fn listed(names: &[ServiceName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
