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
//!   bandit over `backend/`;
//! - a service's tests read its folder, the files directly in the folders above, and the folders beside its own that
//!   belong to nobody; the integration tests read all that and their own folder.

use std::collections::BTreeMap;

use crate::files::pipeline::{self, PIPELINE_FILE, PipelineFile, ServiceEntry};
use crate::files::{Builds, FileError, MOST_PROBLEMS, Place, Places, Step, did_you_mean};
use crate::ids::{EnvironmentName, RepositoryPath, ServiceName};
use crate::run::Problem;
use crate::spec::{Notifications, Plan, ServiceSpec};
use crate::text;

mod image_build;
mod manifests;
mod reads;
mod rollout;
mod service;
mod settings;
mod shared;
mod suites;
mod tree;

pub use tree::Tree;

const SERVICES_FOLDER: &str = "backend";
const MANIFESTS_FOLDER: &str = "infrastructure/kubernetes";
const MANIFEST_SUFFIX: &str = "-deployment.yaml";
const INTEGRATION_FOLDER: &str = "integration_tests";

/// Decides what the commit says must run, from its pipeline file (where it has one) and its tree.
///
/// # Errors
///
/// Every problem found in the file and between the file and the tree, one sentence each with its place and what to do
/// about it, all at once.
pub fn plan(source: Option<&[u8]>, tree: &Tree) -> Result<Plan, Vec<Problem>> {
    plan_for(source, tree, None)
}

/// As [`plan`], for the environment that the commit is delivered to: what differs between environments is what this
/// one's is.
///
/// # Errors
///
/// As those of [`plan`], and what this environment lacks.
pub fn plan_for(
    source: Option<&[u8]>,
    tree: &Tree,
    environment: Option<&EnvironmentName>,
) -> Result<Plan, Vec<Problem>> {
    let mut planner =
        Planner { tree, environment, places: Places::default(), problems: Vec::new(), notes: Vec::new() };
    let file = match source.map(pipeline::read) {
        None => {
            planner.notes.push(format!("there is no `{PIPELINE_FILE}`: the convention decides"));
            PipelineFile::default()
        }
        Some(reading) => {
            planner.places = reading.places;
            planner.problems = reading.problems.into_iter().map(in_the_file).collect();
            match reading.file {
                Some(file) if file.services.is_some() || planner.problems.is_empty() => file,
                // Nobody knows which services were meant, so there is nothing to hold against the tree.
                _ => return Err(planner.problems),
            }
        }
    };
    let file = &file;
    let services = match &file.services {
        Some(named) => planner.named(named),
        None => planner.found(),
    };
    planner.refuse_collisions(&services);
    let checks = planner.checks(file.checks.as_ref());
    let integration = planner.integration(file.integration.as_ref(), &services);
    if services.is_empty() && checks.is_none() && integration.is_none() && planner.problems.is_empty() {
        planner.problem(
            &[Step::Key("services")],
            format!(
                "there is nothing to run: no `{SERVICES_FOLDER}/<service>/Dockerfile`, no `{INTEGRATION_FOLDER}/`; \
                 name the services in `{PIPELINE_FILE}`"
            ),
        );
    }
    let shared_builds = planner.shared_builds(file.shared_builds.as_deref().unwrap_or_default(), &services);
    let notifications =
        file.notifications.as_ref().map_or_else(Notifications::default, |entry| Notifications {
            slack: entry.slack.clone().map(Into::into),
            email: entry.email.iter().flatten().cloned().map(Into::into).collect(),
        });
    let mut plan = Plan {
        services,
        checks,
        integration,
        notifications,
        shared_builds,
        max_parallel_builds: file.max_parallel_builds.map(Builds::get),
        older_runs: file.older_runs.unwrap_or_default(),
        drafts: file.drafts.unwrap_or_default(),
        ..Plan::default()
    };
    planner.fill_reads(file, &mut plan);
    planner.finish(plan)
}

/// Collects what is decided and what is wrong on the way to the plan.
struct Planner<'a> {
    tree: &'a Tree,
    /// Where the commit is delivered to; none where that is not known.
    environment: Option<&'a EnvironmentName>,
    places: Places,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

/// A problem that the reader of the pipeline file found.
fn in_the_file(error: FileError) -> Problem {
    let FileError { line, column, message } = error;
    Problem { path: PIPELINE_FILE.to_owned(), line, column, message }
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
                Err(invalid) => {
                    let shown = text::first_line(&folder, 80);
                    let invalid = text::first_line(&invalid.to_string(), 300);
                    let message = format!(
                        "the folder of `{SERVICES_FOLDER}/{shown}/Dockerfile` cannot name a service: {invalid}; \
                         rename it or name the services in `{PIPELINE_FILE}`"
                    );
                    self.elsewhere(&format!("{SERVICES_FOLDER}/{folder}/Dockerfile"), message);
                }
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
                    self.notes
                        .push(format!("`{name}` is a component: `{path}` belongs to no service folder"));
                    components.extend(self.component(&name, vec![manifest]));
                }
                (Err(invalid), _) | (_, Err(invalid)) => {
                    let message = format!(
                        "a manifest in `{MANIFESTS_FOLDER}` cannot name a component: {}; rename it or name the \
                         services in `{PIPELINE_FILE}`",
                        text::first_line(&invalid.to_string(), 300),
                    );
                    self.elsewhere(&path, message);
                }
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
                let message = format!(
                    "services `{other}` and `{}` both have the image `{image}`; give one of them another `image`",
                    service.name
                );
                self.of_service(&service.name, &[Step::Key("image")], message);
            }
            if let Some(other) = labels.insert(service.name.dns_label(), &service.name) {
                let message = format!(
                    "services `{other}` and `{}` are the same name to Kubernetes; rename one of them",
                    service.name
                );
                self.of_service(&service.name, &[], message);
            }
        }
    }

    /// A problem of the pipeline file: of its entry at the end of the way, where it has one.
    fn problem(&mut self, way: &[Step<'_>], message: String) {
        let place = self.places.of(way);
        self.add(PIPELINE_FILE, place, message);
    }

    /// A problem of a service that the file names, or whose folder the convention has found.
    fn of_service(&mut self, name: &ServiceName, field: &[Step<'_>], message: String) {
        let mut way = vec![Step::Key("services"), Step::Key(name.as_str())];
        let dockerfile = format!("{SERVICES_FOLDER}/{name}/Dockerfile");
        if self.places.of(&way).is_none() && self.tree.has_file(&dockerfile) {
            return self.elsewhere(&dockerfile, message);
        }
        way.extend(field);
        self.problem(&way, message);
    }

    /// A problem that another file of the commit makes.
    fn elsewhere(&mut self, path: &str, message: String) {
        self.add(path, None, message);
    }

    fn add(&mut self, path: &str, place: Option<Place>, message: String) {
        let (line, column) = (place.map(|place| place.line), place.map(|place| place.column));
        self.problems.push(Problem { path: path.to_owned(), line, column, message });
    }

    /// A path of the commit that a misspelt one may mean: the same name elsewhere, or a like name in the same folder.
    fn did_you_mean(&self, path: &str) -> String {
        did_you_mean(tree::plain(path), self.tree.relatives(path).iter().map(String::as_str))
    }

    fn finish(mut self, plan: Plan) -> Result<Plan, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(Plan { notes: self.notes, ..plan });
        }
        self.problems.sort_by(|left, right| {
            let of_file = |problem: &Problem| problem.path != PIPELINE_FILE;
            (of_file(left), left.line.is_none(), left.line, left.column).cmp(&(
                of_file(right),
                right.line.is_none(),
                right.line,
                right.column,
            ))
        });
        let more = self.problems.len().saturating_sub(MOST_PROBLEMS);
        if more > 0 {
            self.problems.truncate(MOST_PROBLEMS);
            self.problem(&[], format!("and {more} more problems"));
        }
        Err(self.problems)
    }
}

fn listed(names: &[ServiceName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
